"""Entries of `containers`: further MCP servers that are a container image, and no code."""

import difflib
import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from configuration.credentials import NOT_READ
from configuration.names import PATHS, RESERVED, ROOT_MESSAGES, TAKEN
from configuration.reader import Reader

Access = Literal["users", "agents", "keys"]
Transport = Literal["streamable-http", "sse", "both"]

# What is known of an entry, with an example for messages.
_KEYS = {
    "name": "notes",
    "title": "Notes",
    "image": "ghcr.io/example/notes-mcp:1.0.0",
    "port": "8080",
    "transport": "streamable-http",
    "path": "notes-mcp",
    "paths": "",
    "sessionParameter": "sessionId",
    "health": "/healthz",
    "command": "",
    "arguments": "",
    "env": "",
    "secrets": "",
    "cpu": "0.25",
    "memory": "0.5Gi",
    "scale": "",
    "access": "users",
    "callsPerMinute": "3000",
    "local": "",
}

# The Consumption profile gives 2 GiB a core, in quarters of one, up to four.
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
_SETTING = re.compile(r"[a-z][A-Za-z0-9]*", re.ASCII)

_LONGEST_NAME = 19  # of a container app 32, less `-http` and the eight characters that make it unique
_MOST_REPLICAS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Where a server takes what; paths at the server.

    Attributes:
        mcp: streamable HTTP, or None when it has none.
        sse: the event stream of the legacy transport, or None.
        messages: where that stream tells clients to send messages, or None.
    """

    mcp: str | None
    sse: str | None
    messages: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One MCP server that is a container image.

    Attributes:
        name: unique; part of resource names.
        title: what people read on the consent page.
        image: reference of the image, pinned by version or digest.
        port: where it listens.
        transport: what it speaks.
        path: first segment of its URLs at the gateway, without slashes.
        paths: where it takes what.
        session_parameter: the query parameter of its message path that carries the session; None without one.
        health: path that answers 200 when it is well, or None to look whether the port is open.
        command: in place of the image's entry point; empty for the image's own.
        arguments: in place of the image's arguments; empty for the image's own.
        env: its environment.
        secrets: the part of its environment that is secret, with values.
        cpu: cores.
        memory: as `0.5Gi`.
        least: replicas that always run.
        most: replicas that may run.
        access: who may call it.
        calls_per_minute: calls of one user; None for the stack's `callsPerMinute`.
        local_command: what the twin runs in place of the image; empty when it has to know the image.
    """

    name: str
    title: str
    image: str
    port: int
    transport: Transport
    path: str
    paths: Paths
    session_parameter: str | None
    health: str | None
    command: tuple[str, ...]
    arguments: tuple[str, ...]
    env: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    cpu: float
    memory: str
    least: int
    most: int
    access: Access
    calls_per_minute: int | None
    local_command: tuple[str, ...]


def read(reader: Reader, keys: tuple[str, ...]) -> tuple[Container, ...]:
    """The stack's own containers.

    Args:
        reader: takes what is wrong with them.
        keys: the project's settings, which are no names for secrets.
    """
    why = "Each entry is a map with at least name, image and port; see docs/adding-a-backend.md."
    containers = tuple(
        _container(_Entry(reader, f"containers[{place}]", values), keys)
        for place, values in enumerate(reader.objects("containers", why))
    )
    _refuse_clashes(reader, containers)
    return containers


