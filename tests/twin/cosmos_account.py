"""An account for tests of the stand-in for Cosmos DB, and a client of its REST API."""

import email.utils
import json
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx
from azure.core.credentials import AccessToken

from twin.clock import Clock
from twin.cosmos import Container, CosmosAccount, Database, SqliteStore, SqlRoleAssignment, create_app
from twin.entra import Directory, ManagedIdentity, SigningKeys, TokenVerifier
from twin.entra.tokens import Principal, TokenIssuer

WRITER, READER, WITHOUT_ROLE = "principal-writer", "principal-reader", "principal-without-role"
DOCS = "/dbs/oauth/colls/clients/docs"


class Cosmos:
    """A stand-in and its keys; `app` is to be served at `base_url`."""

    def __init__(self, base_url: str, clock: Clock, store: SqliteStore) -> None:
        self.clock = clock
        self.base_url = base_url
        directory = Directory(
            tenant_id="11111111-1111-4111-8111-111111111111",
            base_url="http://localhost:8002",
            managed_identities=(ManagedIdentity(name="x", client_id="client", principal_id=WRITER),),
        )
        keys = SigningKeys()
        self.issuer = TokenIssuer(directory, clock, keys)
        self.account = CosmosAccount(
            name="cosmos-test",
            base_url=base_url,
            databases=(
                Database(
                    name="oauth",
                    containers=(
                        Container(name="clients", partition_key="/id", default_ttl=-1),
                        Container(name="grants", partition_key="/owner/name", default_ttl=100),
                        Container(name="eternal", partition_key="/kind"),
                    ),
                ),
                Database(name="other", containers=(Container(name="clients", partition_key="/id"),)),
            ),
            role_assignments=(
                SqlRoleAssignment(principal_id=WRITER, scope="/dbs/oauth"),
                SqlRoleAssignment(principal_id=READER, read_only=True),
            ),
        )
        self.store = store
        self.app = create_app(self.account, store, clock, TokenVerifier(directory, clock, keys))
        self.http = httpx.Client(base_url=base_url, verify=False)  # the test creates the certificate

    def token(self, principal: str = WRITER, audience: str = "https://cosmos.azure.com") -> str:
        return self.issuer.app_token(Principal(client_id="client", object_id=principal), audience)

    def headers(self, key: object = None, *, principal: str = WRITER, **more: str) -> dict[str, str]:
        """The headers of a request as the gateway's policies send them."""
        headers = {
            "authorization": quote(f"type=aad&ver=1.0&sig={self.token(principal)}", safe=""),
            "x-ms-date": email.utils.formatdate(usegmt=True),
            "x-ms-version": "2018-12-31",
        }
        if key is not None:
            headers["x-ms-documentdb-partitionkey"] = json.dumps([key])
        return headers | {name.replace("_", "-"): value for name, value in more.items()}

    def create(self, document: dict[str, Any], **headers: str) -> httpx.Response:
        return self.http.post(DOCS, json=document, headers=self.headers(document.get("id"), **headers))

    def read(self, name: str, **headers: str) -> httpx.Response:
        return self.http.get(f"{DOCS}/{quote(name)}", headers=self.headers(name, **headers))

    def replace(self, document: dict[str, Any], **headers: str) -> httpx.Response:
        url = f"{DOCS}/{quote(document['id'])}"
        return self.http.put(url, json=document, headers=self.headers(document["id"], **headers))

    def delete(self, name: str, **headers: str) -> httpx.Response:
        return self.http.delete(f"{DOCS}/{quote(name)}", headers=self.headers(name, **headers))


class Credential:
    """The credential for azure-cosmos."""

    def __init__(self, cosmos: Cosmos) -> None:
        self._cosmos = cosmos

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(self._cosmos.token(), int(self._cosmos.clock.now()) + 3600)


class AsyncCredential(AbstractAsyncContextManager["AsyncCredential"]):
    """The credential for `azure.cosmos.aio`."""

    def __init__(self, cosmos: Cosmos) -> None:
        self._credential = Credential(cosmos)

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return self._credential.get_token(*scopes, **options)

    async def close(self) -> None:
        """Nothing to close."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


def error_of(response: httpx.Response) -> tuple[int, str]:
    """Status and code of an error in Cosmos DB's format."""
    body = response.json()
    assert set(body) == {"code", "message"}
    assert response.headers["x-ms-activity-id"] in body["message"]
    return response.status_code, body["code"]
