"""The official azure-cosmos client against the stand-in.

The client sends bearer tokens over TLS only, so these tests serve with a certificate; for localhost it does
not verify it.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core import MatchConditions
from azure.cosmos import ContainerProxy, CosmosClient, exceptions
from azure.cosmos.aio import CosmosClient as AsyncCosmosClient
from azure.identity import ManagedIdentityCredential

from tests.twin.conftest import ServeBuilt
from tests.twin.cosmos_account import AsyncCredential, Cosmos, Credential
from tests.twin.entra_tenant import IDENTITY, Entra
from twin.clock import Clock
from twin.cosmos import Container, CosmosAccount, Database, SqliteStore, SqlRoleAssignment, create_app
from twin.entra import TokenVerifier

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


@pytest.fixture(scope="module")
def tls_cosmos(serve_built: ServeBuilt, certificate: Path) -> Iterator[Cosmos]:
    clock = Clock()
    store = SqliteStore(None, clock)
    running: list[Cosmos] = []

    def build(base_url: str):
        running.append(Cosmos(base_url, clock, store))
        return running[0].app

    with serve_built(build, certificate=certificate):
        yield running[0]
        running[0].http.close()
    store.close()


@pytest.fixture
def clients(tls_cosmos: Cosmos) -> Iterator[ContainerProxy]:
    tls_cosmos.store.clear()
    with CosmosClient(tls_cosmos.base_url, Credential(tls_cosmos)) as client:
        yield client.get_database_client("oauth").get_container_client("clients")


def test_items_are_created_read_replaced_and_deleted(clients: ContainerProxy):
    created = clients.create_item({"id": "a", "n": 1})
    assert clients.read_item("a", "a") == created
    assert clients.replace_item("a", {"id": "a", "n": 2})["n"] == 2
    assert clients.upsert_item({"id": "a", "n": 3})["n"] == 3
    clients.delete_item("a", "a")
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        clients.read_item("a", "a")


def test_conflicts_and_failed_preconditions_raise_the_exceptions_of_the_client(clients: ContainerProxy):
    old = clients.create_item({"id": "a"})
    with pytest.raises(exceptions.CosmosResourceExistsError):
        clients.create_item({"id": "a"})
    clients.replace_item("a", {"id": "a"})
    with pytest.raises(exceptions.CosmosAccessConditionFailedError):
        clients.replace_item(
            "a", {"id": "a"}, etag=old["_etag"], match_condition=MatchConditions.IfNotModified
        )


def test_queries_and_feeds_return_all_matching_items(clients: ContainerProxy):
    for n in range(5):
        clients.create_item({"id": f"d{n}", "n": n})
    query = clients.query_items("SELECT * FROM c", enable_cross_partition_query=True, max_item_count=2)
    everything = list(query)
    assert [document["n"] for document in everything] == [0, 1, 2, 3, 4]
    assert everything == list(clients.read_all_items(max_item_count=2))
    documents = clients.query_items(
        "SELECT * FROM c WHERE c.n = @n", parameters=[{"name": "@n", "value": 3}], partition_key="d3"
    )
    assert [document["id"] for document in documents] == ["d3"]
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        list(clients.query_items("SELECT c.id FROM c", enable_cross_partition_query=True))
    assert refused.value.status_code == 400


def test_the_metadata_of_containers_is_that_of_the_declaration(tls_cosmos: Cosmos, clients: ContainerProxy):
    properties = clients.read()
    assert properties["partitionKey"]["paths"] == ["/id"]
    assert properties["defaultTtl"] == -1
    with CosmosClient(tls_cosmos.base_url, Credential(tls_cosmos)) as client:
        database = client.get_database_client("oauth")
        assert [container["id"] for container in database.list_containers()] == [
            "clients",
            "grants",
            "eternal",
        ]


def test_the_client_retries_after_throttling(tls_cosmos: Cosmos, clients: ContainerProxy):
    clients.create_item({"id": "a"})
    tls_cosmos.app.state.throttle.reject_next(2, retry_after_ms=1)
    assert clients.read_item("a", "a")["id"] == "a"


def test_the_data_plane_creates_no_containers(tls_cosmos: Cosmos):
    with (
        CosmosClient(tls_cosmos.base_url, Credential(tls_cosmos)) as client,
        pytest.raises(exceptions.CosmosHttpResponseError) as refused,
    ):
        client.create_database("new")
    assert refused.value.status_code == 403


def test_an_account_key_is_refused(tls_cosmos: Cosmos):
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        CosmosClient(tls_cosmos.base_url, "c2VjcmV0")
    assert refused.value.status_code == 401


async def _use_the_async_client(cosmos: Cosmos) -> None:
    async with AsyncCosmosClient(cosmos.base_url, AsyncCredential(cosmos)) as client:
        clients = client.get_database_client("oauth").get_container_client("clients")
        created = await clients.create_item({"id": "a", "n": 1})
        assert await clients.read_item("a", "a") == created
        await clients.create_item({"id": "b", "n": 2})
        ids = [document["id"] async for document in clients.query_items("SELECT * FROM c WHERE c.n > 1")]
        assert ids == ["b"]
        assert [document["id"] async for document in clients.read_all_items()] == ["a", "b"]
        with pytest.raises(exceptions.CosmosResourceExistsError):
            await clients.create_item({"id": "a"})
        await clients.delete_item("a", "a")
        with pytest.raises(exceptions.CosmosResourceNotFoundError):
            await clients.read_item("a", "a")


def test_the_async_client_gets_the_same_results(tls_cosmos: Cosmos):
    tls_cosmos.store.clear()
    asyncio.run(_use_the_async_client(tls_cosmos))


def test_a_managed_identity_reaches_its_account(
    entra: Entra, serve_built: ServeBuilt, certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{entra.base_url}/twin/managed-identity/token")
    monkeypatch.setenv("IDENTITY_HEADER", entra.app.state.identity_headers["gateway"])
    store = SqliteStore(None, entra.clock)

    def build(base_url: str):
        account = CosmosAccount(
            name="c",
            base_url=base_url,
            databases=(Database(name="oauth", containers=(Container(name="clients", partition_key="/id"),)),),
            role_assignments=(SqlRoleAssignment(principal_id=IDENTITY.principal_id, scope="/dbs/oauth"),),
        )
        return create_app(
            account, store, entra.clock, TokenVerifier(entra.directory, entra.clock, entra.keys)
        )

    with (
        serve_built(build, certificate=certificate) as base_url,
        ManagedIdentityCredential(client_id=IDENTITY.client_id) as credential,
        CosmosClient(base_url, credential) as client,
    ):
        clients = client.get_database_client("oauth").get_container_client("clients")
        assert clients.upsert_item({"id": "a"})["id"] == "a"
    store.close()
