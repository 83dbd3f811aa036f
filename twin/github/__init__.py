"""A stand-in for GitHub's hosted MCP server: an invented account with repositories and issues."""

from twin.stand_in import HostedArgs, HostedRegistration, HostedStandIn


def _create(args: HostedArgs) -> HostedStandIn:
    from twin.github.service import GitHubStandIn  # noqa: PLC0415 -- only a twin that runs it needs it

    return GitHubStandIn(args)


STAND_IN = HostedRegistration(
    service="github",
    title="GitHub",
    create=_create,
)
