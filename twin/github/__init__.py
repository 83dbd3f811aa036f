"""A stand-in for GitHub's hosted MCP server: a sample account with repositories and issues."""

from collections.abc import Mapping

from twin.azure.identifiers import Seed
from twin.stand_in import HostedArgs, HostedRegistration, HostedStandIn, Token


def _create(args: HostedArgs) -> HostedStandIn:
    from twin.github.service import GitHubStandIn  # noqa: PLC0415 -- only a twin that runs it needs it

    return GitHubStandIn(args)


def _settings(url: str, _subscription: str) -> Mapping[str, str]:
    return {"githubUrl": f"{url}/mcp/"}


def _token(seed: Seed) -> str:
    return f"ghp_{seed.hexadecimal('github#token', 36)}"


STAND_IN = HostedRegistration(
    service="github",
    title="GitHub",
    settings=_settings,
    token=Token(setting="githubToken", create=_token),
    create=_create,
)
