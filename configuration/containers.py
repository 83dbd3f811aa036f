"""Reads the entries of `containers`: additional MCP servers, each of which is a container image."""

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from typing import Literal, cast, get_args

from configuration import declared
from configuration.access import MAX_TOOLS, SCOPE, STANDARD_SCOPES, TOOL, read_access, read_tools
from configuration.container import ActsAs, Container, Paths, Process, Transport
from configuration.entry import (
    ENTRY_KEYS,
    MAX_MESSAGE_PATH_LENGTH,
    MAX_NAME_LENGTH,
    MAX_REPLICAS,
    MAX_VARIABLE_LENGTH,
    Entry,
    plain,
    top_level_keys,
)
from configuration.names import PATHS, RESERVED_NAMES, RESERVED_SEGMENTS, SCOPES, SERVERS
from configuration.reader import NOT_READ, Reader
from configuration.setting import NOT_SET

Transports = Literal["streamable-http", "sse", "both", "separate"]
"""A value of `transport`: the transport of the only process, or `separate` for one process per transport."""

# The Consumption profile has 2 GiB per core, in quarters of a core, up to four cores.
# https://learn.microsoft.com/azure/container-apps/containers#allocations
_QUARTERS = range(1, 17)

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", re.ASCII)
_IMAGE = re.compile(
    r"(?P<repository>[a-z0-9][a-z0-9.-]*(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?P<digest>@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
_SERVER_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+/?", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SECRET_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_+[A-Z0-9]+)*", re.ASCII)
_MAX_SCOPES = 20
_SETTING = re.compile(r"[a-z][A-Za-z0-9]*", re.ASCII)


def read(reader: Reader, prefix: str = "") -> tuple[Container, ...]:
    """Reads the containers that the stack declares.

    Args:
        reader: collects the problems.
        prefix: the path prefix of the servers' URLs at the gateway; empty for none.
    """
    containers = tuple(
        _container(Entry(reader, f"containers[{index}]", values)).with_prefix(prefix)
        for index, values in enumerate(declared.CONTAINERS.read(reader))
    )
    _reject_duplicates(reader, containers)
    if prefix:
        _reject_root_messages(reader, containers)
    else:
        _reject_taken_message_paths(reader, containers)
    return containers


def _container(entry: Entry) -> Container:
    entry.reject_unknown_keys(top_level_keys())
    name = _name(entry)
    transport = _transport(entry)
    cpu, memory = _resources(entry)
    return Container(
        name=name,
        title=_title(entry, name),
        image=_image(entry),
        port=entry.integer("port", 1, 65535),
        path=_path(entry, name),
        paths=_paths(entry, transport),
        processes=_processes(entry, transport),
        session_parameter=_session_parameter(entry, transport),
        health=_health(entry),
        command=entry.words("command"),
        secrets=_secrets(entry),
        cpu=cpu,
        memory=memory,
        access=read_access(
            entry.reader,
            f"{entry.location}.access",
            entry.value("access", "users"),
            ENTRY_KEYS["access"].reason,
        ),
        acts_as=_acts_as(entry),
        scopes=_scopes(entry),
        tools=read_tools(
            entry.reader, f"{entry.location}.tools", entry.map("tools"), ENTRY_KEYS["tools"].reason
        ),
        read_only_tools=_read_only_tools(entry),
        calls_per_minute=_calls(entry),
        local_command=entry.within("local", "command").words("command"),
    )


def _name(entry: Entry) -> str:
    name = entry.text("name")
    if name and not (_NAME.fullmatch(name) and len(name) <= MAX_NAME_LENGTH):
        entry.reject("name", f"'{name}' is not a valid name.")
    elif name in RESERVED_NAMES or name.endswith("preflight"):
        entry.reject(
            "name",
            f"'{name}' is reserved.",
            why="It is the name of a part of the gateway or of one of the project's own servers, whose names "
            "are reserved even when they are disabled.",
            remedy=entry.set("name", f"my-{name}"),
        )
    return name


