"""The workspace of the stand-in for Slack: users, conversations, messages.

The workspace is kept in memory and initially has the content of `data.yaml`. A reset deletes the messages
that were posted since.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from twin import ago, initial_data
from twin.slack.errors import SlackError
from twin.slack.records import Channel, Message, Team, User

DATA = Path(__file__).with_name("data.yaml")
_MICROSECONDS = 1_000_000


class Workspace:
    """The data of one workspace.

    Args:
        now: returns the current time in POSIX seconds.
        data: the file with the initial data.
    """

    def __init__(self, now: Callable[[], float], *, data: Path = DATA) -> None:
        self.now = now
        self._data: Mapping[str, Any] = initial_data.read(data)
        self.reset()

    def reset(self) -> None:
        """Restores the initial data, with times relative to now."""
        data = self._data
        self.started = self.now()
        self.team = Team(**data["team"])
        self.bot = User(**data["bot"])
        self.users = {user["id"]: User(**user) for user in data["users"]} | {self.bot.id: self.bot}
        self._ids = {user.name: user.id for user in self.users.values()}
        self.channels = {channel.id: channel for channel in self._read_channels()}
        self._messages: dict[str, list[Message]] = {id_: [] for id_ in self.channels}
        self._last = 0
        for name, messages in data["messages"].items():
            channel = self.channel(name)
            for record in messages:
                self._read_message(channel, record, None)
        for messages in self._messages.values():
            messages.sort(key=lambda message: message.ts)

    def channel(self, name_or_id: str) -> Channel:
        """Finds a conversation by its id, name or `#name`, or a direct message by the user's id or `@name`.

        Raises:
            SlackError: it does not exist.
        """
        if name_or_id in self.channels:
            return self.channels[name_or_id]
        user = self._ids.get(name_or_id.removeprefix("@"), name_or_id)
        for channel in self.channels.values():
            if channel.user is None and channel.name == name_or_id.removeprefix("#"):
                return channel
            if channel.user is not None and channel.user == user:
                return channel
        raise SlackError("channel_not_found")

    def readable(self, name_or_id: str) -> Channel:
        """Finds a conversation of which the bot is a member.

        Raises:
            SlackError: it does not exist, or the bot is not a member.
        """
        channel = self.channel(name_or_id)
        if self.bot.id not in channel.members:
            raise SlackError("channel_not_found" if channel.private else "not_in_channel")
        return channel

    def user(self, user_id: str) -> User:
        """Finds a user by id.

        Raises:
            SlackError: the user does not exist.
        """
        if user_id not in self.users:
            raise SlackError("user_not_found")
        return self.users[user_id]

    def history(self, channel: Channel) -> Iterator[Message]:
        """The messages of a channel without replies in threads, newest first."""
        return (
            message
            for message in reversed(self._messages[channel.id])
            if message.thread_ts in {None, message.ts}
        )

    def thread(self, channel: Channel, ts: str) -> list[Message]:
        """A message and the replies to it, oldest first.

        Raises:
            SlackError: the message does not exist.
        """
        first = self.message(channel, ts)
        replies = [
            message
            for message in self._messages[channel.id]
            if message.thread_ts == first.ts and message is not first
        ]
        return [first, *replies]

    def message(self, channel: Channel, ts: str, *, missing: str = "thread_not_found") -> Message:
        """Finds a message of a channel.

        Raises:
            SlackError: the message does not exist; `missing` is the code of the error.
        """
        for message in self._messages[channel.id]:
            if message.ts == ts:
                return message
        raise SlackError(missing)

    def post(
        self, channel: Channel, text: str, *, thread_ts: str | None = None, blocks: Iterable[Any] = ()
    ) -> Message:
        """Posts a message as the bot.

        Raises:
            SlackError: the channel is archived, or the thread does not exist.
        """
        if channel.archived:
            raise SlackError("is_archived")
        parent_user = None
        if thread_ts is not None:
            target = self.message(channel, thread_ts)
            thread_ts = target.thread_ts = target.thread_ts or target.ts
            parent_user = self.message(channel, thread_ts).user
        message = Message(
            ts=self._new_ts(self.now()),
            user=self.bot.id,
            text=text,
            thread_ts=thread_ts,
            parent_user=parent_user,
            blocks=list(blocks),
        )
        self._messages[channel.id].append(message)
        return message

    def _new_ts(self, time: float) -> str:
        """A new timestamp `seconds.microseconds`, always later than the previous one."""
        self._last = max(self._last + 1, int(time * _MICROSECONDS))
        return f"{self._last // _MICROSECONDS}.{self._last % _MICROSECONDS:06d}"

    def _read_channels(self) -> Iterator[Channel]:
        for channel in self._data["channels"]:
            members = tuple(self._ids[name] for name in channel["members"])
            yield Channel(**(channel | {"members": members}))
        for channel in self._data["direct"]:
            user = self._ids[channel["user"]]
            yield Channel(
                id=channel["id"],
                name=f"@{channel['user']}",
                user=user,
                members=(user, self.bot.id),
                private=True,
            )

    def _read_message(self, channel: Channel, data: Mapping[str, Any], parent: Message | None) -> None:
        # The file is not ordered by time, so a message may be older than the previous one. In each channel,
        # all times differ.
        self._last = 0
        message = Message(
            ts=self._new_ts(self.started - ago.seconds(data["ago"])),
            user=self._ids[data["from"]],
            text=data["text"],
            thread_ts=parent.ts if parent else None,
            parent_user=parent.user if parent else None,
            reactions={
                emoji: [self._ids[name] for name in names]
                for emoji, names in data.get("reactions", {}).items()
            },
        )
        self._messages[channel.id].append(message)
        for reply in data.get("replies", ()):
            message.thread_ts = message.ts
            self._read_message(channel, reply, message)
