"""Test harness of the policy engine: a gateway with given policies, a network and tokens without sockets."""

import asyncio
import atexit
import functools
import gc
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from apim import coverage
from apim.failure import SendError
from apim.gateway import Gateway
from apim.messages import InboundRequest
from apim.network import Headers, Network, Reply
from apim.readings import Readings
from apim.service import (
    Api,
    BackendEntity,
    ManagedIdentity,
    NamedValue,
    Operation,
    PolicyDocument,
    PolicyFragment,
    Product,
    Service,
    Subscription,
    documents,
)
from apim.source_map import SourceMap
from tests.readings import chosen
from twin.clock import Clock

T = TypeVar("T")
BACKEND = "https://backend.example"
IDENTITY = "11111111-1111-1111-1111-111111111111"


@dataclass
class Sent:
    """A request that the gateway sent."""

    method: str
    url: str
    headers: Headers
    body: bytes
    timeout: float

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None


Answer = Callable[[Sent], Reply | Awaitable[Reply]]


def reply(status: int = 200, body: bytes | str = b"", **headers: str) -> Reply:
    """A backend's response; underscores in header names become hyphens."""
    content = body.encode() if isinstance(body, str) else body
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Reply(status=status, reason="", headers=pairs, content=content)


class RecordingNetwork(Network):
    """A network whose responses come from a function; it records each request."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.answer: Answer = lambda _sent: reply(200, "from the backend")

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Headers,
        body: bytes | AsyncIterator[bytes] | None = None,
        timeout: float = 300.0,  # noqa: ASYNC109 -- as in Network
    ) -> Reply:
        content = (
            body
            if isinstance(body, bytes)
            else b""
            if body is None
            else b"".join([part async for part in body])
        )
        sent = Sent(method, url, headers, content, timeout)
        self.sent.append(sent)
        answer = self.answer(sent)
        return await answer if isinstance(answer, Awaitable) else answer

    def service_of(self, url: str) -> str:
        return urlsplit(url).netloc

    def fails(self, message: str = "refused", *, timed_out: bool = False) -> None:
        """All later requests fail with this error."""

        def fail(_sent: Sent) -> Reply:
            raise SendError(message, timed_out=timed_out)

        self.answer = fail


class Tokens:
    """Managed-identity tokens that contain their resource; records each request."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str | None]] = []
        self.broken = False

    async def token(self, *, resource: str, client_id: str | None) -> str:
        self.requests.append((resource, client_id))
        if self.broken:
            raise OSError("the identity endpoint does not answer")
        return f"token-for-{resource}"


def document(xml: str, name: str = "test", source_map: SourceMap | None = None) -> PolicyDocument:
    return PolicyDocument(xml=xml, name=name, source_map=source_map)


def policies(inbound: str = "", backend: str = "", outbound: str = "", on_error: str = "") -> str:
    """A policy document with these sections, each after <base />; a backend section replaces <base />."""
    return (
        f"<policies><inbound><base />{inbound}</inbound>"
        f"<backend>{backend or '<base />'}</backend>"
        f"<outbound><base />{outbound}</outbound>"
        f"<on-error><base />{on_error}</on-error></policies>"
    )