def _title(entry: Entry, name: str) -> str:
    title = entry.text("title", name.replace("-", " ").title() or "?")
    if not (title.isprintable() and len(title) <= 60 and not set(title) & set('{}"<>\\')):  # noqa: PLR2004 -- stated in `limits`
        entry.reject("title", "Not a valid title.")
    return title


def _image(entry: Entry) -> str:
    image = entry.text("image")
    match = _IMAGE.fullmatch(image)
    if not image:
        return image
    if match is None or "." not in image.partition("/")[0]:
        entry.reject("image", f"'{image}' is not the reference of an image with its registry.")
    elif match["digest"] is None and match["tag"] in (None, "latest"):
        remedy = entry.set("image", f"{match['repository']}:1.0.0")
        entry.reject("image", f"'{image}' has no version.", remedy=remedy)
    return image


def _transport(entry: Entry) -> Transports:
    choices = get_args(Transports)
    value = entry.text("transport", "streamable-http")
    if value not in choices:
        near = next(iter(difflib.get_close_matches(value.lower(), choices, n=1, cutoff=0.4)), choices[0])
        wrong = f"'{value}' is not one of {', '.join(choices)}."
        entry.reject("transport", wrong, remedy=entry.set("transport", near))
        return "streamable-http"
    return cast("Transports", value)


def _path(entry: Entry, name: str) -> str:
    path = entry.text("path", f"{name}-mcp").strip("/")
    remedy = entry.set("path", f"{name or 'notes'}-mcp")
    if path in RESERVED_SEGMENTS:
        entry.reject("path", f"'{path}' is reserved for the gateway itself.", remedy=remedy)
    elif path in PATHS.values():
        owner = next(server for server, taken in PATHS.items() if taken == path)
        entry.reject(
            "path",
            f"'{path}' is reserved.",
            why=f"It is the path of the project's own server '{owner}', even when that is disabled.",
            remedy=entry.set("path", f"my-{path}"),
        )
    elif entry.has("path") and not (_NAME.fullmatch(path) and len(path) <= 50):  # noqa: PLR2004 -- stated in `limits`
        entry.reject("path", f"'{path}' is not a valid path.", remedy=remedy)
    return path


def _paths(entry: Entry, transport: Transports) -> Paths:
    has_mcp, has_sse = transport != "sse", transport != "streamable-http"
    used = (*(("mcp",) if has_mcp else ()), *(("sse", "messages") if has_sse else ()))
    inner = entry.within("paths", *used)
    paths: dict[str, str | None] = {"mcp": None, "sse": None, "messages": None}
    for key in used:
        default = ENTRY_KEYS[f"paths.{key}"].default
        path = inner.text(key, default)
        if not _SERVER_PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
            inner.reject(key, f"'{path}' is not a valid path.")
        elif key == "messages" and len(path) > MAX_MESSAGE_PATH_LENGTH:
            inner.reject(key, f"The path has {len(path)} characters.")
        paths[key] = path
    return Paths(mcp=paths["mcp"], sse=paths["sse"], messages=paths["messages"])


def _processes(entry: Entry, transport: Transports) -> tuple[Process, ...]:
    minimum, maximum = _scale(entry, transport)
    arguments, env = entry.words("arguments"), _env(entry)
    if transport != "separate":
        for key in ("http", "sse"):
            if entry.has(key):
                wrong = f"Has no effect with transport {transport}."
                entry.reject(f"{key}.env", wrong, remedy=entry.remove(key))
        return (
            Process(
                transport=transport, arguments=arguments, env=env, min_replicas=minimum, max_replicas=maximum
            ),
        )

    def process(key: str, transport_at_port: Transport, *, min_replicas: int, max_replicas: int) -> Process:
        own = entry.within(key, "arguments", "env")
        return Process(
            transport=transport_at_port,
            arguments=(*arguments, *own.words("arguments")),
            env={**env, **_env(own)},
            min_replicas=min_replicas,
            max_replicas=max_replicas,
        )

    return (
        process("http", "streamable-http", min_replicas=minimum, max_replicas=maximum),
        # With one replica, a message always reaches the replica with its event stream.
        process("sse", "sse", min_replicas=min(minimum, 1), max_replicas=1),
    )


