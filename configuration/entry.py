"""Declares the keys of an entry of `containers`, and reads the values of an entry.

Keys of a map inside an entry are written with a dot: `paths.mcp`.
"""

import difflib
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from configuration.access import ACCESS_LIMITS, TOOL_LIMITS
from configuration.declared import CALLS_PER_MINUTE
from configuration.reader import Reader
from configuration.setting import NOT_SET

# The name of a Container App has at most 32 characters: the name of the server, `-http`, and eight random
# characters.
MAX_NAME_LENGTH = 19
MAX_REPLICAS = 300

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryKey:
    """One key of an entry.

    Attributes:
        description: purpose of the key.
        limits: the valid values.
        default: the value if the key is not set, for the documentation; None if the key is required.
        example: a valid value.
    """

    description: str
    limits: str = ""
    default: str | None
    example: str

    @property
    def reason(self) -> str:
        """The explanation in a message about a wrong value."""
        return f"{self.description} {self.limits}".strip()


# API Management allows 80 characters in the id of an operation, which contains the path for messages.
MAX_MESSAGE_PATH_LENGTH = 60
# Key Vault allows 127 characters in the name of a secret, which contains the names of server and variable.
MAX_VARIABLE_LENGTH = 64

_PATH = "A path at the server that begins with a slash and has no query."
_SIZES = (
    "Quarters of a core up to 4, with 2Gi per core: 0.25 with 0.5Gi, 0.5 with 1Gi, and so on to 4 with 8Gi."
)
_REPLICAS = (
    f"At most {MAX_REPLICAS}; `max` is at least 1 and not below `min`, and 1 with the legacy transport. "
    "With `separate` the process with the legacy transport has one replica."
)