class _Entry:
    """One map of the configuration, which knows where it stands."""

    def __init__(self, reader: Reader, place: str, values: Mapping[str, object]) -> None:
        self.reader = reader
        self.place = place
        self._values = values

    def reject(self, key: str, wrong: str, why: str, remedy: str | None = None) -> None:
        """Reports what is wrong; without a remedy, the command that sets an example."""
        remedy = remedy or self.set(key, _KEYS[key])
        self.reader.reject(f"{self.place}.{key}", wrong, why, remedy)

    def set(self, key: str, value: str) -> str:
        return f"pulumi config set --path '{self.place}.{key}' {shlex.quote(value)}"

    def remove(self, key: str) -> str:
        return f"pulumi config rm --path '{self.place}.{key}'"

    def has(self, key: str) -> bool:
        return self._values.get(key) not in (None, "")

    def text(self, key: str, default: str | None = None, *, why: str) -> str:
        value = self._values.get(key)
        if value in (None, ""):
            if default is None:
                self.reject(key, "It is not set.", why)
            return default or ""
        if isinstance(value, (list, dict, bool)):
            self.reject(key, "It is not a text.", why, None if default is None else self.remove(key))
            return default or ""
        return str(value).strip()

    def integer(self, key: str, default: int | None, least: int, most: int, *, why: str) -> int:
        text = self.text(key, None if default is None else str(default), why=why)
        if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) and least <= int(text) <= most:
            return int(text)
        if text:
            self.reject(key, f"'{text}' is not a whole number from {least} to {most}.", why)
        return default if default is not None else least

    def words(self, key: str, *, why: str) -> tuple[str, ...]:
        """A list of texts; a text is taken apart as a shell would."""
        value = self._values.get(key)
        if value in (None, ""):
            return ()
        if isinstance(value, list) and None in value:
            nulls = [index for index, word in enumerate(value) if word is None]
            remedies = [f"pulumi config rm --path '{self.place}.{key}[{index}]'" for index in reversed(nulls)]
            self.reject(key, f"Its entry {nulls[0]} is null.", why, " && ".join(remedies))
            return ()
        if isinstance(value, list) and not any(isinstance(word, (list, dict)) for word in value):
            return tuple(_plain(word) for word in value)
        if isinstance(value, str):
            try:
                return tuple(shlex.split(value))
            except ValueError:
                pass
        self.reject(key, "It is not a list of texts.", why, self.remove(key))
        return ()

    def map(self, key: str, *, why: str) -> Mapping[str, object]:
        value = self._values.get(key)
        if value in (None, ""):
            return {}
        if not isinstance(value, dict):
            self.reject(key, "It is not a map.", why, self.remove(key))
            return {}
        return value

    def within(self, key: str, *known: str, why: str) -> "_Entry":
        """A map in this one, of which all keys are known."""
        inner = _Entry(self.reader, f"{self.place}.{key}", self.map(key, why=why))
        inner.refuse_unknown_keys(known)
        return inner

    def refuse_unknown_keys(self, known: tuple[str, ...]) -> None:
        for key in sorted(map(str, self._values)):
            if key in known:
                continue
            near = difflib.get_close_matches(key, known, n=1)
            why = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(known)}."
            quoted = key if _VARIABLE.fullmatch(key) else f'["{key}"]'
            path = f"{self.place}{quoted}" if quoted.startswith("[") else f"{self.place}.{quoted}"
            self.reader.reject(
                f"{self.place}.{key}", "There is no such key.", why, f"pulumi config rm --path '{path}'"
            )


def _container(entry: _Entry, keys: tuple[str, ...]) -> Container:
    entry.refuse_unknown_keys(tuple(_KEYS))
    name = _name(entry)
    transport = _transport(entry)
    path = _path(entry, name)
    paths = _paths(entry, transport)
    cpu, memory = _resources(entry)
    least, most = _scale(entry, transport)
    return Container(
        name=name,
        title=_title(entry, name),
        image=_image(entry),
        port=entry.integer("port", None, 1, 65535, why="It is where the server in the container listens."),
        transport=transport,
        path=path,
        paths=paths,
        session_parameter=_session_parameter(entry, transport),
        health=_health(entry),
        command=entry.words("command", why="It takes the place of the image's entry point."),
        arguments=entry.words("arguments", why="They take the place of the image's own arguments."),
        env=_env(entry),
        secrets=_secrets(entry, keys),
        cpu=cpu,
        memory=memory,
        least=least,
        most=most,
        access=access(entry.reader, f"{entry.place}.access", entry.text("access", "users", why="")),
        calls_per_minute=_calls(entry),
        local_command=_local_command(entry),
    )


def access(reader: Reader, key: str, value: str) -> Access:
    """Who may call a server."""
    choices = get_args(Access)
    if value not in choices:
        reader.reject(
            key,
            f"'{value}' is not one of {', '.join(choices)}.",
            "It says who may call the MCP server; users who signed in is the safe choice.",
            f"pulumi config set --path '{key}' users",
        )
        return "users"
    if value != "users":
        # Accepting it would promise a check that no policy makes.
        reader.reject(
            key,
            f"'{value}' is not there yet: the policies know users who signed in, and nobody else.",
            "Workloads with app roles and subscription keys will follow.",
            f"pulumi config set --path '{key}' users",
        )
        return "users"
    return cast("Access", value)


