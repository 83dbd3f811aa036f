"""The list of stand-ins for external services, one line for each, and their ports."""

from twin import foundry, github, jira, slack
from twin.ports import Ports
from twin.stand_in import HostedRegistration, Registration

STAND_INS: tuple[Registration, ...] = (
    slack.STAND_IN,
    jira.STAND_IN,
)

HOSTED_STAND_INS: tuple[HostedRegistration, ...] = (
    github.STAND_IN,
    foundry.STAND_IN,
)
"""Those of services that no MCP server on this machine uses; their ports follow."""


def hosted_port(registration: HostedRegistration, ports: Ports) -> int:
    """The port of a hosted service's stand-in. It is the same whichever stand-ins run."""
    first = sum(len(each.ports) for each in STAND_INS)
    return ports.stand_in(first + HOSTED_STAND_INS.index(registration))


def stand_in_of(repository: str) -> Registration | None:
    """The stand-in for an image, if there is one."""
    return next((each for each in STAND_INS if each.repository == repository), None)


def ports_of(registration: Registration, ports: Ports) -> dict[str, int]:
    """The ports of a stand-in, by purpose. They do not depend on the other stand-ins that run."""
    first = sum(len(each.ports) for each in STAND_INS[: STAND_INS.index(registration)])
    return {purpose: ports.stand_in(first + index) for index, purpose in enumerate(registration.ports)}
