"""The Foundry project of the twin: its resource id, and the path of its endpoint."""

PATH = "/api/projects/twin"
"""The path of the project's endpoint."""


def project_id(subscription: str) -> str:
    """The resource id of the project."""
    account = "providers/Microsoft.CognitiveServices/accounts/twin"
    return f"/subscriptions/{subscription}/resourceGroups/twin/{account}/projects/twin"