def _name(entry: _Entry) -> str:
    why = (
        f"It becomes part of Azure's names: up to {_LONGEST_NAME} small letters, digits and single hyphens, "
        "beginning with a letter."
    )
    name = entry.text("name", why=why)
    if name and not (_NAME.fullmatch(name) and len(name) <= _LONGEST_NAME):
        entry.reject("name", f"'{name}' is not a name.", why)
    elif name in TAKEN or name.endswith("preflight"):
        why = "The project's own parts are named so; its MCP servers keep their names when they are off."
        entry.reject("name", f"'{name}' is taken.", why, entry.set("name", f"my-{name}"))
    return name


def _title(entry: _Entry, name: str) -> str:
    why = "People read it on the consent page: up to 60 characters that print, no braces, no quotes."
    title = entry.text("title", name.replace("-", " ").title() or "?", why=why)
    if not (title.isprintable() and len(title) <= 60 and not set(title) & set('{}"<>\\')):  # noqa: PLR2004 -- said in `why`
        entry.reject("title", "It is not a title.", why)
    return title


def _image(entry: _Entry) -> str:
    why = (
        "It is an image with its registry and a version, `registry/name:1.2.3`, or a digest, "
        "`registry/name@sha256:...`: what is deployed must not change by itself."
    )
    image = entry.text("image", why=why)
    match = _IMAGE.fullmatch(image)
    if not image:
        return image
    if match is None or "." not in image.partition("/")[0]:
        entry.reject("image", f"'{image}' is not a reference of an image with its registry.", why)
    elif match["digest"] is None and match["tag"] in (None, "latest"):
        remedy = entry.set("image", f"{match['repository']}:1.0.0")
        entry.reject("image", f"'{image}' names no version.", why, remedy)
    return image


def _transport(entry: _Entry) -> Transport:
    choices = get_args(Transport)
    why = (
        "It is what the server speaks on its port: `streamable-http`, the legacy `sse`, or `both` for one "
        "that takes both at once."
    )
    value = entry.text("transport", "streamable-http", why=why)
    if value not in choices:
        near = next(iter(difflib.get_close_matches(value.lower(), choices, n=1, cutoff=0.4)), choices[0])
        wrong = f"'{value}' is not one of {', '.join(choices)}."
        entry.reject("transport", wrong, why, entry.set("transport", near))
        return "streamable-http"
    return cast("Transport", value)


def _path(entry: _Entry, name: str) -> str:
    why = (
        "It is the first segment of the server's URLs at the gateway: up to 50 small letters, digits and "
        "single hyphens."
    )
    path = entry.text("path", f"{name}-mcp", why=why).strip("/")
    if path in RESERVED:
        wrong = f"'{path}' belongs to the gateway itself."
        entry.reject("path", wrong, why, entry.set("path", f"{name or 'notes'}-mcp"))
    elif path in PATHS.values():
        owner = next(server for server, taken in PATHS.items() if taken == path)
        why = f"It is the path of the project's own server '{owner}', whether that is on or not."
        entry.reject("path", f"'{path}' is taken.", why, entry.set("path", f"my-{path}"))
    elif entry.has("path") and not (_NAME.fullmatch(path) and len(path) <= 50):  # noqa: PLR2004 -- said in `why`
        entry.reject("path", f"'{path}' is not a path.", why, entry.set("path", f"{name or 'notes'}-mcp"))
    return path


def _paths(entry: _Entry, transport: Transport) -> Paths:
    has_mcp, has_sse = transport != "sse", transport != "streamable-http"
    used = (*(("mcp",) if has_mcp else ()), *(("sse", "messages") if has_sse else ()))
    inner = entry.within(
        "paths", *used, why=f"With transport {transport} it is a map of {' and '.join(used)}."
    )
    found: dict[str, str | None] = {"mcp": None, "sse": None, "messages": None}
    for key in used:
        why = "It is a path at the server that begins with a slash and has no query."
        default = {"mcp": "/mcp", "sse": "/sse", "messages": "/message"}[key]
        path = inner.text(key, default, why=why)
        if not _SERVER_PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
            inner.reject(key, f"'{path}' is not a path.", why, inner.set(key, default))
        found[key] = path
    return Paths(mcp=found["mcp"], sse=found["sse"], messages=found["messages"])


