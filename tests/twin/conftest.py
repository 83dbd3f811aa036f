"""Shared fixtures of the stand-ins' tests: a real HTTP server around an ASGI application."""

import asyncio
import datetime as dt
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.types import ASGIApp

from tests.twin.cosmos_account import Cosmos
from tests.twin.entra_tenant import Entra
from twin.clock import Clock
from twin.cosmos import SqliteStore


class Serve(Protocol):
    def __call__(self, app: ASGIApp) -> AbstractContextManager[str]: ...


class ServeBuilt(Protocol):
    def __call__(
        self, build: Callable[[str], ASGIApp], *, certificate: Path | None = None
    ) -> AbstractContextManager[str]: ...


class _Server(uvicorn.Server):
    """A uvicorn server that notifies other threads when it has started."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        # An orderly close over TLS would wait for the client. uvicorn misses a connection whose handshake
        # ends while the server stops, so asyncio's own list of connections is used.
        loop: Any = asyncio.get_running_loop()
        for transport in list(loop._transports.values()):
            transport.abort()
        # Closing a transport takes effect in the next iteration of the loop.
        for _ in range(3):
            await asyncio.sleep(0)


@contextmanager
def _serve_built(build: Callable[[str], ASGIApp], *, certificate: Path | None = None) -> Generator[str]:
    # Only for a socket that names its protocol does asyncio disable Nagle's algorithm, which delays data.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    scheme = "http" if certificate is None else "https"
    base_url = f"{scheme}://localhost:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        build(base_url),
        http="h11",
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        server_header=False,
        ssl_certfile=certificate,
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        assert server.ready.wait(timeout=60), "the server did not start within 60 s"
        yield base_url
    finally:
        # Without waiting for connections that clients left open: tests have received their responses.
        server.force_exit = server.should_exit = True
        thread.join(timeout=60)
        listener.close()


@pytest.fixture(scope="session")
def serve() -> Serve:
    """`with serve(app) as base_url`: an ASGI application on a free port of this machine."""
    return lambda app: _serve_built(lambda _base_url: app)


@pytest.fixture(scope="session")
def serve_built() -> ServeBuilt:
    """`with serve_built(lambda base_url: app) as base_url`: for applications that must know their own URL.

    With a `certificate` it uses TLS.
    """
    return _serve_built


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file with key and self-signed certificate of localhost, for clients that require TLS."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture(scope="session")
def _entra(serve_built: ServeBuilt) -> Iterator[Entra]:
    running: list[Entra] = []

    def build(base_url: str) -> ASGIApp:
        running.append(Entra(base_url, Clock()))
        return running[0].app

    with serve_built(build):
        yield running[0]
        running[0].http.close()


@pytest.fixture
def entra(_entra: Entra) -> Iterator[Entra]:
    """A running stand-in for Entra ID, in its initial state for each test."""
    yield _entra
    _entra.clock.advance(time.time() - _entra.clock.now())
    _entra.app.state.accounts.reset()
    _entra.http.cookies.clear()


@pytest.fixture(scope="session")
def _cosmos(serve_built: ServeBuilt) -> Iterator[Cosmos]:
    clock = Clock()
    store = SqliteStore(None, clock)
    running: list[Cosmos] = []

    def build(base_url: str) -> ASGIApp:
        running.append(Cosmos(base_url, clock, store))
        return running[0].app

    with serve_built(build):
        yield running[0]
        running[0].http.close()
    store.close()


@pytest.fixture
def cosmos(_cosmos: Cosmos) -> Iterator[Cosmos]:
    """A running stand-in for Cosmos DB, empty for each test."""
    yield _cosmos
    _cosmos.clock.advance(time.time() - _cosmos.clock.now())
    _cosmos.app.state.throttle.reject_next(0)
    _cosmos.store.clear()


# A module with tests of a real MCP server defines the fixture `real_server`: the stand-in that the server
# calls, and a session for each transport.


@pytest.fixture
def sessions(real_server):
    """The sessions by transport; the stand-in has its initial data."""
    stand_in, by_transport = real_server
    stand_in.reset()
    return by_transport


@pytest.fixture(params=["sse", "http"])
def either_session(sessions, request):
    """The session over one of the two transports; a test runs with each."""
    return sessions[request.param]


@pytest.fixture
def session(sessions):
    return sessions["http"]


@pytest.fixture
def stand_in(real_server):
    return real_server[0]
