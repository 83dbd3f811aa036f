"""Opens the store: Cosmos DB with the operator's sign-in to Azure, or the stand-in of a local twin."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.core.pipeline.transport import HttpRequest, RequestsTransport
from azure.cosmos import CosmosClient, DatabaseProxy, exceptions
from azure.identity import DefaultAzureCredential

from gateway.admin.problem import AdminError

DATABASE = "oauth"

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_RESOURCE = "https://cosmos.azure.com"
_FORBIDDEN, _UNAUTHORIZED = 403, 401


@contextmanager
def open_database(url: str) -> Generator[DatabaseProxy]:
    """Opens the database of the authorization server.

    Args:
        url: endpoint of the Cosmos DB account, or the URL of a local twin's gateway.

    Raises:
        AdminError: it cannot be reached, or the operator may not use it.
    """
    try:
        with _client(url) as client:
            yield client.get_database_client(DATABASE)
    except ClientAuthenticationError as error:
        raise AdminError(f"You are not signed in to Azure: run `az login`. {_first_line(error)}") from error
    except exceptions.CosmosHttpResponseError as error:
        if error.status_code in (_FORBIDDEN, _UNAUTHORIZED):
            raise AdminError(
                "The signed-in account has no access to the store. Assign it the role as docs/runbook.md "
                f"describes. {_first_line(error)}"
            ) from error
        raise AdminError(f"The store responded with {error.status_code}: {_first_line(error)}") from error
    except ServiceRequestError as error:
        raise AdminError(f"{url} cannot be reached: {_first_line(error)}") from error


def _client(url: str) -> CosmosClient:
    parts = urlsplit(url)
    if parts.hostname in _LOOPBACK:
        control = f"http://{parts.hostname}:{(parts.port or 80) + 1}"
        endpoint = _local_endpoint(control)
        return CosmosClient(
            endpoint,
            _TwinCredential(control),
            transport=_WithoutTls(),
            # The stand-in announces http URLs, which the client would reject.
            enable_endpoint_discovery=False,
        )
    if parts.scheme != "https" or not parts.hostname:
        raise AdminError(
            f"'{url}' is not the URL of a store. Use https://<account>.documents.azure.com, or "
            "http://localhost:PORT for a local twin."
        )
    return CosmosClient(url, DefaultAzureCredential())


def _local_endpoint(control: str) -> str:
    """The URL at which a twin serves Cosmos DB, with `https`, because the client accepts no other scheme."""
    for host, address in _request(control, "/hosts").items():
        if str(host).endswith(".documents.azure.com"):
            return str(address).replace("http://", "https://", 1)
    raise AdminError(f"The twin at {control} has no store.")


def _request(control: str, path: str, **body: str) -> Any:
    request = urllib.request.Request(  # noqa: S310 -- a loopback address
        control + path,
        data=json.dumps(body).encode() if body else None,
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 -- see above
            return json.load(answer)
    except (urllib.error.URLError, ValueError) as error:
        raise AdminError(f"No twin responds at {control}: {error}. Start one with `make up`.") from error


class _TwinCredential:
    """Tokens of the gateway's identity, from a twin's control API."""

    def __init__(self, control: str) -> None:
        self._control = control

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        """A token for Cosmos DB."""
        token = _request(self._control, "/identity/token", resource=_RESOURCE)["token"]
        return AccessToken(token, int(time.time()) + 3600)


class _WithoutTls(RequestsTransport):
    """A transport that replaces https with http, for the local twin."""

    def send(self, request: HttpRequest, **options: Any) -> Any:
        """Sends one request."""
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, **options)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
