"""The records of a Slack workspace."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A member of the workspace; `bot_id` is None for human users."""

    id: str
    name: str
    real_name: str
    title: str = ""
    tz: str = "Etc/UTC"
    deleted: bool = False
    bot_id: str | None = None


@dataclass(slots=True, kw_only=True)
class Channel:
    """A conversation.

    Attributes:
        members: ids of users.
        user: id of the other user in a direct message; None for channels.
        last_read: timestamp of the last message that the bot has read.
    """

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
    """A message.

    Attributes:
        ts: timestamp, which identifies the message in its channel.
        user: id of its author.
        thread_ts: `ts` of the first message of its thread; None outside threads.
        parent_user: id of the author of the first message of its thread; None if this is not a reply.
        blocks: its Block Kit blocks.
        reactions: ids of users by the name of the emoji.
    """

    ts: str
    user: str
    text: str
    thread_ts: str | None = None
    parent_user: str | None = None
    blocks: list[Any] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """The workspace."""

    id: str
    name: str
    domain: str
