"""The settings of agents and discovery: the Foundry project, GitHub's server, the registry, API Center."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from configuration.origin import LOOPBACK
from configuration.reader import Reader
from configuration.setting import Boolean, Choice, Secret, Setting, Text

_GROUP = r"/subscriptions/(?P<subscription>[0-9a-fA-F-]{36})/resourceGroups/(?P<group>[^/]{1,90})/providers/"
_PROJECT_ID = re.compile(
    rf"{_GROUP}Microsoft\.CognitiveServices/accounts/(?P<account>[A-Za-z0-9._-]{{2,64}})"
    r"/projects/(?P<project>[A-Za-z0-9._-]{2,64})",
    re.ASCII | re.IGNORECASE,
)
_SERVICE_ID = re.compile(
    rf"{_GROUP}Microsoft\.ApiCenter/services/(?P<service>[A-Za-z0-9-]{{3,90}})", re.ASCII | re.IGNORECASE
)
_EXAMPLE_GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/agents/providers"

GITHUB = "https://api.githubcopilot.com/mcp/"
"""GitHub's own hosted MCP server."""


def _url_problem(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        host = None
    secure = host and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))
    # `urlsplit` drops line breaks and tabs.
    plain = value.isascii() and value.isprintable() and " " not in value
    if secure and plain and not (parts.query or parts.fragment or parts.username):
        return None
    return f"'{value}' is not an https URL without a query."


FOUNDRY_PROJECT = Text(
    key="foundryProject",
    description=(
        "Resource id of the Microsoft Foundry project whose agents use the MCP servers. With `githubToken` "
        "the connection `github-mcp` is created in it."
    ),
    limits="`/subscriptions/.../providers/Microsoft.CognitiveServices/accounts/<account>/projects/<project>`.",
    default="",
    example=f"{_EXAMPLE_GROUP}/Microsoft.CognitiveServices/accounts/agents/projects/demo",
    problem=lambda value: None if _PROJECT_ID.fullmatch(value) else f"'{value}' is not a project's id.",
)
FOUNDRY_ENDPOINT = Text(
    key="foundryEndpoint",
    description=(
        "Endpoint of the Foundry project, if it is not "
        "`https://<account>.services.ai.azure.com/api/projects/<project>`."
    ),
    limits="An https URL, as the project's overview shows it.",
    default="",
    example="https://agents.services.ai.azure.com/api/projects/demo",
    problem=_url_problem,
)
FOUNDRY_MODEL = Text(
    key="foundryModel",
    description="Name of the model deployment in the Foundry project that the demo agent uses.",
    limits="Printable ASCII characters without spaces.",
    default="gpt-5-mini",
    example="gpt-5-mini",
    problem=lambda value: None if re.fullmatch(r"[!-~]+", value) else f"'{value}' has other characters.",
)
GITHUB_URL = Text(
    key="githubUrl",
    description="URL of GitHub's hosted MCP server; GitHub Enterprise with data residency has its own.",
    limits="An https URL.",
    default=GITHUB,
    example=GITHUB,
    problem=_url_problem,
)
GITHUB_TOKEN = Secret(
    key="githubToken",
    description=(
        "Token of GitHub with which all users of the Foundry project's agents act at GitHub's server. "
        "Everyone who may read the project's connections can read it: give it few permissions."
    ),
    limits="A fine-grained or classic personal access token. Needs `foundryProject`.",
    example="github_pat_...",
)
GITHUB_SIGN_IN = Choice(
    key="githubSignIn",
    description=(
        "How the Foundry project's agents sign in to GitHub's server: with `token` all use `githubToken`; "
        "with `user` each user signs in at GitHub, by the OAuth app that Microsoft manages (OAuth identity "
        "passthrough), and no token is stored in the stack."
    ),
    limits="`user` needs `foundryProject`, GitHub's own server in `githubUrl`, and no `githubToken`.",
    choices=("token", "user"),
    default="token",
    example="user",
)
REGISTRY = Boolean(
    key="registry",
    description=(
        "Publish the list of MCP servers as an MCP registry at `/v0.1/servers` of the gateway, without a "
        "sign-in."
    ),
    default=True,
    example="false",
)
API_CENTER = Text(
    key="apiCenter",
    description="Resource id of the Azure API Center in whose default workspace the MCP servers are listed.",
    limits="`/subscriptions/.../providers/Microsoft.ApiCenter/services/<name>`.",
    default="",
    example=f"{_EXAMPLE_GROUP}/Microsoft.ApiCenter/services/catalog",
    problem=lambda value: None if _SERVICE_ID.fullmatch(value) else f"'{value}' is not an API Center's id.",
)

