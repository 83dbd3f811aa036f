"""Secrets in a stack's configuration, and generated keys, are nowhere in clear text."""

import json
from dataclasses import dataclass

import pytest

from tests.engine import secrecy
from tests.engine.conftest import Deploy
from tests.engine.deployment import Deployment
from tests.engine.stacks import CANARIES, DEV, NOTES, StackSettings

PLAIN = "canary-in-a-tag"
"""Not a secret: proves that the search finds values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """A stack after all kinds of operations, and its secrets.

    Attributes:
        stack: the stack.
        secrets: by name.
    """

    stack: Deployment
    secrets: dict[str, str]


@pytest.fixture(scope="module")
def used(new_stack: Deploy) -> Used:
    """Previewed, failed, deployed, changed, refreshed."""
    configured = {**DEV.secrets, "notesToken": CANARIES["notesToken"]}
    stack = new_stack(
        StackSettings(
            values={
                **DEV.values,
                "containers": json.dumps([NOTES]),
                "tags": json.dumps({"environment": PLAIN}),
            },
            secrets=configured,
        )
    )
    stack.preview()
    stack.azure.faults.refuse = lambda call: call.is_of("app:ContainerApp", "apimanagement:NamedValue")
    assert stack.up().failed
    stack.azure.faults.refuse = lambda _call: False
    stack.service.broken = "the build failed"
    assert stack.up().failed
    stack.service.broken = None
    deployed = stack.up()
    assert not deployed.failed, deployed.output
    secrets = secrecy.known_secrets(stack, configured)
    rotated = {"slackBotToken": "xoxb-999999999999-canaryRotated"}
    stack.configure({"keyVersion": "2"}, rotated)
    assert not stack.up().failed
    assert not stack.refresh().failed
    return Used(
        stack=stack,
        secrets=secrets | secrecy.known_secrets(stack, {"rotated token": rotated["slackBotToken"]}),
    )


def test_secrets_are_known(used: Used) -> None:
    assert {
        "slackBotToken",
        "jiraApiToken",
        "notesToken",
        "passphrase",
        "ARM_CLIENT_SECRET",
    } <= used.secrets.keys()
    assert len([name for name in used.secrets if name.startswith("gateway-keys-token-key")]) >= 2


def test_no_secret_is_in_clear(used: Used) -> None:
    assert secrecy.leaks(used.stack, used.secrets) == []


def test_a_secret_in_clear_text_is_found(used: Used) -> None:
    places = {leak.place for leak in secrecy.leaks(used.stack, {"tag": PLAIN})}
    assert "Pulumi.dev.yaml" in places
    assert any(place.startswith("state/") for place in places)
    assert "stack export" in places


def test_secrets_reach_azure(used: Used) -> None:
    """They are encrypted on the way and not lost."""
    received = json.dumps([dict(resource.inputs) for resource in used.stack.azure.resources.values()])
    for name in ("jiraApiToken", "notesToken", "rotated token"):
        assert used.secrets[name] in received


def test_the_state_has_them_encrypted(used: Used) -> None:
    secrets = [one for one in used.stack.state()["resources"] if one["type"].endswith(":keyvault:Secret")]
    assert len(secrets) > 6
    for secret in secrets:
        assert "ciphertext" in json.dumps(secret["inputs"]["properties"])