@dataclass(frozen=True)
class Response:
    """A response of the gateway with its complete body."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    def json(self) -> Any:
        return json.loads(self.body)


class Harness:
    """A gateway with a recording network, recorded token requests and a clock."""

    def __init__(
        self, service: Service, clock: Clock | None = None, readings: Readings | None = None
    ) -> None:
        self.network = RecordingNetwork()
        self.tokens = Tokens()
        self.clock = clock or Clock()
        rendered = any(document.source_map is not None for document in documents(service))
        counting = coverage.recorder() if rendered else None
        self.gateway = Gateway(
            service,
            network=self.network,
            identity=self.tokens,
            clock=self.clock,
            readings=readings or chosen(),
            counted=counting is not None,
        )
        if counting is not None:
            counting.watch(self.gateway)
        # Most gateways are cached, so the garbage collector need not examine their many objects.
        gc.freeze()

    def send(
        self,
        method: str = "GET",
        path: str = "/api/items",
        query: str = "",
        *,
        body: bytes | AsyncIterator[bytes] | None = None,
        ip: str = "203.0.113.7",
        **headers: str,
    ) -> Response:
        """Sends a request and reads the whole response; underscores in header names become hyphens."""
        pairs = [("Host", "gateway.example")]
        pairs += [(name.replace("_", "-"), value) for name, value in headers.items()]
        if isinstance(body, bytes):
            pairs.append(("Content-Length", str(len(body))))
        request = InboundRequest(
            method=method,
            path=path,
            query=query,
            headers=tuple(pairs),
            body=body,
            ip_address=ip,
            host="gateway.example",
        )

        return _run(self.handle(request))

    def send_in_parallel(self, count: int, path: str, *, body: bytes, **headers: str) -> list[Response]:
        """Posts the same body `count` times in parallel."""
        pairs = [("Host", "gateway.example"), ("Content-Length", str(len(body)))]
        pairs += [(name.replace("_", "-"), value) for name, value in headers.items()]
        request = InboundRequest(
            method="POST",
            path=path,
            query="",
            headers=tuple(pairs),
            body=body,
            ip_address="203.0.113.7",
            host="gateway.example",
        )

        async def send_all() -> list[Response]:
            return list(await asyncio.gather(*(self.handle(request) for _ in range(count))))

        return _run(send_all())

    async def handle(self, request: InboundRequest) -> Response:
        """Passes a request to the gateway and reads the whole response."""
        answer = await self.gateway.handle(request)
        content = await answer.read()
        await asyncio.sleep(0)
        return Response(answer.status, answer.reason, answer.headers, content)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine on the shared event loop, or on a new one if this is not the main thread.

    A test uses another thread to send a request while another request is processed.
    """
    if threading.current_thread() is threading.main_thread():
        return _runner().run(work)
    return asyncio.run(work)


@functools.cache
def _runner() -> asyncio.Runner:
    """The event loop of the main thread, shared because creating one takes as long as a simple request."""
    runner = asyncio.Runner()
    atexit.register(runner.close)
    return runner


def service(
    operation: str | None = None,
    *,
    api: str | None = None,
    global_policy: str | None = None,
    product: str | None = None,
    values: dict[str, str] | None = None,
    secrets: dict[str, str] | None = None,
    fragments: dict[str, str] | None = None,
    operations: tuple[Operation, ...] | None = None,
    subscriptions: tuple[Subscription, ...] = (),
    subscription_required: bool = False,
    sku: str = "BasicV2",
) -> Service:
    """A service with one API at /api, which has the operations GET /items and POST /items."""
    policy = document(operation, "operation") if operation else None
    return Service(
        name="test",
        gateway_url="https://gateway.example",
        sku=sku,
        policy=document(global_policy, "global") if global_policy else None,
        apis=(
            Api(
                id="api",
                name="The API",
                path="api",
                service_url=BACKEND,
                policy=document(api, "api") if api else None,
                subscription_required=subscription_required,
                operations=operations
                or tuple(
                    Operation(
                        id=f"{method.lower()}-items",
                        name="items",
                        method=method,
                        url_template="/items",
                        policy=policy,
                    )
                    for method in ("GET", "POST")
                ),
            ),
        ),
        products=(Product(id="gold", name="Gold", apis=("api",), policy=document(product, "product")),)
        if product
        else (),
        subscriptions=subscriptions,
        named_values=(
            *(NamedValue(name=name, value=value) for name, value in (values or {}).items()),
            *(NamedValue(name=name, value=value, secret=True) for name, value in (secrets or {}).items()),
        ),
        fragments=tuple(
            PolicyFragment(id=name, document=document(xml, f"fragment {name}"))
            for name, xml in (fragments or {}).items()
        ),
        identities=(
            ManagedIdentity(client_id=None, principal_id="p0"),
            ManagedIdentity(client_id=IDENTITY, principal_id="p1"),
        ),
        backends=(BackendEntity(id="other", url="https://other.example/base"),),
    )


def harness_with(operation: str | None = None, **parts: object) -> Harness:
    """A gateway whose operation has these policies; `reading` chooses one option, such as "query=raw"."""
    reading = parts.pop("reading", None)
    readings = Readings.parse([str(reading)] if reading else [])
    return Harness(service(operation, **parts), readings=readings)  # ty: ignore[invalid-argument-type]