def _session_parameter(entry: Entry, transport: Transports) -> str | None:
    if transport == "streamable-http":
        if entry.has("sessionParameter"):
            wrong = "Has no effect with transport streamable-http."
            entry.reject("sessionParameter", wrong, remedy=entry.remove("sessionParameter"))
        return None
    parameter = entry.text("sessionParameter")
    if parameter and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,39}", parameter, re.ASCII):
        entry.reject("sessionParameter", f"'{parameter}' is not the name of a parameter.")
    return parameter


def _health(entry: Entry) -> str | None:
    if not entry.has("health"):
        return None
    path = entry.text("health")
    if path and not _SERVER_PATH.fullmatch(path):
        entry.reject("health", f"'{path}' is not a valid path.")
    return path


_SECRET_NAME = re.compile(r"(TOKEN|SECRET|PASSWORD|KEY)\Z", re.IGNORECASE)


def _env(entry: Entry) -> Mapping[str, str]:
    env: dict[str, str] = {}
    for name, value in entry.map("env").items():
        if not _VARIABLE.fullmatch(name) or isinstance(value, (list, dict)):
            remedy = f"pulumi config rm --path '{entry.location}.env[\"{name}\"]'"
            wrong = f"'{name}' is not an environment variable with one value."
            entry.reject("env", wrong, remedy=remedy)
        elif _SECRET_NAME.search(name):
            suggestion = _setting_name(name)
            entry.reject(
                "env",
                f"'{name}' is the name of a secret, and `env` is visible in the portal and in the state.",
                why="Variables whose names end in TOKEN, SECRET, PASSWORD or KEY belong to `secrets`.",
                remedy=f"pulumi config rm --path '{entry.location}.env[\"{name}\"]' && "
                f"{entry.set(f'secrets.{name}', suggestion)} && pulumi config set --secret {suggestion}",
            )
        env[name] = plain(value)
    return env


def _secrets(entry: Entry) -> Mapping[str, str]:
    """The values of secret environment variables. The entry has only the names of secret settings."""
    secrets: dict[str, str] = {}
    plain_in = {
        variable: key
        for key in ("env", "http.env", "sse.env")
        for variable in _env(entry if key == "env" else entry.within(key.split(".")[0], "arguments", "env"))
    }
    for variable, setting in entry.map("secrets").items():
        if not _SECRET_VARIABLE.fullmatch(variable) or len(variable) > MAX_VARIABLE_LENGTH:
            remedy = f"pulumi config rm --path '{entry.location}.secrets[\"{variable}\"]'"
            entry.reject("secrets", f"'{variable}' is not the name of a variable in capitals.", remedy=remedy)
        elif variable in plain_in:
            key = plain_in[variable]
            remedy = entry.remove(f"{key}.{variable}")
            entry.reject("secrets", f"'{variable}' is also in `{key}`.", remedy=remedy)
        elif not isinstance(setting, str) or not _SETTING.fullmatch(setting) or setting in declared.KEYS:
            # The value could be the secret itself, so it is not shown.
            suggestion = _setting_name(variable)
            entry.reject(
                "secrets",
                f"The value of '{variable}' is not the name of a secret setting.",
                why=f"{ENTRY_KEYS['secrets'].reason} If the value is the secret itself, revoke it.",
                remedy=f"{entry.set(f'secrets.{variable}', suggestion)} && "
                f"pulumi config set --secret {suggestion}",
            )
        else:
            value = entry.reader.secret(setting)
            if not value and not entry.reader.local:
                entry.reader.reject(
                    setting,
                    NOT_SET,
                    f"The container '{entry.text('name', '?')}' needs it as {variable}.",
                    f"pulumi config set --secret {setting}",
                )
            secrets[variable] = value or NOT_READ
    return secrets


