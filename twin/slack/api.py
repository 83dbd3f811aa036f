"""The supported methods of the Web API (https://docs.slack.dev/reference/methods)."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from twin.slack import serializer
from twin.slack.errors import SlackError
from twin.slack.records import Channel, Message
from twin.slack.store import Workspace

Method = Callable[[Workspace, Mapping[str, str]], dict[str, Any]]
Item = TypeVar("Item")

METHODS: dict[str, Method] = {}


def _method(name: str) -> Callable[[Method], Method]:
    def add(method: Method) -> Method:
        METHODS[name] = method
        return method

    return add


@_method("auth.test")
def auth_test(workspace: Workspace, _params: Mapping[str, str]) -> dict[str, Any]:
    """The user of the token."""
    team, bot = workspace.team, workspace.bot
    return {
        "url": f"https://{team.domain}.slack.com/",
        "team": team.name,
        "user": bot.name,
        "team_id": team.id,
        "user_id": bot.id,
        "bot_id": bot.bot_id,
        "is_enterprise_install": False,
    }


@_method("client.userBoot")
def client_user_boot(workspace: Workspace, _params: Mapping[str, str]) -> dict[str, Any]:
    """The data that Slack's web client loads when it starts; an undocumented method."""
    team, bot = workspace.team, workspace.bot
    direct = [channel for channel in workspace.channels.values() if channel.user is not None]
    return {
        "self": {"id": bot.id, "name": bot.name, "real_name": bot.real_name},
        "team": {"id": team.id, "name": team.name, "domain": team.domain},
        "ims": [{"id": channel.id, "user": channel.user, "is_shared": False} for channel in direct],
        "workspaces": [],
        "is_open": [channel.id for channel in direct],
        "channels": [],
        "starred": [],
        "prefs": {},
    }


@_method("users.list")
def users_list(workspace: Workspace, params: Mapping[str, str]) -> dict[str, Any]:
    """All users."""
    users, cursor = _page(list(workspace.users.values()), params, default=1000)
    return {"members": [serializer.user(user, workspace.team.id) for user in users]} | cursor


@_method("users.info")
def users_info(workspace: Workspace, params: Mapping[str, str]) -> dict[str, Any]:
    """The user in `user`, or the users in the undocumented, comma-separated parameter `users`."""
    if params.get("users"):
        users = [workspace.user(id_) for id_ in params["users"].split(",")]
        return {"users": [serializer.user(user, workspace.team.id) for user in users]}
    return {"user": serializer.user(workspace.user(params.get("user", "")), workspace.team.id)}


@_method("conversations.list")
def conversations_list(workspace: Workspace, params: Mapping[str, str]) -> dict[str, Any]:
    """Conversations of the requested types; private ones only if the bot is a member."""
    return _conversations(workspace, params, lambda channel: workspace.bot.id in channel.members)


@_method("users.conversations")
def users_conversations(workspace: Workspace, params: Mapping[str, str]) -> dict[str, Any]:
    """Conversations of a user, by default the bot."""
    person = workspace.user(params.get("user") or workspace.bot.id).id
    return _conversations(workspace, params, lambda channel: person in channel.members, public=False)


@_method("conversations.info")
def conversations_info(workspace: Workspace, params: Mapping[str, str]) -> dict[str, Any]:
    """One conversation, with the timestamp of the last message that the bot has read."""
    channel = workspace.channel(params.get("channel", ""))
    newest = next(workspace.history(channel), None)
    latest = {"latest": serializer.message(newest, workspace)} if newest else {}
    return {
        "channel": {**serializer.channel(channel, workspace), "last_read": channel.last_read, **latest},
    }


@_method("conversations.history")
def conversations_history(workspace: Workspace, params: Mapping[str, str]) -> dict[str, Any]:
    """The messages of a conversation, newest first."""
    channel = workspace.readable(params.get("channel", ""))
    between = [message for message in workspace.history(channel) if _within(message, params)]
    messages, cursor = _page(between, params, default=100)
    return {
        "messages": [_with_replies(workspace, channel, message) for message in messages],
        "has_more": bool(cursor["response_metadata"]["next_cursor"]),
        "pin_count": 0,
    } | cursor


