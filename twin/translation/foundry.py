"""Reads the connections that a stack declares in its Foundry project."""

from twin.connection import Connection
from twin.stack import Declared, Stack


def connections(stack: Stack) -> tuple[Connection, ...]:
    """The connections that a stack declares in its Foundry project."""
    return tuple(
        _connection(connection) for connection in stack.of_type("cognitiveservices:ProjectConnection")
    )


def _connection(declared: Declared) -> Connection:
    properties = declared.inputs["properties"]
    return Connection(
        name=declared.inputs["connectionName"],
        id=declared.id,
        target=properties["target"],
        headers=properties.get("credentials", {}).get("keys", {}),
        audience=properties.get("audience"),
    )
