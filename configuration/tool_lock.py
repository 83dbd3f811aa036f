"""The reviewed tools of MCP servers in the file tools.lock.json, whose changes are reviewed in pull requests.

`make lock-tools` writes the file. Names, titles and descriptions are readable, because they influence models
and people must review them; of schemas and annotations the file has a digest.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE_NAME = "tools.lock.json"
"""The name of the file, which is in the folder of the project."""

PATH = Path(__file__).resolve().parent.parent / FILE_NAME


class ToolLockError(Exception):
    """The file cannot be used; the message has the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedTool:
    """A tool as it was reviewed.

    Attributes:
        title: title of the tool; empty for none.
        description: description of the tool; empty for none.
        digest: `sha256:` and the SHA-256 of the canonical JSON (RFC 8785) of its input schema, output schema
            and annotations, in hexadecimal digits.
    """

    title: str
    description: str
    digest: str

    @property
    def text_digest(self) -> str:
        """The SHA-256 of title and description, which the gateway compares; base64url without padding."""
        text = f"{self.title}\n{self.description}".encode(errors="replace")
        return base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()


Tools = Mapping[str, LockedTool]
"""The tools of a server, by name."""


def load(path: Path = PATH) -> Mapping[str, Tools]:
    """The tools of each server, by the name of the server; empty if the file does not exist.

    Raises:
        ToolLockError: the file does not have the format that `make lock-tools` writes.
    """
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique)
        return {
            server: {name: _tool(entry) for name, entry in tools.items()}
            for server, tools in document["servers"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ToolLockError(
            f"{path.name} cannot be read ({type(error).__name__}: {error}). Restore it from version control, "
            "or delete it and run `make lock-tools`."
        ) from error


def dump(servers: Mapping[str, Tools]) -> str:
    """The content of the file for these tools, independent of the order in which servers list them.

    Characters beyond ASCII are escaped, so that a review shows characters that are invisible or change the
    direction of text.
    """
    document = {
        "servers": {
            server: {name: _entry(tool) for name, tool in sorted(servers[server].items())}
            for server in sorted(servers)
        }
    }
    return json.dumps(document, indent=2) + "\n"


def _entry(tool: LockedTool) -> dict[str, Any]:
    """A tool in the file. Each line of its description is a line of the file."""
    title = {"title": tool.title} if tool.title else {}
    return {**title, "description": tool.description.split("\n"), "digest": tool.digest}


def _tool(entry: Mapping[str, Any]) -> LockedTool:
    title, lines, digest = entry.get("title", ""), entry["description"], entry["digest"]
    if not isinstance(title, str) or not isinstance(digest, str) or not _is_text(lines):
        raise TypeError("a tool needs 'description', a list of lines, and 'digest'")
    return LockedTool(title=title, description="\n".join(lines), digest=digest)


def _is_text(lines: object) -> bool:
    return isinstance(lines, list) and all(isinstance(line, str) for line in lines)


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object in the file. A name that occurs twice, for example after a wrong merge, is an error."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice")
    return members
