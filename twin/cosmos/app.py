"""The stand-in for Cosmos DB for NoSQL, as a web application.

Source: learn.microsoft.com/rest/api/cosmos-db
"""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from twin.clock import Clock
from twin.cosmos import authorization as auth
from twin.cosmos.account import Container, CosmosAccount
from twin.cosmos.authorization import Verifier
from twin.cosmos.documents import check_id, check_same_key, key_of, read_document, read_key
from twin.cosmos.errors import CosmosError, bad_request, not_found
from twin.cosmos.metadata import account_body, container_body, database_body, document_body, key_ranges
from twin.cosmos.protocol import Answer, check_headers, page_size, page_start, read_body, respond
from twin.cosmos.query import Query, read_query
from twin.cosmos.resource_ids import container_rid
from twin.cosmos.store import Document, DocumentAddress, SqliteStore
from twin.cosmos.throttle import Throttle

_WRITE_CHARGE, _READ_CHARGE, _QUERY_CHARGE = 6.67, 1.0, 2.82

_Operation = Callable[[Request, str], Awaitable[Answer]]
"""Serves a request; the second argument is the object id of the authenticated principal."""


def create_app(account: CosmosAccount, store: SqliteStore, clock: Clock, verifier: Verifier) -> Starlette:
    """Creates the web application for one account.

    `app.state.throttle` can make the next requests fail with status 429.

    Args:
        account: the databases and role assignments.
        store: the store of the documents; the caller closes it.
        clock: the clock for timestamps and for the expiry of documents.
        verifier: checks access tokens, such as `twin.entra.TokenVerifier`.
    """
    throttle = Throttle()
    service = _Service(account, store, clock, verifier, throttle)
    containers = "/dbs/{database}/colls"
    documents = f"{containers}/{{container}}/docs"
    app = Starlette(
        routes=[
            _route("/", {"GET": service.read_account}, service),
            _route("/dbs", {"GET": service.list_databases}, service),
            _route("/dbs/{database}", {"GET": service.read_database}, service),
            _route(containers, {"GET": service.list_containers}, service),
            _route(f"{containers}/{{container}}", {"GET": service.read_container}, service),
            _route(f"{containers}/{{container}}/pkranges", {"GET": service.list_key_ranges}, service),
            _route(documents, {"GET": service.list_documents, "POST": service.post_document}, service),
            _route(
                f"{documents}/{{id}}",
                {
                    "GET": service.read_document,
                    "PUT": service.replace_document,
                    "DELETE": service.delete_document,
                },
                service,
            ),
            _route("/{path:path}", {}, service),
        ]
    )
    app.add_middleware(_RemoveTrailingSlash)
    app.state.throttle = throttle
    return app


