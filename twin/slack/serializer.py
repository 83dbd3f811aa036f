"""Converts records to the JSON of the Web API."""

from typing import Any

from twin.slack.records import Channel, Message, User
from twin.slack.store import Workspace


def user(record: User, team_id: str) -> dict[str, Any]:
    """A `user` object (https://docs.slack.dev/reference/objects/user-object)."""
    first, _, last = record.real_name.partition(" ")
    return {
        "id": record.id,
        "team_id": team_id,
        "name": record.name,
        "deleted": record.deleted,
        "real_name": record.real_name,
        "tz": record.tz,
        "profile": {
            "title": record.title,
            "real_name": record.real_name,
            "real_name_normalized": record.real_name,
            "display_name": record.name,
            "display_name_normalized": record.name,
            "first_name": first,
            "last_name": last,
            "email": f"{record.name}@fairlight-buoys.example",
            "team": team_id,
            "status_text": "",
            "status_emoji": "",
            **({"bot_id": record.bot_id} if record.bot_id else {}),
        },
        "is_admin": False,
        "is_bot": record.bot_id is not None,
        "is_app_user": False,
        "updated": 1_700_000_000,
    }


def channel(record: Channel, workspace: Workspace) -> dict[str, Any]:
    """A `conversation` object (https://docs.slack.dev/reference/objects/conversation-object)."""
    created = int(workspace.started) - 400 * 86_400
    common = {
        "id": record.id,
        "created": created,
        "is_archived": record.archived,
        "is_org_shared": False,
        "updated": created * 1000,
        "context_team_id": workspace.team.id,
    }
    if record.user is not None:
        return {**common, "is_im": True, "user": record.user, "is_user_deleted": False, "priority": 0}
    return {
        **common,
        "name": record.name,
        "name_normalized": record.name,
        "is_channel": True,
        "is_group": False,
        "is_im": False,
        "is_mpim": False,
        "is_private": record.private,
        "is_general": record.general,
        "is_shared": False,
        "is_ext_shared": False,
        "is_member": workspace.bot.id in record.members,
        "creator": record.members[0],
        "topic": {"value": record.topic, "creator": record.members[0], "last_set": created},
        "purpose": {"value": record.purpose, "creator": record.members[0], "last_set": created},
        "num_members": len(record.members),
    }


def message(record: Message, workspace: Workspace, *, replies: list[Message] | None = None) -> dict[str, Any]:
    """A message (https://docs.slack.dev/messaging).

    Args:
        record: the message.
        workspace: the workspace of the message.
        replies: the replies to the message, if it is the first of a thread; the result contains their number.
    """
    author = workspace.users[record.user]
    written: dict[str, Any] = {
        "type": "message",
        "user": record.user,
        "text": record.text,
        "ts": record.ts,
        "team": workspace.team.id,
    }
    if author.bot_id is not None:
        written["bot_id"] = author.bot_id
        written["bot_profile"] = {"id": author.bot_id, "name": author.name, "team_id": workspace.team.id}
    if record.blocks:
        written["blocks"] = record.blocks
    if record.reactions:
        written["reactions"] = [
            {"name": name, "users": users, "count": len(users)} for name, users in record.reactions.items()
        ]
    if record.thread_ts is not None:
        written["thread_ts"] = record.thread_ts
    if record.parent_user is not None:
        written["parent_user_id"] = record.parent_user
    if replies:
        written |= {
            "reply_count": len(replies),
            "reply_users": list(dict.fromkeys(reply.user for reply in replies)),
            "latest_reply": replies[-1].ts,
        }
    return written


def text_of(blocks: list[Any]) -> str:
    """The plain text of Block Kit blocks, one line for each block."""
    return "\n".join(filter(None, (_text(block).strip() for block in blocks)))


def _text(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, list):
        return "".join(_text(element) for element in part)
    if not isinstance(part, dict):
        return ""
    if part.get("type") == "link":
        return str(part.get("text") or part.get("url", ""))
    if part.get("type") == "rich_text_list":
        return "".join(f"- {_text(element)}\n" for element in part.get("elements", ()))
    return "".join(_text(part[name]) for name in ("text", "elements", "fields") if name in part)
