"""No file or output has a secret of a stack's configuration, or a generated key, in clear text."""

import json
from dataclasses import dataclass

import pytest

from scripts import pulumi_cli
from tests.engine import secrecy
from tests.engine.conftest import Deploy
from tests.engine.deployment import Deployment
from tests.engine.program import ProjectWithShortWaits
from tests.engine.stacks import CANARIES, DEV, NOTES, StackSettings
from tests.existing import SUBSCRIPTION

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/agents"
PROJECT = f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/agents/projects/demo"
AGENT = {"name": "demo", "principal": "aaaaaaaa-0000-4000-8000-000000000001", "roles": ["functions"]}

PLAIN = "canary-in-a-tag"
"""Not a secret: proves that the search finds values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedStack:
    """A stack after all kinds of operations, and its secrets.

    Attributes:
        stack: the stack.
        secrets: by name.
    """

    stack: Deployment
    secrets: dict[str, str]


@pytest.fixture(scope="module")
def used(new_stack: Deploy) -> UsedStack:
    """A stack after a preview, a failed deployment, a deployment, a change and a refresh."""
    stack = new_stack(
        StackSettings(
            values={
                **DEV.values,
                "access": json.dumps({"functions": "users agents keys"}),
                "agents": json.dumps([AGENT]),
                "containers": json.dumps([NOTES]),
                "foundryProject": PROJECT,
                "tags": json.dumps({"environment": PLAIN}),
            },
            secrets=CANARIES,
        )
    )
    stack.program = ProjectWithShortWaits(pulumi_cli.ROOT)
    stack.azure.place("azure-native:resources:ResourceGroup", GROUP)
    stack.azure.place("azure-native:cognitiveservices:Project", PROJECT)
    # Error hooks receive the properties of the resource that failed.
    stack.azure.faults.unpropagated = 1
    assert not stack.preview("--diff").failed
    stack.azure.faults.refuse = lambda call: call.is_of("app:ContainerApp", "apimanagement:NamedValue")
    assert stack.up().failed
    stack.azure.faults.refuse = lambda _call: False
    stack.service.broken = "the build failed"
    assert stack.up().failed
    stack.service.broken = None
    deployed = stack.up()
    assert not deployed.failed, deployed.output
    secrets = secrecy.known_secrets(stack, CANARIES)
    rotated = {
        "slackBotToken": "xoxb-999999999999-canaryRotated",
        "redisConnection": "cache.example:10000,password=canaryOtherPassword,ssl=True",
        "githubToken": "github_pat_canaryOtherToken",
    }
    stack.configure({"keyVersion": "2", "subscriptionKeyVersion": "2"}, rotated)
    assert not stack.preview("--diff").failed
    assert not stack.up().failed
    assert not stack.refresh().failed
    return UsedStack(
        stack=stack,
        secrets=secrets | secrecy.known_secrets(stack, {f"rotated {key}": rotated[key] for key in rotated}),
    )


def test_the_search_covers_all_secrets(used: UsedStack) -> None:
    expected = {*CANARIES, "passphrase", "ARM_CLIENT_SECRET", "rotated githubToken"}
    expected |= {"primaryKey of functions-keys", "secondaryKey of functions-keys"}
    assert expected <= used.secrets.keys()
    assert len([name for name in used.secrets if name.startswith("gateway-keys-token-key")]) >= 2


def test_no_secret_is_in_clear_text(used: UsedStack) -> None:
    assert secrecy.leaks(used.stack, used.secrets) == []


def test_a_secret_in_clear_text_is_found(used: UsedStack) -> None:
    places = {leak.place for leak in secrecy.leaks(used.stack, {"tag": PLAIN})}
    assert "Pulumi.dev.yaml" in places
    assert any(place.startswith("state/") for place in places)
    assert "stack export" in places


def test_azure_receives_the_values_of_secrets(used: UsedStack) -> None:
    """The engine encrypts secrets in its state and decrypts them for the providers."""
    received = json.dumps([dict(resource.inputs) for resource in used.stack.azure.resources.values()])
    for name in ("jiraApiToken", "notesToken", "rotated slackBotToken", "rotated redisConnection"):
        assert used.secrets[name] in received
    assert f"Bearer {used.secrets['rotated githubToken']}" in received


@pytest.mark.parametrize(
    ("type_", "property_"),
    [
        ("keyvault:Secret", "properties"),
        ("apimanagement:Cache", "connectionString"),
        ("apimanagement:Subscription", "primaryKey"),
        ("apimanagement:Subscription", "secondaryKey"),
        ("cognitiveservices:ProjectConnection", "properties"),
    ],
)
def test_secret_inputs_are_encrypted_in_the_state(used: UsedStack, type_: str, property_: str) -> None:
    holders = [
        resource for resource in used.stack.state()["resources"] if resource["type"].endswith(f":{type_}")
    ]
    assert holders
    for holder in holders:
        assert "ciphertext" in json.dumps(holder["inputs"][property_])


def test_subscription_keys_are_an_output_that_the_command_line_hides(used: UsedStack) -> None:
    shown = json.loads(used.stack.pulumi("stack", "output", "--json").stdout)
    assert shown["subscriptionKeys"] == "[secret]"
