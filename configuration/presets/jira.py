"""The MCP server for Jira: https://github.com/sooperset/mcp-atlassian, unchanged.

A process of this server supports one transport, so there are two Container Apps. One app with two containers
would not work: the ingress of an app has one HTTP port, and built-in authentication does not check additional
ports, which are TCP ports.
"""

import re
from urllib.parse import urlsplit

from configuration.container import Container, Paths, Process
from configuration.preset import Credential, Limit, Preset
from configuration.setting import Boolean, Secret, Text, TextList
from configuration.tool_rule import OTHER_TOOLS, ToolRule

VERSION = "0.23.1"
"""The image's tag. The twin runs the PyPI package of the same version, see docs/adding-a-backend.md."""

REPOSITORY = "ghcr.io/sooperset/mcp-atlassian"

_PATH = "jira-mcp"
_MESSAGES = f"/{_PATH}/messages/"
_PORT = 8000
_ENV = {
    "HOST": "0.0.0.0",  # noqa: S104 -- in its own container
    "PORT": str(_PORT),
    "TOOLSETS": "all",
    # Otherwise the server would use the token of its caller, which is the gateway's, as a token for Jira and
    # send it there.
    "IGNORE_HEADER_AUTH": "true",
    # Required with IGNORE_HEADER_AUTH; otherwise the server rejects every call.
    "ALLOW_GLOBAL_CRED_FALLBACK": "true",
    "FASTMCP_CHECK_FOR_UPDATES": "off",
    "FASTMCP_SHOW_SERVER_BANNER": "false",
}
_STREAMABLE = {"TRANSPORT": "streamable-http", "STREAMABLE_HTTP_PATH": "/mcp", "STATELESS": "true"}
_MESSAGE_VARIABLE = "FASTMCP_MESSAGE_PATH"
# STATELESS is not set, because a process with STATELESS and this transport exits.
_LEGACY = {"TRANSPORT": "sse", _MESSAGE_VARIABLE: _MESSAGES}


# The tools that the server itself marks as read-only (the tag `read`). Every other tool counts as writing,
# including tools that a later version adds.
_READ_ONLY_TOOLS = (
    "jira_batch_get_changelogs",
    "jira_download_attachments",
    "jira_get_agile_boards",
    "jira_get_all_projects",
    "jira_get_board_issues",
    "jira_get_create_fields",
    "jira_get_cross_project_dependencies",
    "jira_get_field_options",
    "jira_get_issue",
    "jira_get_issue_dates",
    "jira_get_issue_development_info",
    "jira_get_issue_images",
    "jira_get_issue_proforma_forms",
    "jira_get_issue_sla",
    "jira_get_issue_watchers",
    "jira_get_issues_development_info",
    "jira_get_link_types",
    "jira_get_proforma_form_details",
    "jira_get_project_components",
    "jira_get_project_epic_hierarchy",
    "jira_get_project_fields",
    "jira_get_project_issue_types",
    "jira_get_project_issues",
    "jira_get_project_versions",
    "jira_get_queue_issues",
    "jira_get_request_type_fields",
    "jira_get_request_types",
    "jira_get_service_desk_for_project",
    "jira_get_service_desk_queues",
    "jira_get_sprint_issues",
    "jira_get_sprints_from_board",
    "jira_get_transitions",
    "jira_get_user_profile",
    "jira_get_worklog",
    "jira_search",
    "jira_search_assignable_users",
    "jira_search_fields",
    "jira_search_projects",
)
TOOLS = {
    **{name: ToolRule(scope="jira.read") for name in _READ_ONLY_TOOLS},
    OTHER_TOOLS: ToolRule(scope="jira.write"),
}


def _url_problem(value: str) -> str | None:
    return None if _is_https(value) else f"'{value}' is not an https URL without a query and a fragment."


