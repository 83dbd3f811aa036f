"""Sends the gateway's requests over HTTP to backends, Microsoft Entra ID and Cosmos DB.

URLs keep the host names that Azure computes; a table maps each of them to a local port. Faults can be
injected for each of these services, and the requests that each received are recorded.
"""

import asyncio
import base64
import binascii
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

from apim.failure import SendError
from apim.hop_by_hop import end_to_end
from apim.http.connections import Connections, Exchange, NoResponseError, Outgoing, Server
from apim.network import Headers, Reply

_SHOWN_CLAIMS = ("iss", "aud", "sub", "oid", "tid", "appid", "azp", "idtyp", "roles", "scp", "exp")
_CREDENTIAL = re.compile(r"authorization|cookie|(^|-)(api)?(key|token|secret|password)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A local service that receives the requests for a host.

    Attributes:
        service: its name in faults and records.
        base_url: such as "http://127.0.0.1:8005".
    """

    service: str
    base_url: str


@dataclass(slots=True, kw_only=True)
class Fault:
    """An injected fault: it replaces the response of a service, or only delays it.

    Attributes:
        status: respond with this status, `headers` and `body`.
        error: fail the connection.
        delay: seconds to wait before it takes effect.
        times: the number of requests that are affected; None for all requests until it is cleared.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    error: bool = False
    delay: float = 0.0
    times: int | None = None


class Faults:
    """The active faults, by service. They are used in the order in which they were added."""

    def __init__(self) -> None:
        self._faults: dict[str, deque[Fault]] = {}

    def add(self, service: str, fault: Fault) -> None:
        """Adds a fault after the existing faults of the service."""
        self._faults.setdefault(service, deque()).append(fault)

    def clear(self, service: str | None = None) -> None:
        """Removes the faults of one service, or of all."""
        if service is None:
            self._faults.clear()
        else:
            self._faults.pop(service, None)

    def take(self, service: str) -> Fault | None:
        """The fault for the next request; decreases its `times`."""
        queue = self._faults.get(service)
        if not queue:
            return None
        fault = queue[0]
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                queue.popleft()
        return fault

    def __bool__(self) -> bool:
        return any(self._faults.values())


@dataclass(slots=True, kw_only=True)
class Received:
    """One request that was sent to a service, with credentials masked.

    Attributes:
        status: of the response; None before it, or if the connection failed.
        body_size: bytes; None for a streamed body.
        claims: if the bearer token is a JWT, its claims about issuer, audience and subject.
    """

    service: str
    method: str
    url: str
    headers: Headers
    body_size: int | None
    claims: dict[str, object]
    status: int | None = None


class HttpNetwork:
    """A network of HTTP servers.

    Args:
        hosts: the local services that replace hosts; the key is a host name, or host:port.
        remember: the number of requests that `received` keeps.
    """

    def __init__(self, hosts: Mapping[str, Upstream] | None = None, *, remember: int = 500) -> None:
        self.hosts: dict[str, Upstream] = dict(hosts or {})
        self.faults = Faults()
        self.received: deque[Received] = deque(maxlen=remember)
        self._connections = Connections()

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Headers,
        body: bytes | AsyncIterator[bytes] | None = None,
        timeout: float = 300.0,  # noqa: ASYNC109 -- as in Network.send
    ) -> Reply:
        """Sends a request and waits for the headers of the response; see `apim.network.Network.send`."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SendError(f"not an absolute http or https URL: {url!r}")
        upstream = self.hosts.get(parts.netloc) or self.hosts.get(parts.hostname)
        service = upstream.service if upstream else parts.netloc
        headers = end_to_end(headers)
        record = _record(service, method, url, headers, body)
        self.received.append(record)
        deadline = asyncio.timeout(timeout)
        try:
            async with deadline:
                reply = await self._fault(service) or await self._answer(record, upstream, url, headers, body)
        except TimeoutError as error:
            message = f"{service} sent no response within {timeout:g} s"
            raise SendError(message, timed_out=True) from error
        record.status = reply.status
        return reply

    def service_of(self, url: str) -> str:
        """The name of the local service that replaces the URL's host; the host itself if there is none."""
        parts = urlsplit(url)
        upstream = self.hosts.get(parts.netloc) or self.hosts.get(parts.hostname or "")
        return upstream.service if upstream else parts.netloc.rpartition("@")[2]

    async def close(self) -> None:
        """Closes every connection."""
        await self._connections.close()

    async def _fault(self, service: str) -> Reply | None:
        """Applies an active fault and returns its response; None if there is no fault, or only a delay."""
        fault = self.faults.take(service)
        if fault is None:
            return None
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.error:
            raise SendError(f"{service} cannot be reached (an injected fault)")
        if fault.status is None:
            return None
        content = fault.body.encode()
        headers = [*fault.headers.items(), ("Content-Length", str(len(content)))]
        return Reply(status=fault.status, reason="", headers=headers, content=content)

    async def _answer(
        self,
        record: Received,
        upstream: Upstream | None,
        url: str,
        headers: Headers,
        body: bytes | AsyncIterator[bytes] | None,
    ) -> Reply:
        server, target, host = _target(url, upstream.base_url if upstream is not None else None)
        request = Outgoing(method=record.method, target=target, host=host, headers=headers, body=body)
        try:
            exchange = await self._connections.request(server, request)
        except NoResponseError as error:
            raise SendError(f"{record.service} cannot be reached: {error}") from error
        return reply_of(exchange)