def _session_parameter(entry: _Entry, transport: Transport) -> str | None:
    why = (
        "The legacy transport names the session in the query of its message path, and no other parameter is "
        "passed on. Servers on the TypeScript SDK say sessionId, on the Python SDK session_id."
    )
    if transport == "streamable-http":
        if entry.has("sessionParameter"):
            wrong = "It has no meaning with transport streamable-http."
            entry.reject("sessionParameter", wrong, why, entry.remove("sessionParameter"))
        return None
    parameter = entry.text("sessionParameter", why=why)
    if parameter and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,39}", parameter, re.ASCII):
        entry.reject("sessionParameter", f"'{parameter}' is not the name of a parameter.", why)
    return parameter


def _health(entry: _Entry) -> str | None:
    if not entry.has("health"):
        return None
    why = "It is a path at the server that answers 200 without a token when the server is well."
    path = entry.text("health", why=why)
    if path and not _SERVER_PATH.fullmatch(path):
        entry.reject("health", f"'{path}' is not a path.", why)
    return path


def _env(entry: _Entry) -> Mapping[str, str]:
    why = "It is a map of environment variables; letters, digits and underscores make a name."
    env: dict[str, str] = {}
    for name, value in entry.map("env", why=why).items():
        if not _VARIABLE.fullmatch(name) or isinstance(value, (list, dict)):
            remedy = f"pulumi config rm --path '{entry.place}.env[\"{name}\"]'"
            entry.reject("env", f"'{name}' cannot be an environment variable with one value.", why, remedy)
        env[name] = _plain(value)
    return env


def _secrets(entry: _Entry, keys: tuple[str, ...]) -> Mapping[str, str]:
    """The values of secret variables. An entry names settings of the stack, which are encrypted there."""
    why = (
        "It is a map of environment variables in capitals to names of settings, each set on its own: "
        "`pulumi config set --secret notesToken`. So the entry can be read and the secret cannot."
    )
    secrets: dict[str, str] = {}
    env = _env(entry)
    for variable, setting in entry.map("secrets", why=why).items():
        place = f"{entry.place}.secrets.{variable}"
        if not _SECRET_VARIABLE.fullmatch(variable):
            remedy = f"pulumi config rm --path '{entry.place}.secrets[\"{variable}\"]'"
            entry.reject("secrets", f"'{variable}' is not a variable in capitals.", why, remedy)
        elif variable in env:
            wrong = f"'{variable}' stands in env as well."
            entry.reject("secrets", wrong, why, f"pulumi config rm --path '{entry.place}.env.{variable}'")
        elif not isinstance(setting, str) or not _SETTING.fullmatch(setting) or setting in keys:
            # What stands there may be the secret itself, so it is not shown.
            suggestion = _setting_name(variable)
            entry.reject(
                "secrets",
                f"'{variable}' is not the name of a setting of your own.",
                why + " If this is the secret itself, take a new one: this one is known.",
                f"pulumi config set --path '{place}' {suggestion} && pulumi config set --secret {suggestion}",
            )
        else:
            value = entry.reader.secret(setting)
            if not value and not entry.reader.local:
                entry.reader.reject(
                    setting,
                    "It is not set.",
                    f"The container '{entry.text('name', '?', why='')}' needs it as {variable}.",
                    f"pulumi config set --secret {setting}",
                )
            secrets[variable] = value or NOT_READ
    return secrets


def _setting_name(variable: str) -> str:
    """`NOTES_TOKEN` as `notesToken`."""
    first, *others = [word.lower() for word in variable.split("_") if word]
    return first + "".join(word.capitalize() for word in others)


def _resources(entry: _Entry) -> tuple[float, str]:
    why = (
        "There are quarters of a core with 2Gi a core: 0.25 with 0.5Gi, 0.5 with 1Gi and so on to 4 with 8Gi."
    )
    cpu = _number(entry.text("cpu", "0.25", why=why))
    fitting = max(0.25, min(4.0, math.ceil(cpu * 4) / 4)) if math.isfinite(cpu) else 0.25
    if cpu * 4 not in _QUARTERS:
        entry.reject("cpu", "It is not a size that there is.", why, entry.set("cpu", f"{fitting:g}"))
    memory = entry.text("memory", f"{fitting * 2:g}Gi", why=why)
    amount = _number(memory.removesuffix("Gi")) if memory.endswith("Gi") else math.nan
    if amount != fitting * 2:
        wrong = f"'{memory}' does not go with {fitting:g} cores."
        entry.reject("memory", wrong, why, entry.set("memory", f"{fitting * 2:g}Gi"))
    return fitting, f"{fitting * 2:g}Gi"