ENTRY_KEYS = {
    "name": EntryKey(
        description="Name of the server; part of Azure's names, unique in the stack.",
        limits=(
            f"Up to {MAX_NAME_LENGTH} lower-case letters, digits and single hyphens; the first is a letter."
        ),
        default=None,
        example="notes",
    ),
    "title": EntryKey(
        description="Title of the server on the consent page.",
        limits='Up to 60 printable characters, none of `{}"<>\\`.',
        default="from `name`",
        example="Notes",
    ),
    "image": EntryKey(
        description="Reference of the image.",
        limits=(
            "With its registry and a version, `registry/name:1.2.3`, or a digest, "
            "`registry/name@sha256:...`, so that the deployed image does not change by itself."
        ),
        default=None,
        example="ghcr.io/example/notes-mcp:1.0.0",
    ),
    "port": EntryKey(
        description="Port on which the server in the container listens, on all interfaces.",
        limits="A whole number from 1 to 65535.",
        default=None,
        example="8080",
    ),
    "transport": EntryKey(
        description="The MCP transport that the server supports at its port.",
        limits=(
            "`streamable-http`, the legacy `sse`, `both` for one process with both, or `separate` for one "
            "process for each of them, each in its own Container App."
        ),
        default="streamable-http",
        example="streamable-http",
    ),
    "path": EntryKey(
        description="First segment of the server's URLs at the gateway.",
        limits="Up to 50 lower-case letters, digits and single hyphens.",
        default="`<name>-mcp`",
        example="notes-mcp",
    ),
    "paths.mcp": EntryKey(
        description="The server's path for streamable HTTP.", limits=_PATH, default="/mcp", example="/mcp"
    ),
    "paths.sse": EntryKey(
        description="The server's path for the event stream of the legacy transport.",
        limits=_PATH,
        default="/sse",
        example="/sse",
    ),
    "paths.messages": EntryKey(
        description="The path for messages that the event stream announces to clients.",
        limits=f"{_PATH} At most {MAX_MESSAGE_PATH_LENGTH} characters.",
        default="/message",
        example="/message",
    ),
    "sessionParameter": EntryKey(
        description=(
            "With the legacy transport: the query parameter of the message path with the session id. No "
            "other parameter is forwarded. Servers with the TypeScript SDK use sessionId, with the Python "
            "SDK session_id."
        ),
        limits="A letter and up to 39 letters, digits, hyphens and underscores.",
        default="required unless `transport` is `streamable-http`",
        example="sessionId",
    ),
    "health": EntryKey(
        description="Path that returns status 200 without a token if the server is healthy.",
        limits=_PATH,
        default="only the port is checked",
        example="/healthz",
    ),
    "command": EntryKey(
        description="Replaces the image's entry point.",
        limits="A list of strings, or one string, which is split into words as a shell does.",
        default="that of the image",
        example="serve --http",
    ),
    "arguments": EntryKey(
        description="Replaces the image's arguments.",
        limits="A list of strings, or one string, which is split into words as a shell does.",
        default="that of the image",
        example="serve",
    ),
    "env": EntryKey(
        description="Environment variables.",
        limits="A map; a name consists of letters, digits and underscores.",
        default="none",
        example="",
    ),
    "http.arguments": EntryKey(
        description="With transport `separate`: arguments after `arguments` for streamable HTTP.",
        limits="A list of strings, or one string, which is split into words as a shell does.",
        default="none",
        example="serve-http",
    ),
    "http.env": EntryKey(
        description="With transport `separate`: variables in addition to `env` for streamable HTTP.",
        limits="A map; a name consists of letters, digits and underscores.",
        default="none",
        example="",
    ),
    "sse.arguments": EntryKey(
        description="With transport `separate`: arguments after `arguments` for the legacy transport.",
        limits="A list of strings, or one string, which is split into words as a shell does.",
        default="none",
        example="serve-sse",
    ),
    "sse.env": EntryKey(
        description="With transport `separate`: variables in addition to `env` for the legacy transport.",
        limits="A map; a name consists of letters, digits and underscores.",
        default="none",
        example="",
    ),
    "secrets": EntryKey(
        description=(
            "Secret environment variables: a map from names in capitals to the names of secret settings of "
            "the stack, so that the entry does not contain the secrets."
        ),
        limits=f"A name of a variable has at most {MAX_VARIABLE_LENGTH} characters.",
        default="none",
        example="",
    ),
    "cpu": EntryKey(description="Cores.", limits=_SIZES, default="0.25", example="0.25"),
    "memory": EntryKey(description="Memory.", limits=_SIZES, default="2Gi per core", example="0.5Gi"),
    "scale.min": EntryKey(
        description="Minimum number of replicas.", limits=_REPLICAS, default="1", example="1"
    ),
    "scale.max": EntryKey(
        description="Maximum number of replicas.", limits=_REPLICAS, default="1", example="1"
    ),
    "access": EntryKey(
        description="Kinds of callers that may call the server.",
        limits=ACCESS_LIMITS,
        default="users",
        example="users",
    ),
    "actsAs": EntryKey(
        description=(
            "The account with which the server's tools call the service behind it: the account of the "
            "signed-in user (`user`), or an account that all users share (`shared`). The consent page shows "
            "the kind of account."
        ),
        limits="`shared` or `user`.",
        default="shared",
        example="user",
    ),
    "scopes": EntryKey(
        description=(
            "Scopes that a client may request for this server. The first is granted to a client that "
            "requests none of them."
        ),
        limits=(
            "A list of up to 20; up to 100 letters, digits and `_.:/-`, and not the scope of another server, "
            "`openid` or `offline_access`."
        ),
        default="the server's name as the only scope",
        example="notes.read",
    ),
    "tools": EntryKey(
        description="Rules for the tools of the server: the scope, role or group that a caller must have.",
        limits=f"{TOOL_LIMITS} A scope that is not in `scopes` is added to them.",
        default="only access to the server",
        example="",
    ),
    "readOnlyTools": EntryKey(
        description=(
            "Tools of the server that only read, if the server does not declare this itself "
            "(`readOnlyHint`). The demo agent calls them without an approval."
        ),
        limits="A list of up to 200; the names that the server uses.",
        default="only what the server declares",
        example="list_notes",
    ),
    "callsPerMinute": EntryKey(
        description="Requests per minute of one user to this server.",
        limits=f"A whole number from 1 to {CALLS_PER_MINUTE.maximum}.",
        default="the stack's `callsPerMinute`",
        example="3000",
    ),
    "local.command": EntryKey(
        description="Command that the twin runs on this machine instead of the image.",
        limits="A list of strings, or one string, which is split into words as a shell does.",
        default="the twin's command, if it knows the image",
        example="npx -y example-mcp",
    ),
}
"""All keys of an entry, in the order of the documentation."""