def reply_of(exchange: Exchange) -> Reply:
    """The reply for a response whose head has arrived."""
    message = exchange.message
    return Reply(
        status=message.code,
        reason=message.reason,
        headers=[(_text(name), _text(value)) for name, value in message.raw_headers],
        body=exchange,
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


@lru_cache(maxsize=128)
def _target(url: str, base: str | None) -> tuple[Server, str, str]:
    """The server, the path with the query, and the value of the Host header for a request.

    Args:
        url: the URL of the request.
        base: the base URL of the local service that replaces the URL's host; None to send it to that host.
    """
    asked = urlsplit(url)
    _, _, rest = url.partition("://")
    start = min((at for at in (rest.find(mark) for mark in "/?#") if at >= 0), default=len(rest))
    path = rest[start:].partition("#")[0]
    if not path.startswith("/"):
        path = "/" + path
    goes = asked if base is None else urlsplit(base)
    secure = goes.scheme == "https"
    server = Server(secure, goes.hostname or "", goes.port or (443 if secure else 80))
    return server, goes.path.rstrip("/") * (base is not None) + path, asked.netloc.rpartition("@")[2]


def _record(
    service: str, method: str, url: str, headers: Headers, body: bytes | AsyncIterator[bytes] | None
) -> Received:
    size = 0 if body is None else len(body) if isinstance(body, bytes) else None
    claims: dict[str, object] = {}
    shown: Headers = []
    for name, value in headers:
        if not _is_credential(name):
            shown.append((name, value))
            continue
        scheme, space, credential = value.partition(" ")
        if name.lower() == "authorization":
            claims = _claims((credential or value).rpartition("sig%3d")[2])
            if space:
                shown.append((name, f"{scheme} *** ({len(credential)} characters)"))
                continue
        shown.append((name, f"*** ({len(value)} characters)"))
    return Received(
        service=service,
        method=method,
        url=_without_secrets(url),
        headers=shown,
        body_size=size,
        claims=dict(claims),
    )


@lru_cache(maxsize=256)
def _is_credential(header: str) -> bool:
    return _CREDENTIAL.search(header) is not None


@lru_cache(maxsize=32)
def _claims(token: str) -> dict[str, object]:
    """The claims of a JWT that a record shows; its signature is not verified."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 -- a JWS in compact form (RFC 7515, section 7.1)
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    except (binascii.Error, ValueError):
        return {}
    if not isinstance(claims, dict):
        return {}
    return {name: claims[name] for name in _SHOWN_CLAIMS if name in claims}


def _without_secrets(url: str) -> str:
    """A URL whose query values, which may be codes or keys, are masked."""
    start, question, query = url.partition("?")
    if not question:
        return start
    return start + "?" + "&".join(part.partition("=")[0] + "=***" for part in query.split("&"))