class _RemoveTrailingSlash:
    """Removes a trailing slash from paths, because the official clients send one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/"):
            scope = {**scope, "path": scope["path"].rstrip("/") or "/"}
        await self._app(scope, receive, send)


class _Service:
    """The operations of the REST API."""

    def __init__(
        self,
        account: CosmosAccount,
        store: SqliteStore,
        clock: Clock,
        verifier: Verifier,
        throttle: Throttle,
    ) -> None:
        self._account = account
        self._store = store
        self._clock = clock
        self._verifier = verifier
        self._throttle = throttle

    async def serve(self, http: Request, operations: dict[str, _Operation]) -> Response:
        """Serves a request: checks headers and principal, runs the operation, and converts errors."""
        try:
            check_headers(http)
            principal = auth.authenticate(http.headers.get("authorization"), self._account, self._verifier)
            operation = operations.get(http.method)
            if operation is None:
                raise auth.not_in_data_plane(http.method, http.url.path)
            self._throttle.check()
            answer = await operation(http, principal)
        except CosmosError as error:
            answer = Answer.of_error(error)
        return respond(http, answer, last_write=self._store.last_write)

    async def read_account(self, _http: Request, principal: str) -> Answer:
        """`GET /`: the account with its endpoints; the first request of every client."""
        self._allow(principal, auth.READ_METADATA, "/")
        return Answer(body=account_body(self._account))

    async def list_databases(self, _http: Request, principal: str) -> Answer:
        """`GET /dbs`."""
        self._allow(principal, auth.READ_METADATA, "/")
        databases = [database_body(database) for database in self._account.databases]
        return Answer(body={"_rid": "", "Databases": databases, "_count": len(databases)})

    async def read_database(self, http: Request, principal: str) -> Answer:
        """`GET /dbs/x`."""
        name = http.path_params["database"]
        self._allow(principal, auth.READ_METADATA, f"/dbs/{name}")
        database = self._account.database(name)
        if database is None:
            raise not_found("Resource Not Found.")
        return Answer(body=database_body(database))

    async def list_containers(self, http: Request, principal: str) -> Answer:
        """`GET /dbs/x/colls`."""
        name = http.path_params["database"]
        self._allow(principal, auth.READ_METADATA, f"/dbs/{name}")
        database = self._account.database(name)
        if database is None:
            raise not_found("Resource Not Found.")
        containers = [container_body(name, container) for container in database.containers]
        return Answer(
            body={
                "_rid": database_body(database)["_rid"],
                "DocumentCollections": containers,
                "_count": len(containers),
            }
        )

    async def read_container(self, http: Request, principal: str) -> Answer:
        """`GET /dbs/x/colls/y`."""
        _, container = self._container(http, principal, auth.READ_METADATA)
        return Answer(body=container_body(http.path_params["database"], container))

    async def list_key_ranges(self, http: Request, principal: str) -> Answer:
        """`GET /dbs/x/colls/y/pkranges`: one range, because there is one partition."""
        _, container = self._container(http, principal, auth.READ_METADATA)
        ranges = key_ranges(http.path_params["database"], container)
        if http.headers.get("if-none-match") == ranges["PartitionKeyRanges"][0]["_etag"]:
            return Answer.not_modified(ranges["PartitionKeyRanges"][0]["_etag"])
        return Answer(body=ranges, etag=ranges["PartitionKeyRanges"][0]["_etag"])

    async def list_documents(self, http: Request, principal: str) -> Answer:
        """`GET .../docs`: a page of the documents in the container or in one of its partitions."""
        path, _ = self._container(http, principal, auth.READ_FEED)
        if "a-im" in http.headers:
            raise bad_request("The stand-in does not support the change feed.")
        return self._page(http, path, Query(()))

    async def post_document(self, http: Request, principal: str) -> Answer:
        """`POST .../docs`: creates a document, upserts it, or runs a query, depending on the headers."""
        headers = http.headers
        if headers.get("x-ms-cosmos-is-batch-request", "").lower() == "true":
            raise bad_request("The stand-in does not support transactional batches.")
        if headers.get("x-ms-cosmos-is-query-plan-request", "").lower() == "true":
            raise bad_request("The stand-in does not support query plans.")
        if headers.get("x-ms-documentdb-isquery", "").lower() == "true":
            path, _ = self._container(http, principal, auth.QUERY)
            query = read_query(await read_body(http))
            if (
                not any(
                    name in headers
                    for name in ("x-ms-documentdb-partitionkey", "x-ms-documentdb-partitionkeyrangeid")
                )
                and headers.get("x-ms-documentdb-query-enablecrosspartition", "").lower() != "true"
            ):
                raise bad_request(
                    "Cross partition query is required but disabled. Please set "
                    "x-ms-documentdb-query-enablecrosspartition to true, specify "
                    "x-ms-documentdb-partitionkey, or revise your query to avoid this exception."
                )
            return self._page(http, path, query)
        return await self._write(http, principal)

    async def read_document(self, http: Request, principal: str) -> Answer:
        """`GET .../docs/z`, conditional with If-None-Match."""
        path, _ = self._container(http, principal, auth.READ)
        document = self._store.read(self._address(http, path))
        if http.headers.get("if-none-match") == document.etag:
            return Answer.not_modified(document.etag)
        return self._answer(http, document, _READ_CHARGE)

    async def replace_document(self, http: Request, principal: str) -> Answer:
        """`PUT .../docs/z`, conditional with If-Match."""
        path, container = self._container(http, principal, auth.REPLACE)
        address = self._address(http, path)
        content = read_document(await read_body(http))
        check_same_key(address.key, key_of(content, container))
        if content["id"] != address.id:
            raise bad_request("The document's id does not match the id in the request's path.")
        document = self._store.replace(address, content, container, if_match=http.headers.get("if-match"))
        return self._answer(http, document, _WRITE_CHARGE)

    async def delete_document(self, http: Request, principal: str) -> Answer:
        """`DELETE .../docs/z`, conditional with If-Match."""
        path, _ = self._container(http, principal, auth.DELETE)
        self._store.delete(self._address(http, path), if_match=http.headers.get("if-match"))
        return Answer(status=204, charge=_WRITE_CHARGE)

    async def _write(self, http: Request, principal: str) -> Answer:
        upsert = http.headers.get("x-ms-documentdb-is-upsert", "").lower() == "true"
        path, container = self._container(http, principal, auth.UPSERT if upsert else auth.CREATE)
        key = read_key(http.headers.get("x-ms-documentdb-partitionkey"))
        content = read_document(await read_body(http))
        check_same_key(key, key_of(content, container))
        address = DocumentAddress(container=path, key=key, id=content["id"])
        if not upsert:
            document = self._store.create(address, content, container)
            return self._answer(http, document, _WRITE_CHARGE, status=201)
        if_match = http.headers.get("if-match")
        document, created = self._store.upsert(address, content, container, if_match=if_match)
        return self._answer(http, document, _WRITE_CHARGE, status=201 if created else 200)

    def _page(self, http: Request, path: str, query: Query) -> Answer:
        header = http.headers.get("x-ms-documentdb-partitionkey")
        key = read_key(header) if header is not None else None
        size, start = page_size(http), page_start(http)
        page: list[Document] = []
        more = False
        for document in self._store.feed(path, key=key, after=start):
            body = self._body(http, document)
            if not query.matches(body):
                continue
            if len(page) == size:
                more = True
                break
            page.append(document)
        bodies = [self._body(http, document) for document in page]
        rid = container_rid(http.path_params["database"], http.path_params["container"])
        return Answer(
            body={"_rid": rid, "Documents": bodies, "_count": len(bodies)},
            charge=_QUERY_CHARGE,
            continuation=page[-1].number if more else None,
            count=len(bodies),
        )

    def _body(self, http: Request, document: Document) -> dict[str, Any]:
        return document_body(http.path_params["database"], http.path_params["container"], document)

    def _answer(self, http: Request, document: Document, charge: float, *, status: int = 200) -> Answer:
        minimal = http.method != "GET" and http.headers.get("prefer", "").lower() == "return=minimal"
        body = None if minimal else self._body(http, document)
        return Answer(status=status, body=body, etag=document.etag, charge=charge)

    def _container(self, http: Request, principal: str, action: str) -> tuple[str, Container]:
        database, name = http.path_params["database"], http.path_params["container"]
        path = f"dbs/{database}/colls/{name}"
        self._allow(principal, action, f"/{path}")
        container = self._account.container(database, name)
        if container is None:
            raise not_found("Resource Not Found. The container is not declared.")
        return path, container

    def _address(self, http: Request, path: str) -> DocumentAddress:
        name = http.path_params["id"]
        check_id(name)
        return DocumentAddress(
            container=path, key=read_key(http.headers.get("x-ms-documentdb-partitionkey")), id=name
        )

    def _allow(self, principal: str, action: str, path: str) -> None:
        auth.authorize(principal, action, path, self._account)


def _route(path: str, operations: dict[str, _Operation], service: _Service) -> Route:
    async def endpoint(http: Request) -> Response:
        return await service.serve(http, operations)

    return Route(path, endpoint, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