class Entry:
    """A map in the configuration, with its location.

    Args:
        reader: collects the problems.
        location: key of the map in the configuration, such as `containers[0]`.
        values: the map.
        prefix: path of the map in the entry, followed by a dot; empty for the entry itself.
    """

    def __init__(self, reader: Reader, location: str, values: Mapping[str, object], prefix: str = "") -> None:
        self.reader = reader
        self.location = location
        self._values = values
        self._prefix = prefix

    def reject(self, key: str, wrong: str, *, why: str | None = None, remedy: str | None = None) -> None:
        """Reports a problem; the default remedy is the command that sets an example."""
        declared = ENTRY_KEYS[f"{self._prefix}{key}"]
        self.reader.reject(
            f"{self.location}.{key}", wrong, why or declared.reason, remedy or self.set(key, declared.example)
        )

    def set(self, key: str, value: str) -> str:
        """The command that sets a key."""
        return f"pulumi config set --path '{self.location}.{key}' {shlex.quote(value)}"

    def remove(self, key: str) -> str:
        """The command that removes a key."""
        return f"pulumi config rm --path '{self.location}.{key}'"

    def has(self, key: str) -> bool:
        """Whether a key has a value."""
        return self._values.get(key) not in (None, "")

    def value(self, key: str, default: object) -> object:
        """The unchecked value of a key."""
        return self._values[key] if self.has(key) else default

    def text(self, key: str, default: str | None = None) -> str:
        """The string of a key, which is required if there is no default."""
        value = self._values.get(key)
        if value in (None, ""):
            if default is None:
                self.reject(key, NOT_SET)
            return default or ""
        if isinstance(value, (list, dict, bool)):
            self.reject(key, "Must be a string.", remedy=None if default is None else self.remove(key))
            return default or ""
        return str(value).strip()

    def integer(self, key: str, minimum: int, maximum: int) -> int:
        """The whole number of a key, which is required."""
        text = self.text(key)
        if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) and minimum <= int(text) <= maximum:
            return int(text)
        if text:
            self.reject(key, f"'{text}' is not a whole number from {minimum} to {maximum}.")
        return minimum

    def words(self, key: str) -> tuple[str, ...]:
        """The list of strings of a key; a single string is split into words as a shell does."""
        value = self._values.get(key)
        if value in (None, ""):
            return ()
        if isinstance(value, list) and None in value:
            nulls = [index for index, word in enumerate(value) if word is None]
            remedies = [self.remove(f"{key}[{index}]") for index in reversed(nulls)]
            self.reject(key, f"Entry {nulls[0]} is null.", remedy=" && ".join(remedies))
            return ()
        if isinstance(value, list) and not any(isinstance(word, (list, dict)) for word in value):
            return tuple(plain(word) for word in value)
        if isinstance(value, str):
            try:
                return tuple(shlex.split(value))
            except ValueError:
                pass
        self.reject(key, "Must be a list of strings.", remedy=self.remove(key))
        return ()

    def map(self, key: str) -> Mapping[str, object]:
        """The map of a key; empty if it is not set."""
        value = self._values.get(key)
        if value in (None, ""):
            return {}
        if not isinstance(value, dict):
            why = ENTRY_KEYS[key].reason if key in ENTRY_KEYS else f"The keys are: {', '.join(_inner(key))}."
            self.reader.reject(f"{self.location}.{key}", "Must be a map.", why, self.remove(key))
            return {}
        return value

    def within(self, key: str, *known: str) -> "Entry":
        """A map inside this map.

        Args:
            key: key of the map.
            known: the keys that it may have.
        """
        inner = Entry(self.reader, f"{self.location}.{key}", self.map(key), f"{self._prefix}{key}.")
        inner.reject_unknown_keys(known)
        return inner

    def reject_unknown_keys(self, known: tuple[str, ...]) -> None:
        """Reports keys of the map that are not in `known`."""
        for key in sorted(map(str, self._values)):
            if key in known:
                continue
            near = difflib.get_close_matches(key, known, n=1)
            why = f"Did you mean '{near[0]}'?" if near else f"The keys are: {', '.join(known)}."
            path = f".{key}" if _IDENTIFIER.fullmatch(key) else f'["{key}"]'
            remedy = f"pulumi config rm --path '{self.location}{path}'"
            self.reader.reject(f"{self.location}.{key}", "This key does not exist.", why, remedy)


def top_level_keys() -> tuple[str, ...]:
    """The keys of an entry, without those of maps inside it."""
    return tuple(dict.fromkeys(key.partition(".")[0] for key in ENTRY_KEYS))


def _inner(key: str) -> list[str]:
    return [entry_key.partition(".")[2] for entry_key in ENTRY_KEYS if entry_key.startswith(f"{key}.")]


def plain(value: object) -> str:
    """A value as it was written, because Pulumi converts strings that look like numbers or booleans."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
