"""Requests tokens of managed identities, as a service in Azure does."""

import contextlib
import json
from http import HTTPStatus
from urllib.parse import urlencode

from apim.http.network import HttpNetwork
from twin.plan import IDENTITY_ENDPOINT


class Identity:
    """Requests tokens for the managed identities of a service from the endpoint of the tenant.

    Args:
        network: the gateway's network, so that faults apply to these requests too.
        secret: the secret with which the service authenticates to the endpoint.
    """

    def __init__(self, network: HttpNetwork, secret: str) -> None:
        self._network = network
        self._secret = secret

    async def token(self, *, resource: str, client_id: str | None) -> str:
        """Requests a token for a resource.

        Args:
            resource: the resource.
            client_id: client id of a user-assigned identity; None for the system-assigned identity.

        Raises:
            IdentityRefusedError: the endpoint returned no token.
            SendError: the endpoint could not be reached.
        """
        query = {"api-version": "2019-08-01", "resource": resource}
        if client_id is not None:
            query["client_id"] = client_id
        reply = await self._network.send(
            "GET",
            f"{IDENTITY_ENDPOINT}?{urlencode(query)}",
            headers=[("X-IDENTITY-HEADER", self._secret)],
            timeout=10.0,
        )
        with contextlib.closing(reply):
            content = b"".join([chunk async for chunk in reply.chunks()])
        return read_token(reply.status, content)


class IdentityRefusedError(Exception):
    """The endpoint issued no token for this identity and resource; the message has the reason."""


def read_token(status: int, content: bytes) -> str:
    """The token in a response of the managed-identity endpoint.

    Raises:
        IdentityRefusedError: the response has no token.
    """
    try:
        answer = json.loads(content)
    except ValueError:
        answer = {}
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if status != HTTPStatus.OK or not isinstance(token, str):
        message = answer.get("message") if isinstance(answer, dict) else None
        raise IdentityRefusedError(f"{status}: {message or 'no token'}")
    return token
