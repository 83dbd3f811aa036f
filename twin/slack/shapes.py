"""The JSON of records in the Web API."""

from typing import Any

from twin.slack.records import Channel, Message, User
from twin.slack.store import Workspace


def user(each: User, team_id: str) -> dict[str, Any]:
    """A `user` object (https://docs.slack.dev/reference/objects/user-object)."""
    first, _, last = each.real_name.partition(" ")
    return {
        "id": each.id,
        "team_id": team_id,
        "name": each.name,
        "deleted": each.deleted,
        "real_name": each.real_name,
        "tz": each.tz,
        "profile": {
            "title": each.title,
            "real_name": each.real_name,
            "real_name_normalized": each.real_name,
            "display_name": each.name,
            "display_name_normalized": each.name,
            "first_name": first,
            "last_name": last,
            "email": f"{each.name}@fairlight-buoys.example",
            "team": team_id,
            "status_text": "",
            "status_emoji": "",
            **({"bot_id": each.bot_id} if each.bot_id else {}),
        },
        "is_admin": False,
        "is_bot": each.bot_id is not None,
        "is_app_user": False,
        "updated": 1_700_000_000,
    }


def channel(each: Channel, workspace: Workspace) -> dict[str, Any]:
    """A `conversation` object (https://docs.slack.dev/reference/objects/conversation-object)."""
    created = int(workspace.started) - 400 * 86_400
    common = {
        "id": each.id,
        "created": created,
        "is_archived": each.archived,
        "is_org_shared": False,
        "updated": created * 1000,
        "context_team_id": workspace.team.id,
    }
    if each.user is not None:
        return {**common, "is_im": True, "user": each.user, "is_user_deleted": False, "priority": 0}
    return {
        **common,
        "name": each.name,
        "name_normalized": each.name,
        "is_channel": True,
        "is_group": False,
        "is_im": False,
        "is_mpim": False,
        "is_private": each.private,
        "is_general": each.general,
        "is_shared": False,
        "is_ext_shared": False,
        "is_member": workspace.bot.id in each.members,
        "creator": each.members[0],
        "topic": {"value": each.topic, "creator": each.members[0], "last_set": created},
        "purpose": {"value": each.purpose, "creator": each.members[0], "last_set": created},
        "num_members": len(each.members),
    }


def message(each: Message, workspace: Workspace, *, replies: list[Message] | None = None) -> dict[str, Any]:
    """A message (https://docs.slack.dev/messaging); the first message of a thread has counts of `replies`."""
    author = workspace.users[each.user]
    written: dict[str, Any] = {
        "type": "message",
        "user": each.user,
        "text": each.text,
        "ts": each.ts,
        "team": workspace.team.id,
    }
    if author.bot_id is not None:
        written["bot_id"] = author.bot_id
        written["bot_profile"] = {"id": author.bot_id, "name": author.name, "team_id": workspace.team.id}
    if each.blocks:
        written["blocks"] = each.blocks
    if each.reactions:
        written["reactions"] = [
            {"name": name, "users": users, "count": len(users)} for name, users in each.reactions.items()
        ]
    if each.thread_ts is not None:
        written["thread_ts"] = each.thread_ts
        if each.thread_ts != each.ts:
            written["parent_user_id"] = ""
    if replies:
        written |= {
            "reply_count": len(replies),
            "reply_users": list(dict.fromkeys(reply.user for reply in replies)),
            "latest_reply": replies[-1].ts,
        }
    return written


def text_of(blocks: list[Any]) -> str:
    """The plain text of Block Kit blocks, one line for each, for places that do not show blocks."""
    return "\n".join(filter(None, (_text(block).strip() for block in blocks)))


def _text(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, list):
        return "".join(_text(each) for each in part)
    if not isinstance(part, dict):
        return ""
    if part.get("type") == "link":
        return str(part.get("text") or part.get("url", ""))
    if part.get("type") == "rich_text_list":
        return "".join(f"- {_text(each)}\n" for each in part.get("elements", ()))
    return "".join(_text(part[name]) for name in ("text", "elements", "fields") if name in part)