def _scale(entry: _Entry, transport: Transport) -> tuple[int, int]:
    why = f"Replicas are from 0 to {_MOST_REPLICAS}; `max` is at least 1 and not below `min`."
    inner = entry.within("scale", "min", "max", why="It is a map of min and max. " + why)
    limits: dict[str, int] = {}
    for key, lowest in (("min", 0), ("max", 1)):
        text = inner.text(key, "1", why=why)
        limits[key] = int(text) if re.fullmatch(r"[0-9]{1,4}", text, re.ASCII) else -1
        if not lowest <= limits[key] <= _MOST_REPLICAS:
            inner.reject(
                key, f"'{text}' is outside of {lowest} to {_MOST_REPLICAS}.", why, inner.set(key, "1")
            )
            return 1, 1
    if limits["min"] > limits["max"]:
        inner.reject("max", "It is below min.", why, inner.set("max", str(max(1, limits["min"]))))
    if transport != "streamable-http" and limits["max"] > 1:
        inner.reject(
            "max",
            "A server with the legacy transport runs once.",
            "A replica holds its event streams in memory, and a message that reached another one would be "
            "lost; affinity is by cookie, which MCP clients do not keep.",
            inner.set("max", "1"),
        )
    return limits["min"], limits["max"]


def _calls(entry: _Entry) -> int | None:
    if not entry.has("callsPerMinute"):
        return None
    why = "They are the calls of one user to this server in a minute."
    return entry.integer("callsPerMinute", None, 1, 100_000, why=why)


def _local_command(entry: _Entry) -> tuple[str, ...]:
    why = "It is a map with `command`: what the twin runs on this machine in place of the image."
    return entry.within("local", "command", why=why).words("command", why=why)


def _refuse_clashes(reader: Reader, containers: tuple[Container, ...]) -> None:
    for place, container in enumerate(containers):
        earlier = containers[:place]
        if container.name and container.name in {other.name for other in earlier}:
            reader.reject(
                f"containers[{place}].name",
                f"'{container.name}' is the name of another entry.",
                "Resources are named after it.",
                f"pulumi config set --path 'containers[{place}].name' {container.name[:17]}-2",
            )
        elif container.path in {other.path for other in earlier}:
            reader.reject(
                f"containers[{place}].path",
                f"'{container.path}' is the path of another entry.",
                "One would shadow the other.",
                f"pulumi config set --path 'containers[{place}].path' {container.name or 'notes'}-mcp",
            )
    taken = RESERVED - {"message", "messages"} | {container.path for container in containers}
    for place, container in enumerate(containers):
        at_root = root_messages(container)
        first = at_root.split("/")[1].lower() if at_root else ""
        if first in taken | set(PATHS.values()):
            reader.reject(
                f"containers[{place}].paths.messages",
                f"'{at_root}' would shadow /{first} at the gateway.",
                "A server announces its message path from the root of the host, so the gateway has to take "
                "it there. Tell the server another path, or one below its own path at the gateway.",
                f"pulumi config set --path 'containers[{place}].paths.messages' /{container.path}/messages",
            )


def refuse_shared_messages(
    reader: Reader, audience: str, backends: tuple[str, ...], containers: tuple[Container, ...]
) -> None:
    """Refuses servers that announce one message path where a token does not say for which of them it is."""
    if audience != "gateway":
        return
    announced = {path: name for name, path in ROOT_MESSAGES.items() if name in backends}
    for place, container in enumerate(containers):
        at_root = root_messages(container)
        if at_root is None:
            continue
        # API Management looks neither at case nor at a last slash.
        path = at_root.rstrip("/").lower()
        if path in announced:
            reader.reject(
                f"containers[{place}].paths.messages",
                f"'{announced[path]}' announces '{path}' as well.",
                "With audience gateway a token opens every server, so it cannot say whose message it is. "
                "Give each server a token of its own, or tell this one a message path below its own path.",
                "pulumi config set audience backend",
            )
        announced.setdefault(path, container.name)


def root_messages(container: Container) -> str | None:
    """The path at the gateway's root that a container's event streams announce.

    None when it has none, or announces one below its own path, which its API takes anyway.
    """
    path = container.paths.messages
    if path is None or path.startswith(f"/{container.path}/"):
        return None
    return path


def _number(text: str) -> float:
    try:
        return float(text) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", text, re.ASCII) else math.nan
    except ValueError:
        return math.nan


def _plain(value: object) -> str:
    """As it would stand in the stack's file: Pulumi turns what looks like a number or a yes into one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