def _username_problem(value: str) -> str | None:
    if value.isprintable() and len(value) <= 254:  # noqa: PLR2004 -- RFC 3696, an address's length
        return None
    return "Must be an e-mail address or a user name of at most 254 printable characters."


def _token_problem(value: str) -> str | None:
    if re.fullmatch(r"[!-~]{8,1024}", value):
        return None
    return "Must be a token of 8 to 1024 printable ASCII characters without spaces."


def _is_https(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return (
        text.isprintable()  # `urlsplit` drops line breaks
        and parts.scheme == "https"
        and bool(re.fullmatch(r"[A-Za-z0-9.-]+", parts.hostname or "", re.ASCII))
        and "@" not in parts.netloc
        and bool(re.fullmatch(r"[A-Za-z0-9/._~-]*", parts.path, re.ASCII))
        and not set(text) & set("?#")
    )


URL = Credential(
    setting=Text(
        key="jiraUrl",
        description="URL of Jira. The API token is sent there.",
        limits="https, a host and an optional path. Required when `backends` has jira.",
        default="",
        example="https://example.atlassian.net",
    ),
    variable="JIRA_URL",
    placeholder="https://jira.example",
    problem=_url_problem,
    trailing="/",
)
USERNAME = Credential(
    setting=Text(
        key="jiraUsername",
        description="E-mail address of the account whose API token is jiraApiToken.",
        limits="At most 254 printable characters. Required when `backends` has jira.",
        default="",
        example="you@example.com",
    ),
    variable="JIRA_USERNAME",
    placeholder="twin@example.com",
    problem=_username_problem,
)
TOKEN = Credential(
    setting=Secret(
        key="jiraApiToken",
        description="API token with which Jira's server acts, from id.atlassian.com, Security, API tokens.",
        limits="8 to 1024 printable characters. Required when `backends` has jira.",
        example="ATATT...",
    ),
    variable="JIRA_API_TOKEN",
    placeholder="twin",
    problem=_token_problem,
)

READ_ONLY = Limit(
    setting=Boolean(
        key="jiraReadOnly",
        description="Disable the tools of Jira's server that change data.",
        default=False,
        example="true",
    ),
    variables=lambda value: {"READ_ONLY_MODE": "true"} if value else {},
)
PROJECTS = Limit(
    setting=TextList(
        key="jiraProjects",
        description=(
            "Keys of the projects that Jira's server finds in searches. Its other tools can read everything "
            "that the account may read: limit the account's rights in Jira."
        ),
        limits="If empty, all projects of the account.",
        default=(),
        example="SUPPORT",
    ),
    valid=re.compile(r"[A-Z][A-Z0-9_]{1,19}", re.ASCII),
    variables=lambda value: (
        {"JIRA_PROJECTS_FILTER": ",".join(value)} if isinstance(value, tuple) and value else {}
    ),
)

PRESET = Preset(
    container=Container(
        name="jira",
        title="Jira",
        description="Issues, projects, boards and sprints of a Jira site.",
        image=f"{REPOSITORY}:{VERSION}",
        port=_PORT,
        path=_PATH,
        paths=Paths(mcp="/mcp", sse="/sse", messages=_MESSAGES),
        processes=(
            # Stateless: there are no sessions, so every replica can handle every request.
            Process(transport="streamable-http", env={**_ENV, **_STREAMABLE}, max_replicas=5),
            # Stateful: with one replica, a message always reaches the replica with its event stream.
            Process(transport="sse", env={**_ENV, **_LEGACY}),
        ),
        message_variable=_MESSAGE_VARIABLE,
        session_parameter="session_id",
        health="/healthz",
        scopes=("jira.read", "jira.write"),
        tools=TOOLS,
    ),
    credentials=(URL, USERNAME, TOKEN),
    limits=(READ_ONLY, PROJECTS),
    remedy=(
        "jiraUrl, jiraUsername and jiraApiToken must belong together: "
        "`pulumi config set --secret jiraApiToken`."
    ),
)
