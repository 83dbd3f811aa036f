"""Searches for secrets in all files and outputs of a deployment."""

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.engine.deployment import PASSPHRASE, Deployment
from tests.engine.deployment_service import CLIENT_SECRET


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret in clear text.

    Attributes:
        secret: its name, never its value.
        place: where it is.
    """

    secret: str
    place: str


def known_secrets(stack: Deployment, configured: Mapping[str, str]) -> dict[str, str]:
    """All secrets of a deployment by name: configured secrets, generated keys, the deployer's credentials."""
    secrets = {**configured, "passphrase": PASSPHRASE, "ARM_CLIENT_SECRET": CLIENT_SECRET}
    for secret in stack.azure.of_type("keyvault:Secret"):
        secrets[secret.id.rpartition("/")[2]] = secret.inputs["properties"]["value"]
    for subscription in stack.azure.of_type("apimanagement:Subscription"):
        for key in ("primaryKey", "secondaryKey"):
            if value := subscription.inputs.get(key):
                secrets[f"{key} of {subscription.id.rpartition('/')[2]}"] = value
    return secrets


def leaks(stack: Deployment, secrets: Mapping[str, str]) -> list[Leak]:
    """The places with secrets in clear text: files, output of the CLI, stack outputs, exported state."""
    places = []
    for place, text in _places(stack):
        places += [
            Leak(name, place)
            for name, value in secrets.items()
            if any(form in text for form in _forms(value))
        ]
    return places


def _places(stack: Deployment) -> Iterator[tuple[str, str]]:
    for path in stack.stored():
        # These are certificates that the provider's process trusts; they contain no secret of the stack.
        if path.suffix != ".pem":
            yield str(path.relative_to(stack.folder)), path.read_bytes().decode("utf-8", errors="replace")
    for number, run in enumerate(stack.runs):
        yield f"output of {run.operation} {number}", run.output
    yield "stack output", stack.pulumi("stack", "output", "--json").stdout
    yield "stack export", stack.pulumi("stack", "export").stdout
    yield "config", stack.pulumi("config", "--json").stdout


def _forms(value: str) -> tuple[str, ...]:
    """The forms of a secret: plain, in JSON, in base64, and in hexadecimal digits if it is base64."""
    forms = [value, json.dumps(value)[1:-1], base64.b64encode(value.encode()).decode().rstrip("=")]
    with contextlib.suppress(ValueError):
        forms.append(base64.b64decode(value, validate=True).hex())
    return tuple(form for form in forms if form)
