"""The list of the stand-ins for external services, and their ports."""

from collections.abc import Mapping

from twin import foundry, github, jira, slack
from twin.azure.identifiers import Seed
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
"""Stand-ins for hosted services, whose ports are after those of `STAND_INS`."""


def hosted_port(registration: HostedRegistration, ports: Ports) -> int:
    """The port of the stand-in for a hosted service. It does not depend on which other stand-ins run."""
    first = sum(len(registration.ports) for registration in STAND_INS)
    return ports.stand_in(first + HOSTED_STAND_INS.index(registration))


def hosted_settings(ports: Ports, subscription: str) -> dict[str, str]:
    """The settings with which a stack uses the stand-ins for hosted services."""
    return {
        name: value
        for registration in HOSTED_STAND_INS
        for name, value in registration.settings(
            f"http://localhost:{hosted_port(registration, ports)}", subscription
        ).items()
    }


def hosted_tokens(seed: Seed) -> dict[str, str]:
    """The tokens that the stand-ins for hosted services accept, by service; secrets."""
    return {
        registration.service: registration.token.create(seed)
        for registration in HOSTED_STAND_INS
        if registration.token is not None
    }


def hosted_secrets(tokens: Mapping[str, str]) -> dict[str, str]:
    """The secret settings with which a stack uses these tokens."""
    return {
        registration.token.setting: tokens[registration.service]
        for registration in HOSTED_STAND_INS
        if registration.token is not None
    }


def stand_in_of(repository: str) -> Registration | None:
    """The stand-in for the service of an image, or None."""
    return next((registration for registration in STAND_INS if registration.repository == repository), None)


def ports_of(registration: Registration, ports: Ports) -> dict[str, int]:
    """The ports of a stand-in, by purpose. They do not depend on which other stand-ins run."""
    first = sum(len(earlier.ports) for earlier in STAND_INS[: STAND_INS.index(registration)])
    return {purpose: ports.stand_in(first + index) for index, purpose in enumerate(registration.ports)}
