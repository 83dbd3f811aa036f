"""The MCP server for Slack: https://github.com/korotovsky/slack-mcp-server, unchanged.

A process of this server supports one transport, so there are two Container Apps. One app with two containers
would not work: the ingress of an app has one HTTP port, and built-in authentication does not check additional
ports, which are TCP ports.
"""

import re

from configuration.container import Container, Paths, Process
from configuration.preset import Credential, Limit, Preset
from configuration.setting import Boolean, Secret, TextList
from configuration.tool_rule import OTHER_TOOLS, ToolRule

VERSION = "v1.3.0"
"""The image's tag. The twin runs the npm package of the same version, see docs/adding-a-backend.md."""

REPOSITORY = "ghcr.io/korotovsky/slack-mcp-server"

# https://docs.slack.dev/authentication/tokens
_BOT_TOKEN = re.compile(r"xoxb-[A-Za-z0-9-]{10,200}", re.ASCII)

_PORT = 3001
_ENV = {
    "SLACK_MCP_HOST": "0.0.0.0",  # noqa: S104 -- in its own container; the default is 127.0.0.1
    "SLACK_MCP_PORT": str(_PORT),
    # Without this variable the server has no tool that posts messages.
    "SLACK_MCP_ADD_MESSAGE_TOOL": "true",
    # At the level `info`, the server logs the arguments of calls, which contain messages of users.
    "SLACK_MCP_LOG_LEVEL": "warn",
}


# The read-only tools. Every other tool counts as writing, including tools that a later version adds.
_READ_ONLY_TOOLS = (
    "channels_list",
    "channels_me",
    "conversations_history",
    "conversations_replies",
    "conversations_search_messages",
    "conversations_unreads",
    "usergroups_list",
    "users_search",
)
TOOLS = {
    **{name: ToolRule(scope="slack.read") for name in _READ_ONLY_TOOLS},
    OTHER_TOOLS: ToolRule(scope="slack.write"),
}


def _token_problem(value: str) -> str | None:
    return None if _BOT_TOKEN.fullmatch(value) else "Must be a bot token; bot tokens begin with xoxb-."


TOKEN = Credential(
    setting=Secret(
        key="slackBotToken",
        description=(
            "Bot User OAuth Token with which Slack's server acts, from OAuth & Permissions of a Slack app. "
            "With a user's token (xoxp-) all users would act as that user."
        ),
        limits="Begins with xoxb-. Required when `backends` has slack.",
        example="xoxb-...",
    ),
    variable="SLACK_MCP_XOXB_TOKEN",
    placeholder="xoxb-twin",
    problem=_token_problem,
)

_POSTING_VARIABLE = "SLACK_MCP_ADD_MESSAGE_TOOL"
POST_CHANNELS = Limit(
    setting=TextList(
        key="slackPostChannels",
        description="Channels to which Slack's server may post messages.",
        limits="Ids of channels, which Slack shows in their details. If empty, all channels of the bot.",
        default=(),
        example="C01234567",
    ),
    valid=re.compile(r"[CDG][A-Z0-9]{7,19}", re.ASCII),
    variables=lambda value: {_POSTING_VARIABLE: ",".join(value)} if value else {},
)
READ_ONLY = Limit(
    setting=Boolean(
        key="slackReadOnly",
        description="Disable the tool of Slack's server that posts messages.",
        default=False,
        example="true",
    ),
    variables=lambda value: {_POSTING_VARIABLE: None} if value else {},
)

PRESET = Preset(
    container=Container(
        name="slack",
        title="Slack",
        description="Channels, messages and people of a Slack workspace.",
        image=f"{REPOSITORY}:{VERSION}",
        port=_PORT,
        path="slack-mcp",
        paths=Paths(mcp="/mcp", sse="/sse", messages="/message"),
        # Both processes are stateful, so each has one replica: a replica keeps its event streams in memory,
        # and each replica must first read all users and channels of the workspace from Slack, which has rate
        # limits. The server has no health path.
        processes=(
            Process(transport="streamable-http", arguments=("--transport", "http"), env=_ENV),
            Process(transport="sse", arguments=("--transport", "sse"), env=_ENV),
        ),
        session_parameter="sessionId",
        scopes=("slack.read", "slack.write"),
        tools=TOOLS,
    ),
    credentials=(TOKEN,),
    limits=(POST_CHANNELS, READ_ONLY),
    remedy=(
        "The bot token must be valid and have the scopes that docs/deployment.md lists: "
        "`pulumi config set --secret slackBotToken`."
    ),
)
