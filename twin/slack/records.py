"""The parts of a Slack workspace."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A member of the workspace; `bot_id` is None for people."""

    id: str
    name: str
    real_name: str
    title: str = ""
    tz: str = "Etc/UTC"
    deleted: bool = False
    bot_id: str | None = None


@dataclass(slots=True, kw_only=True)
class Channel:
    """A conversation; `user` is the other user of a direct message, else None. Members are user ids."""

    id: str
    name: str
    topic: str = ""
    purpose: str = ""
    members: tuple[str, ...] = ()
    private: bool = False
    archived: bool = False
    general: bool = False
    user: str | None = None
    last_read: str = "0000000000.000000"


@dataclass(slots=True, kw_only=True)
class Message:
    """A message; `ts` identifies it in its channel, `thread_ts` the first message of its thread, if any."""

    ts: str
    user: str
    text: str
    thread_ts: str | None = None
    blocks: list[Any] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """The workspace itself."""

    id: str
    name: str
    domain: str