SETTINGS: tuple[Setting, ...] = (
    FOUNDRY_PROJECT,
    FOUNDRY_ENDPOINT,
    FOUNDRY_MODEL,
    GITHUB_URL,
    GITHUB_TOKEN,
    GITHUB_SIGN_IN,
    REGISTRY,
    API_CENTER,
)
"""The settings of this module, in the order of the documentation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundryProject:
    """A project of Microsoft Foundry, in which the stack creates connections.

    Attributes:
        resource_group: resource group of the project's account.
        account: name of the project's account.
        name: name of the project.
        github_token: token of the connection to GitHub's server, a secret; empty for none.
        github_users: True if each user signs in to GitHub.
    """

    resource_group: str
    account: str
    name: str
    github_token: str = field(repr=False)
    github_users: bool = False

    @property
    def connects_github(self) -> bool:
        """Whether the project has a connection to GitHub's server."""
        return bool(self.github_token) or self.github_users


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundry:
    """The Foundry project with the stack's agents.

    Attributes:
        endpoint: endpoint of the project, without a trailing slash.
        model: name of the model deployment.
        project: the project; None if only its endpoint is set, so that the stack creates nothing in it.
    """

    endpoint: str
    model: str
    project: FoundryProject | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCenter:
    """An API Center.

    Attributes:
        resource_group: resource group of the service.
        name: name of the service.
    """

    resource_group: str
    name: str


def read_foundry(reader: Reader, *, github: bool) -> Foundry | None:
    """Reads the settings of the Foundry project; None if the stack has no project.

    Args:
        reader: collects the problems.
        github: whether `backends` contains github.
    """
    id_, endpoint, model = (
        setting.read(reader) for setting in (FOUNDRY_PROJECT, FOUNDRY_ENDPOINT, FOUNDRY_MODEL)
    )
    token = GITHUB_TOKEN.read(reader)
    users = GITHUB_SIGN_IN.read(reader) == "user"
    if users:
        _check_user_sign_in(reader, id_, token)
    match = _PROJECT_ID.fullmatch(id_)
    if match is None:
        if token and not id_:
            wrong = "Requires foundryProject, which is not set, so no connection can be created."
            GITHUB_TOKEN.reject(reader, wrong, f"pulumi config rm {GITHUB_TOKEN.key}")
        return Foundry(endpoint=endpoint.rstrip("/"), model=model, project=None) if endpoint else None
    standard = f"https://{match['account']}.services.ai.azure.com/api/projects/{match['project']}"
    return Foundry(
        endpoint=(endpoint or standard).rstrip("/"),
        model=model,
        project=FoundryProject(
            resource_group=match["group"],
            account=match["account"],
            name=match["project"],
            github_token=token if github else "",
            github_users=users and github,
        ),
    )


def _check_user_sign_in(reader: Reader, project: str, token: str) -> None:
    """Reports settings that make the sign-in of users at GitHub impossible."""
    setting = GITHUB_SIGN_IN
    if not project:
        wrong = "`user` requires foundryProject, which is not set, so no connection can be created."
        setting.reject(reader, wrong, FOUNDRY_PROJECT.command)
    if token:
        wrong = "`user` excludes githubToken, with which all users would act as one account."
        setting.reject(reader, wrong, f"pulumi config rm {GITHUB_TOKEN.key}")
    if GITHUB_URL.read(reader).rstrip("/") != GITHUB.rstrip("/"):
        wrong = "`user` requires the server of Microsoft's OAuth app, but githubUrl is another one."
        setting.reject(reader, wrong, f"pulumi config rm {GITHUB_URL.key}")


def read_api_center(reader: Reader) -> ApiCenter | None:
    """Reads the setting of the API Center; None if the stack has none."""
    match = _SERVICE_ID.fullmatch(API_CENTER.read(reader))
    return ApiCenter(resource_group=match["group"], name=match["service"]) if match else None
