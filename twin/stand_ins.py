"""The stand-ins for external services, one line for each, and their ports."""

from twin import jira, slack
from twin.ports import Ports
from twin.stand_in import Registration

STAND_INS: tuple[Registration, ...] = (
    slack.STAND_IN,
    jira.STAND_IN,
)


def stand_in_of(repository: str) -> Registration | None:
    """The stand-in for an image, if there is one."""
    return next((each for each in STAND_INS if each.repository == repository), None)


def ports_of(registration: Registration, ports: Ports) -> dict[str, int]:
    """The ports of a stand-in, by what they are for. They are the same whichever stand-ins run."""
    first = sum(len(each.ports) for each in STAND_INS[: STAND_INS.index(registration)])
    return {purpose: ports.stand_in(first + index) for index, purpose in enumerate(registration.ports)}
