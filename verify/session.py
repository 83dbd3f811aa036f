"""The state that the checks of one run share: the target, the HTTP client, and the results."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import httpx2

from configuration import tool_lock
from verify.target import Server, Target, is_loopback

_TIMEOUT = httpx2.Timeout(30, connect=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """Durations in seconds.

    Attributes:
        stream: the time for which an event stream must stay open.
        call: the duration of a slow call.
        start: the time for which a server may return status 503 because it is starting.
        sign_in: the time that a user has for a sign-in.
        revocation: the time for which a token may be accepted after its sign-in has ended. API Management
            caches the status of a grant for 30 seconds; see docs/authorization.md.
    """

    stream: float = 60.0
    call: float = 45.0
    start: float = 60.0
    sign_in: float = 300.0
    revocation: float = 40.0


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SignIn:
    """A completed sign-in.

    Attributes:
        server: the MCP server for which the token is valid.
        access_token: the access token.
        redemption: the form with which the code was exchanged.
    """

    server: Server
    access_token: str
    redemption: Mapping[str, str]

    @property
    def headers(self) -> dict[str, str]:
        """The header with the token."""
        return {"Authorization": f"Bearer {self.access_token}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The API Management service, as Azure Resource Manager describes it.

    Attributes:
        id: resource id.
        identities: client id and object id of each user-assigned identity.
        tenant: the Entra tenant of these identities.
    """

    id: str
    identities: tuple[tuple[str, str], ...]
    tenant: str

    @property
    def resource_group(self) -> str:
        """The resource id of its resource group."""
        return self.id.partition("/providers/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A Function App or Container App of the stack.

    Attributes:
        id: resource id.
        name: name of the app.
        hosts: public host names.
        server: name of the MCP server to which the app belongs; None if it is not known.
        is_site: True for a Function App, False for a Container App.
    """

    id: str
    name: str
    hosts: tuple[str, ...]
    server: str | None
    is_site: bool


@dataclass(frozen=True, slots=True)
class Observation:
    """An observation that answers one of the open questions about Azure.

    Attributes:
        option: the observed option of the question.
        evidence: what was observed.
    """

    option: str
    evidence: str


@dataclass(kw_only=True)
class Session:
    """One run.

    Attributes:
        target: the verified stack.
        durations: durations of requests and waits.
        open_browser: shows the user the page at a URL; the first argument is its purpose. None to sign in to
            no server.
        transport: creates the transport of a client; None for the network.
        client_id: client id of the registration of this run.
        sign_ins: completed sign-ins by the name of the server.
        service: the API Management service; None before it is found.
        called: the servers on which a tool was called, each with the transport: `http` or `sse`.
        observations: observations by the id of the question.
        tool_lock_file: the file with the reviewed tools.
    """

    target: Target
    durations: Durations
    open_browser: Callable[[str, str], None] | None
    transport: Callable[[], httpx2.AsyncBaseTransport] | None = None
    client_id: str = ""
    sign_ins: dict[str, SignIn] = field(default_factory=dict)
    service: Service | None = None
    called: set[tuple[str, str]] = field(default_factory=set)
    observations: dict[str, Observation] = field(default_factory=dict)
    tool_lock_file: Path = tool_lock.PATH

    @property
    def url(self) -> str:
        """Origin of the gateway."""
        return self.target.url

    @property
    def issuer(self) -> str:
        """URL of the authorization server."""
        return self.target.issuer

    def client(
        self,
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
    ) -> httpx2.AsyncClient:
        """A new client, which follows no redirects."""
        return httpx2.AsyncClient(
            headers=headers,
            timeout=timeout or _TIMEOUT,
            auth=auth,
            transport=self.transport() if self.transport else None,
            # A proxy in the environment variables must not be used for addresses on this machine.
            trust_env=not is_loopback(self.url),
        )

    @cached_property
    def http(self) -> httpx2.AsyncClient:
        """The client for single requests; `run` closes it."""
        return self.client()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Sends one request; a `url` that begins with a slash is a path at the gateway."""
        address = f"{self.url}{url}" if url.startswith("/") else url
        return await self.http.request(method, address, headers=headers, params=params, json=json, data=form)

    async def probe(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """Sends one request and reads only the head of the response, whose body may be a stream."""
        address = f"{self.url}{url}" if url.startswith("/") else url
        async with self.http.stream(method, address, headers=headers) as answer:
            return answer