def _setting_name(variable: str) -> str:
    """The name of a setting for an environment variable, such as `notesToken` for `NOTES_TOKEN`."""
    first, *others = [word.lower() for word in variable.split("_") if word]
    return first + "".join(word.capitalize() for word in others)


def _resources(entry: Entry) -> tuple[float, str]:
    cpu = _number(entry.text("cpu", "0.25"))
    fitting = max(0.25, min(4.0, math.ceil(cpu * 4) / 4)) if math.isfinite(cpu) else 0.25
    if cpu * 4 not in _QUARTERS:
        entry.reject("cpu", "Not a valid size.", remedy=entry.set("cpu", f"{fitting:g}"))
    memory = entry.text("memory", f"{fitting * 2:g}Gi")
    amount = _number(memory.removesuffix("Gi")) if memory.endswith("Gi") else math.nan
    if amount != fitting * 2:
        wrong = f"'{memory}' does not fit {fitting:g} cores."
        entry.reject("memory", wrong, remedy=entry.set("memory", f"{fitting * 2:g}Gi"))
    return fitting, f"{fitting * 2:g}Gi"


def _scale(entry: Entry, transport: Transports) -> tuple[int, int]:
    inner = entry.within("scale", "min", "max")
    limits: dict[str, int] = {}
    for key, lowest in (("min", 0), ("max", 1)):
        text = inner.text(key, "1")
        limits[key] = int(text) if re.fullmatch(r"[0-9]{1,4}", text, re.ASCII) else -1
        if not lowest <= limits[key] <= MAX_REPLICAS:
            inner.reject(key, f"Must be {lowest} to {MAX_REPLICAS}, not '{text}'.")
            return 1, 1
    if limits["min"] > limits["max"]:
        inner.reject("max", "Must not be below `min`.", remedy=inner.set("max", str(max(1, limits["min"]))))
    if transport in ("sse", "both") and limits["max"] > 1:
        inner.reject(
            "max",
            "A server with the legacy transport can have only one replica.",
            why="A replica keeps its event streams in memory, and a message that reached another one would "
            "be lost; session affinity uses cookies, which MCP clients do not keep.",
        )
    return limits["min"], limits["max"]


def _acts_as(entry: Entry) -> ActsAs:
    value, choices = entry.text("actsAs", "shared"), get_args(ActsAs)
    if value not in choices:
        entry.reject("actsAs", f"'{value}' is not one of {', '.join(choices)}.")
        return "shared"
    return cast("ActsAs", value)


def _read_only_tools(entry: Entry) -> tuple[str, ...]:
    names = entry.words("readOnlyTools")
    if len(names) > MAX_TOOLS:
        entry.reject(
            "readOnlyTools",
            f"There are {len(names)} tools; at most {MAX_TOOLS} are allowed.",
            remedy=entry.remove(f"readOnlyTools[{MAX_TOOLS}]"),
        )
    for index, name in enumerate(names):
        if not TOOL.fullmatch(name):
            entry.reject(
                "readOnlyTools",
                f"'{name}' is not a valid name of a tool.",
                remedy=entry.remove(f"readOnlyTools[{index}]"),
            )
    return names


def _scopes(entry: Entry) -> tuple[str, ...]:
    scopes = entry.words("scopes")
    if len(scopes) > _MAX_SCOPES:
        entry.reject(
            "scopes",
            f"There are {len(scopes)} scopes; at most {_MAX_SCOPES} are allowed.",
            remedy=entry.remove(f"scopes[{_MAX_SCOPES}]"),
        )
    for index, scope in enumerate(scopes):
        remedy = entry.remove(f"scopes[{index}]")
        if not SCOPE.fullmatch(scope) or scope in STANDARD_SCOPES:
            entry.reject("scopes", f"'{scope}' is not a valid scope.", remedy=remedy)
        elif scope in scopes[:index]:
            entry.reject("scopes", f"'{scope}' is listed twice.", remedy=remedy)
    return scopes


def _calls(entry: Entry) -> int | None:
    maximum = declared.CALLS_PER_MINUTE.maximum
    return entry.integer("callsPerMinute", 1, maximum) if entry.has("callsPerMinute") else None


