"""Retries of requests that Azure refuses because a role assignment has not taken effect yet."""

import asyncio
from dataclasses import dataclass, field

import pulumi
import pytest

from gateway.propagation import Propagation
from tests.program.variants import CASES, Case

NOT_EFFECTIVE_YET = (
    "400 InvalidOperation: Failed to access KeyVault Secret https://v.vault.azure.net/secrets/k",
    "400 InvalidParameterValueInContainerTemplate: Unable to get value using Managed identity /subscriptions",
    'Caller is not authorized to perform action on resource. InnerError={"code":"ForbiddenByRbac"}',
)


@dataclass
class Clock:
    """Time that passes only while something waits.

    Attributes:
        seconds: the current time, from 0.
        waits: the seconds of each wait.
        lines: the output for the deployer.
    """

    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds

    def propagation(self) -> Propagation:
        return Propagation(sleep=self.sleep, now=lambda: self.seconds, report=self.lines.append)


def failure(error: str, operation: str = "create") -> pulumi.ErrorHookArgs:
    return pulumi.ErrorHookArgs(
        urn="urn", id="", name="notes-http", type="type", failed_operation=operation, errors=[error, "older"]
    )


@pytest.mark.parametrize("error", NOT_EFFECTIVE_YET)
@pytest.mark.parametrize("operation", ["create", "update"])
def test_the_deployment_waits_for_a_secret_that_cannot_be_read_yet(error: str, operation: str) -> None:
    clock = Clock()
    assert asyncio.run(clock.propagation().retry(failure(error, operation)))
    assert clock.waits == [10]
    (line,) = clock.lines
    assert line.startswith("notes-http: its identity cannot read the secret yet")
    assert line.endswith("Trying again in 10 seconds.")


@pytest.mark.parametrize(
    ("error", "operation"),
    [
        ("404 ResourceNotFound: the environment was not found.", "create"),
        ("SecretNotFound: the secret was not found in this key vault.", "create"),
        (NOT_EFFECTIVE_YET[0], "delete"),
    ],
)
def test_other_errors_are_not_retried(error: str, operation: str) -> None:
    clock = Clock()
    assert not asyncio.run(clock.propagation().retry(failure(error, operation)))
    assert clock.waits == []
    assert clock.lines == []


def test_waiting_ends_after_15_minutes_with_a_message_that_lists_what_to_check() -> None:
    clock, attempts = Clock(), 0
    propagation = clock.propagation()
    while asyncio.run(propagation.retry(failure(NOT_EFFECTIVE_YET[0]))):
        attempts += 1
        # Pulumi stops after 100 attempts.
        assert attempts < 100
    assert clock.waits[:5] == [10, 20, 40, 60, 60]
    assert 600 < clock.seconds <= 900
    assert "after 15 minutes its identity still cannot read the secret" in clock.lines[-1]
    assert "az role assignment list --scope" in clock.lines[-1]
    assert "`pulumi up` again" in clock.lines[-1]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_only_resources_that_refer_to_a_secret_are_retried(case: Case) -> None:
    hooked = {resource.name for resource in case.stack.resources if resource.error_hooks}
    readers = {
        resource.name
        for resource in case.stack.of_type("apimanagement:NamedValue")
        if "keyVault" in resource.inputs
    }
    readers |= {
        resource.name
        for resource in case.stack.of_type("app:ContainerApp")
        if resource.inputs["configuration"].get("secrets")
    }
    assert hooked == readers