@_method("conversations.replies")
def conversations_replies(workspace: Workspace, params: Mapping[str, str]) -> dict[str, Any]:
    """A thread: its first message, then the replies, oldest first."""
    channel = workspace.readable(params.get("channel", ""))
    first, *replies = workspace.thread(channel, params.get("ts", ""))
    messages, cursor = _page(
        [first, *filter(lambda reply: _within(reply, params), replies)], params, default=1000
    )
    return {
        "messages": [
            _with_replies(workspace, channel, message)
            if message is first
            else serializer.message(message, workspace)
            for message in messages
        ],
        "has_more": bool(cursor["response_metadata"]["next_cursor"]),
    } | cursor


@_method("chat.postMessage")
def chat_post_message(workspace: Workspace, params: Mapping[str, str]) -> dict[str, Any]:
    """Posts a message as the bot."""
    channel = workspace.readable(params.get("channel", ""))
    blocks = _json_list(params.get("blocks", ""))
    text = params.get("text", "") or serializer.text_of(blocks)
    if not text:
        raise SlackError("no_text")
    message = workspace.post(channel, text, thread_ts=params.get("thread_ts") or None, blocks=blocks)
    return {"channel": channel.id, "ts": message.ts, "message": serializer.message(message, workspace)}


def _conversations(
    workspace: Workspace, params: Mapping[str, str], is_in: Callable[[Channel], bool], *, public: bool = True
) -> dict[str, Any]:
    types = set(_names(params.get("types", "public_channel")))
    wanted = [
        channel
        for channel in workspace.channels.values()
        if _type(channel) in types
        and (is_in(channel) or (public and not channel.private))
        and not (channel.archived and params.get("exclude_archived") in {"1", "true"})
    ]
    channels, cursor = _page(wanted, params, default=100)
    return {"channels": [serializer.channel(channel, workspace) for channel in channels]} | cursor


def _type(channel: Channel) -> str:
    if channel.user is not None:
        return "im"
    return "private_channel" if channel.private else "public_channel"


def _with_replies(workspace: Workspace, channel: Channel, message: Message) -> dict[str, Any]:
    _, *replies = workspace.thread(channel, message.ts)
    return serializer.message(message, workspace, replies=replies)


def _within(message: Message, params: Mapping[str, str]) -> bool:
    """Whether a message is between `oldest` and `latest`, both exclusive unless `inclusive` is set."""
    inclusive = params.get("inclusive") in {"1", "true"}
    ts = float(message.ts)
    oldest, latest = _timestamp(params, "oldest", 0.0), _timestamp(params, "latest", float("inf"))
    return oldest <= ts <= latest if inclusive else oldest < ts < latest


def _timestamp(params: Mapping[str, str], name: str, default: float) -> float:
    value = params.get(name)
    if not value:
        return default
    try:
        return float(value)
    except ValueError:
        raise SlackError(f"invalid_ts_{name}") from None


def _page(
    items: Sequence[Item], params: Mapping[str, str], *, default: int
) -> tuple[Sequence[Item], dict[str, Any]]:
    """One page (https://docs.slack.dev/apis/web-api/pagination) and the cursor of the next one."""
    try:
        limit = int(params.get("limit") or default)
        start = int(base64.b64decode(params["cursor"]).removeprefix(b"next:")) if params.get("cursor") else 0
    except ValueError:
        raise SlackError("invalid_cursor" if params.get("cursor") else "invalid_limit") from None
    end = start + max(1, min(limit, 1000))
    cursor = base64.b64encode(b"next:%d" % end).decode() if end < len(items) else ""
    return items[start:end], {"response_metadata": {"next_cursor": cursor}}


def _names(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _json_list(text: str) -> list[Any]:
    try:
        value = json.loads(text or "[]")
    except ValueError:
        raise SlackError("invalid_blocks_format") from None
    if not isinstance(value, list):
        raise SlackError("invalid_blocks_format")
    return value