def _reject_duplicates(reader: Reader, containers: tuple[Container, ...]) -> None:
    for position, container in enumerate(containers):
        earlier = containers[:position]
        if container.name and container.name in {other.name for other in earlier}:
            reader.reject(
                f"containers[{position}].name",
                f"'{container.name}' is the name of another entry.",
                "The names of resources contain it.",
                f"pulumi config set --path 'containers[{position}].name' {container.name[:17]}-2",
            )
        elif container.path in {other.path for other in earlier}:
            reader.reject(
                f"containers[{position}].path",
                f"'{container.path}' is the path of another entry.",
                "Only one of the two servers could be reached at this path.",
                f"pulumi config set --path 'containers[{position}].path' {container.name or 'notes'}-mcp",
            )
    for position, container in enumerate(containers):
        others = set(SERVERS) | SCOPES | {other.name for other in containers if other is not container}
        others |= {scope for other in containers[:position] for scope in other.scopes}
        for index, scope in enumerate(container.scopes):
            if scope in others:
                reader.reject(
                    f"containers[{position}].scopes",
                    f"'{scope}' is a scope of another server.",
                    "A scope belongs to one server; a token for the whole gateway would be valid at both.",
                    f"pulumi config set --path 'containers[{position}].scopes[{index}]' "
                    f"{container.name}.{scope}",
                )


def _reject_taken_message_paths(reader: Reader, containers: tuple[Container, ...]) -> None:
    """Rejects message paths at the root of the host that are paths of the gateway or of another server."""
    taken = RESERVED_SEGMENTS - {"message", "messages"} | {container.path for container in containers}
    for position, container in enumerate(containers):
        at_root = container.root_messages
        first = at_root.split("/")[1].lower() if at_root else ""
        if first in taken | set(PATHS.values()):
            reader.reject(
                f"containers[{position}].paths.messages",
                f"'{at_root}' is a path of the gateway or of another server.",
                "A server announces its message path from the root of the host, so the gateway must accept "
                "messages there. Configure the server for another path, or for one below its own path at the "
                "gateway.",
                f"pulumi config set --path 'containers[{position}].paths.messages' "
                f"/{container.path}/messages",
            )


def _reject_root_messages(reader: Reader, containers: tuple[Container, ...]) -> None:
    """Rejects servers whose clients would send messages to paths outside the path prefix of the stack."""
    for position, container in enumerate(containers):
        if container.root_messages:
            reader.reject(
                f"containers[{position}].paths.messages",
                f"'{container.root_messages}' is not below the server's path, /{container.path}/.",
                "With pathPrefix the root of the host belongs to other applications, and the gateway does "
                "not change the path that an event stream announces. Configure the server to announce a path "
                "below its own path at the gateway, or use its streamable HTTP only: transport "
                "streamable-http.",
                f"pulumi config set --path 'containers[{position}].paths.messages' "
                f"/{container.path}/messages",
            )


def reject_shared_messages(
    reader: Reader, audience: str, presets: Iterable[Container], containers: tuple[Container, ...]
) -> None:
    """Rejects servers that announce the same message path, if tokens are valid at all servers."""
    if audience != "gateway":
        return
    announced = {preset.root_messages: preset.name for preset in presets if preset.root_messages}
    for position, container in enumerate(containers):
        at_root = container.root_messages
        if at_root is None:
            continue
        # API Management ignores the case of a path, and a slash at its end.
        path = at_root.rstrip("/").lower()
        if path in announced:
            reader.reject(
                f"containers[{position}].paths.messages",
                f"'{announced[path]}' also announces '{path}'.",
                "With audience gateway a token is valid at every server, so it does not determine the server "
                "of a message. Use audience backend, or configure this server for a message path below its "
                "own path.",
                "pulumi config set audience backend",
            )
        announced.setdefault(path, container.name)


def _number(text: str) -> float:
    try:
        return float(text) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", text, re.ASCII) else math.nan
    except ValueError:
        return math.nan
