"""The Foundry project of a stack in the twin, with the connections that the stack declares."""

from twin.azure.identifiers import Seed
from twin.connection import Connection
from twin.stack import Declared, Stack

PATH = "/api/projects/twin"
"""The path of the project's endpoint."""


def project_id(subscription: str) -> str:
    """Resource id of the project."""
    account = "providers/Microsoft.CognitiveServices/accounts/twin"
    return f"/subscriptions/{subscription}/resourceGroups/twin/{account}/projects/twin"


def github_token(seed: Seed) -> str:
    """The token that GitHub's stand-in accepts; a secret."""
    return f"ghp_{seed.hexadecimal('github#token', 36)}"


def connections(stack: Stack) -> tuple[Connection, ...]:
    """The connections that a stack declares in its Foundry project."""
    return tuple(_connection(each) for each in stack.of_type("cognitiveservices:ProjectConnection"))


def _connection(declared: Declared) -> Connection:
    properties = declared.inputs["properties"]
    return Connection(
        name=declared.inputs["connectionName"],
        id=declared.id,
        target=properties["target"],
        headers=properties.get("credentials", {}).get("keys", {}),
        audience=properties.get("audience"),
    )
