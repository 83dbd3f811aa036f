"""Gets a real access token: a client registers, a user signs in, and the client redeems the code."""

import httpx

from tests.e2e.client import Client, parameters_of
from tests.e2e.person import Person


def access_token(gateway: str, entra: str) -> str:
    """A token for the MCP server at `gateway`/mcp."""
    with httpx.Client(timeout=30) as http:
        client = Client(gateway, http)
        client.register().raise_for_status()
        person = Person("Ada Lovelace", (gateway, entra), http)
        code = parameters_of(person.sign_in(client.authorize_url()))["code"]
        return client.redeem(code).raise_for_status().json()["access_token"]
