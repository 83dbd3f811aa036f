"""The twin's control API, through which tests and users change the state of the services.

It has its own port (the gateway's plus one), is reachable only from this machine, and rejects requests from
web pages: those with an `Origin` header or from another site (`Sec-Fetch-Site`), and those whose `Host` is
not a loopback name (DNS rebinding).
Bodies are JSON objects; an error lists the accepted values.

    GET /                       lists the calls and the services.
    POST /cache/clear           empties the gateway's cache, as Azure may do at any time.
    POST /faults                injects a fault: {"service": "cosmos", "status": 429,
                                "headers": {"x-ms-retry-after-ms": "5"}, "times": 3} returns a status three
                                times; "error": true makes connections fail; "delay": 2.5 delays responses by
                                2.5 seconds; without "times" the fault is active until it is cleared.
    DELETE /faults              clears all faults; with ?service=cosmos those of one service.
    POST /clock                 {"advance": 3600} moves the clock of all services, in seconds.
    GET /received               the requests that services received from the gateway, oldest first, with
                                masked credentials; with ?service=functions those of one service.
    GET /stand-in-requests      the requests that stand-ins for external services received from MCP servers,
                                oldest first, without header values; with ?service=jira those of one
                                stand-in.
    POST /entra/users/{id}      {"enabled": false} disables a user, by object id or sign-in name.
    GET /entra/agents           principals outside the stack that have app roles, with the secrets that they
                                authenticate with in this twin.
    POST /entra/keys/rotate     rotates Entra's signing key; with {"keepPrevious": false} the old key is
                                removed immediately.
    GET /servers                the MCP servers that run as processes: starting, ready, waiting or failed.
    POST /servers/{name}/restart  restarts a server with its current files and its current command in the
                                stack's file; the response is sent when it is ready or has failed.
    GET /stack                  the declared resources and outputs, without secrets.
    GET /readings               the twin's behaviour where Azure's is not documented, with all options.
    PUT /readings               {"query": "raw", "R4": "30s"} sets readings; the others get their default.
    POST /deployment            {"config": {"keyVersion": "2"}} changes settings of the stack, as far as they
                                concern API Management; under the reading named-value-order only a part of the
                                change takes effect until {"finish": true}.
    GET /hosts                  the local address of each host name of Azure.
    POST /identity/token        {"resource": "https://cosmos.azure.com"} returns a token of the gateway's
                                identity, with which `python -m gateway.admin` uses the store.
    GET /settings               the settings of the stack that the twin changed.
    GET /agent                  the settings of `python -m agent_demo`: the output agentSettings, how the
                                agents' identity signs in, and the token of GitHub's stand-in.
    GET /subscriptions/...      Azure Resource Manager, read-only: the gateway, Function and Container Apps.
    POST /tracing               {"on": true} records requests from now on, which costs a millisecond each.
    GET /traces                 the recorded requests, newest first; with ?path=/mcp those below it, with
                                ?status=401 or ?status=4xx those with such a status.
    GET /traces/{id}            the trace of one request: policies, expressions, changes and sent requests,
                                without secrets.
    GET /traces/view            the traces as web pages.
    GET /audit                  the latest audit records, newest first; with ?event=, ?outcome=, ?subject=,
                                ?client=, ?server= or ?operationId= those with that value.
    GET /audit/view             the audit records as a web page.
    POST /reset                 clears traces, audit records, cache, faults and recorded requests, resets the
                                clock, enables users, undoes changes of readings and settings; with
                                {"state": true} it also deletes registrations, sign-ins and snippets.

    curl -X POST localhost:8001/clock -d '{"advance": 3600}'
"""

import json
import math
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from apim.http.network import Fault, HttpNetwork
from apim.services import TraceTelemetry
from apim.trace import Trace
from twin.audit import audit_routes
from twin.behaviour import Behaviour, behaviour_routes
from twin.clock import Clock
from twin.control_call import InvalidCallError, read_fields
from twin.entra.accounts import Accounts
from twin.entra.keys import SigningKeys
from twin.monitor import Declared
from twin.request_log import RequestLog
from twin.resource_manager import ResourceManager
from twin.servers import Servers, server_routes
from twin.stack import UNKNOWN, Stack
from twin.traces import Recorder, trace_routes

_MAX_DELAY = 3600
_MAX_TIMES = 1_000_000
# RFC 9110, sections 5.1 and 5.5.
_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"|[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")
_FRAMING_HEADERS = frozenset({"content-length", "transfer-encoding"})
_MASK = "***"

_CALLS = {
    "GET /": "this list",
    "POST /cache/clear": "empty the gateway's cache",
    "POST /faults": "inject a fault: service, and status (with headers, body), error or delay; times",
    "DELETE /faults": "clear all faults, or those of ?service=",
    "POST /clock": "move the clock: advance (seconds)",
    "GET /received": "the requests that ?service= received from the gateway",
    "GET /stand-in-requests": "the requests that a stand-in, ?service=jira, received from its MCP server",
    "POST /entra/users/{id}": "enabled: false or true",
    "GET /entra/agents": "principals outside the stack that have app roles, and how each authenticates",
    "POST /entra/keys/rotate": "rotate Entra's signing key: keepPrevious (true)",
    "GET /servers": "the MCP servers that run as processes, and their state",
    "POST /servers/{name}/restart": "restart a server with its current files and command",
    "GET /stack": "the declared resources, without secrets",
    "GET /readings": "the twin's behaviour where Azure's is not documented",
    "PUT /readings": "set readings: name to option; the others get their default",
    "POST /deployment": "change settings: config (name to value); finish (true) completes a partial change",
    "GET /hosts": "the local address of each host name of Azure",
    "POST /identity/token": "a token of the gateway's identity, for gateway.admin: resource",
    "GET /settings": "the settings of the stack that the twin changed",
    "GET /agent": "the settings, environment and tokens of agent_demo",
    "GET /subscriptions/...": "Azure Resource Manager, read-only, for `make verify`",
    "POST /tracing": "record requests: on (true or false)",
    "GET /traces": "recorded requests: ?path= (a prefix), ?status= (401 or 4xx)",
    "GET /traces/{id}": "the trace of one request",
    "GET /traces/view": "the traces as web pages",
    "GET /audit": "audit records: ?event=, ?outcome=, ?subject=, ?client=, ?server=, ?operationId=",
    "GET /audit/view": "the audit records as a web page",
    "POST /reset": "undo all changes and clear all records; state (true) also deletes the stored data",
}


class Clearable(Protocol):
    """A collection that can be cleared."""

    def clear(self) -> None:
        """Removes all entries."""
        ...


class Tracing(Recorder, Protocol):
    """An object that records traces, such as the gateway."""

    tracing: bool

    @property
    def traces(self) -> deque[Trace]:
        """The recorded traces, oldest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAccess:
    """The credentials of the demo agent.

    Attributes:
        environment: environment variables with which `azure-identity` signs in as the agents' identity;
            secrets.
        tokens: tokens of servers that are not behind the gateway, by server; secrets.
    """

    environment: Mapping[str, str] = field(repr=False)
    tokens: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlContext:
    """The parts of the twin that the control API reads and changes.

    Attributes:
        cache: the gateway's cache.
        gateway: the gateway, with its traces.
        behaviour: changes readings and settings of the running twin.
        gateway_state: other collections of the gateway that a reset clears: counters of rate limits, tokens,
            keys.
        request_logs: the requests to stand-ins for external services, by the name of the service.
        telemetry: the telemetry of trace policies, oldest first.
        network: the gateway's network, with faults and recorded requests.
        clock: the clock of all services.
        accounts: Entra's users.
        keys: Entra's signing keys.
        agents: the credentials of each principal outside the stack.
        servers: the MCP servers that run as processes.
        stack: the evaluated stack.
        overrides: the settings that the twin changed; no secrets.
        delete_state: deletes documents and blobs.
        resource_manager: serves read requests to Azure Resource Manager; None to omit these operations.
        identity: returns a token of the gateway's identity for a resource, or raises `InvalidCallError`;
            None to omit the operation.
        agent: the credentials of the demo agent; None to omit the operation.
    """

    cache: Clearable
    gateway: Tracing
    behaviour: Behaviour
    gateway_state: tuple[Clearable, ...] = ()
    request_logs: Mapping[str, RequestLog] = field(default_factory=dict)
    telemetry: deque[TraceTelemetry] = field(default_factory=deque)
    network: HttpNetwork
    clock: Clock
    accounts: Accounts
    keys: SigningKeys
    agents: tuple[Mapping[str, str], ...] = field(default=(), repr=False)
    servers: Servers = field(default_factory=Servers)
    stack: Stack
    overrides: Mapping[str, str] = field(default_factory=dict)
    delete_state: Callable[[], Awaitable[None]]
    resource_manager: ResourceManager | None = None
    identity: Callable[[str], Awaitable[str]] | None = None
    agent: AgentAccess | None = None


def create_control(context: ControlContext) -> ASGIApp:
    """The control API as an ASGI application."""
    handlers = _Handlers(context)
    app = Starlette(
        routes=[
            Route("/", handlers.index, methods=["GET"]),
            Route("/cache/clear", handlers.clear_cache, methods=["POST"]),
            Route("/faults", handlers.add_fault, methods=["POST"]),
            Route("/faults", handlers.clear_faults, methods=["DELETE"]),
            Route("/clock", handlers.move_clock, methods=["POST"]),
            Route("/received", handlers.received, methods=["GET"]),
            Route("/stand-in-requests", handlers.stand_in_requests, methods=["GET"]),
            Route("/entra/users/{name}", handlers.switch_user, methods=["POST"]),
            Route("/entra/agents", handlers.agents, methods=["GET"]),
            Route("/entra/keys/rotate", handlers.rotate_keys, methods=["POST"]),
            *server_routes(context.servers),
            Route("/stack", handlers.stack, methods=["GET"]),
            *behaviour_routes(context.behaviour),
            Route("/hosts", handlers.hosts, methods=["GET"]),
            *(context.resource_manager.routes() if context.resource_manager else ()),
            Route("/settings", handlers.settings, methods=["GET"]),
            *([Route("/agent", handlers.agent, methods=["GET"])] if context.agent else ()),
            *(
                [Route("/identity/token", handlers.identity_token, methods=["POST"])]
                if context.identity
                else ()
            ),
            Route("/tracing", handlers.switch_tracing, methods=["POST"]),
            *trace_routes(context.gateway),
            *audit_routes(context.telemetry),
            Route("/reset", handlers.reset, methods=["POST"]),
        ],
        exception_handlers={
            InvalidCallError: _invalid_call,
            HTTPException: _unknown_call,
        },
    )
    return LoopbackOnly(app)


class LoopbackOnly:
    """Rejects requests from web pages, because any page in a browser on this machine could send them.

    Args:
        app: the application to protect.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles an ASGI connection."""
        if scope["type"] == "http":
            request = Request(scope)
            if "origin" in request.headers:
                refusal = "Web pages may not use the control API: the request has an Origin."
                await _error(403, refusal)(scope, receive, send)
                return
            # Requests for images, scripts and links have no Origin, but browsers send Sec-Fetch-Site.
            site = request.headers.get("sec-fetch-site", "none")
            if site not in {"none", "same-origin"}:
                refusal = f"Web pages may not use the control API: Sec-Fetch-Site is {site!r}."
                await _error(403, refusal)(scope, receive, send)
                return
            if not _is_loopback(request.headers.get("host", "")):
                refusal = "The control API accepts only the hosts localhost, 127.0.0.1 and [::1]."
                await _error(403, refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _Handlers:
    """The handlers, one for each operation."""

    def __init__(self, context: ControlContext) -> None:
        self._context = context

    async def index(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "twin": "control API",
                "calls": _CALLS,
                "services": self._services(),
                "readings": self._context.behaviour.readings.current.changed(),
            }
        )

    async def clear_cache(self, _request: Request) -> Response:
        self._context.cache.clear()
        return _ok()

    async def add_fault(self, request: Request) -> Response:
        fields = await read_fields(
            request, {"service", "status", "headers", "body", "error", "delay", "times"}, required={"service"}
        )
        service = self._service(fields["service"])
        fault = _fault(fields)
        self._context.network.faults.add(service, fault)
        return _ok()

    async def clear_faults(self, request: Request) -> Response:
        name = request.query_params.get("service")
        self._context.network.faults.clear(self._service(name) if name else None)
        return _ok()

    async def move_clock(self, request: Request) -> Response:
        fields = await read_fields(request, {"advance"}, required={"advance"})
        seconds = _number(fields, "advance", "seconds, such as 3600 (or -3600 to go back)")
        if abs(self._context.clock.offset + seconds) > _CENTURY:
            raise InvalidCallError("The clock may be moved by a hundred years at most.")
        self._context.clock.advance(seconds)
        now = datetime.fromtimestamp(self._context.clock.now(), UTC)
        return JSONResponse({"now": now.isoformat(), "offset": self._context.clock.offset})

    async def received(self, request: Request) -> Response:
        name = request.query_params.get("service")
        service = self._service(name) if name else None
        requests = [
            asdict(call) for call in self._context.network.received if service in (None, call.service)
        ]
        return _AsciiJsonResponse({"received": requests})

    async def stand_in_requests(self, request: Request) -> Response:
        name = request.query_params.get("service")
        known = self._context.request_logs
        if name is not None and name not in known:
            hint = f"The stand-ins are: {', '.join(sorted(known))}." if known else "This stack uses none."
            raise InvalidCallError(f"There is no stand-in {name!r}. {hint}")
        requests = [
            {"service": service, **asdict(received)}
            for service, request_log in known.items()
            if name in {None, service}
            for received in request_log.requests()
        ]
        return _AsciiJsonResponse({"requests": requests})

    async def switch_user(self, request: Request) -> Response:
        fields = await read_fields(request, {"enabled"}, required={"enabled"})
        if not isinstance(fields["enabled"], bool):
            raise InvalidCallError("enabled must be true or false.")
        switch = self._context.accounts.enable if fields["enabled"] else self._context.accounts.disable
        try:
            switch(request.path_params["name"])
        except KeyError as error:
            return _error(404, f"{error.args[0]}.")
        return _ok()

    async def agents(self, _request: Request) -> Response:
        return _AsciiJsonResponse({"agents": [dict(agent) for agent in self._context.agents]})

    async def rotate_keys(self, request: Request) -> Response:
        fields = await read_fields(request, {"keepPrevious"})
        keep = fields.get("keepPrevious", True)
        if not isinstance(keep, bool):
            raise InvalidCallError("keepPrevious must be true (a normal rotation) or false (an emergency).")
        self._context.keys.rotate(keep_previous=keep)
        return _ok()

    async def stack(self, _request: Request) -> Response:
        stack = self._context.stack
        return JSONResponse(
            {
                "resources": [describe(resource) for resource in stack.resources],
                "outputs": {
                    name: _MASK if name in stack.secret_outputs else _plain(value)
                    for name, value in stack.outputs.items()
                },
            }
        )

    async def hosts(self, _request: Request) -> Response:
        hosts = self._context.network.hosts.items()
        return JSONResponse({host: upstream.base_url for host, upstream in sorted(hosts)})

    async def settings(self, _: Request) -> Response:
        return JSONResponse({"settings": dict(self._context.overrides)})

    async def agent(self, _: Request) -> Response:
        access = self._context.agent
        assert access is not None  # noqa: S101 -- the route exists only with it
        return JSONResponse(
            {
                "settings": self._context.stack.outputs.get("agentSettings"),
                "environment": dict(access.environment),
                "tokens": dict(access.tokens),
            }
        )

    async def identity_token(self, request: Request) -> Response:
        fields = await read_fields(request, {"resource"}, required={"resource"})
        if not isinstance(fields["resource"], str):
            raise InvalidCallError('resource must be a string, such as "https://cosmos.azure.com".')
        identity = self._context.identity
        token = await identity(fields["resource"]) if identity else ""
        return JSONResponse({"token": token}, headers={"Cache-Control": "no-store"})

    async def switch_tracing(self, request: Request) -> Response:
        fields = await read_fields(request, {"on"}, required={"on"})
        if not isinstance(fields["on"], bool):
            raise InvalidCallError("on must be true or false.")
        self._context.gateway.tracing = fields["on"]
        return _ok()

    async def reset(self, request: Request) -> Response:
        fields = await read_fields(request, {"state"})
        state = fields.get("state", False)
        if not isinstance(state, bool):
            raise InvalidCallError(
                "state must be true (also delete registrations, sign-ins, snippets) or false."
            )
        context = self._context
        for collection in (context.cache, *context.gateway_state):
            collection.clear()
        context.network.faults.clear()
        context.network.received.clear()
        for request_log in context.request_logs.values():
            request_log.clear()
        context.gateway.traces.clear()
        context.telemetry.clear()
        context.clock.reset()
        context.accounts.reset()
        context.behaviour.reset()
        if state:
            await context.delete_state()
        return _ok()

    def _services(self) -> list[str]:
        return sorted({upstream.service for upstream in self._context.network.hosts.values()})

    def _service(self, name: object) -> str:
        known = self._services()
        if name not in known:
            raise InvalidCallError(f"There is no service {name!r}. The services are: {', '.join(known)}.")
        return str(name)


_CENTURY = 100 * 365 * 24 * 3600


def describe(resource: Declared) -> dict[str, Any]:
    """A declared resource as JSON, with its secrets masked."""
    return {
        "urn": resource.urn,
        "type": resource.type,
        "name": resource.name,
        "id": resource.id,
        "parent": resource.parent,
        "inputs": {key: _masked(resource, key, value) for key, value in resource.inputs.items()},
        "outputs": {
            key: _MASK if key in resource.secret_outputs else _masked(resource, key, value)
            for key, value in resource.outputs.items()
        },
        "dependencies": sorted(resource.dependencies),
        "protect": resource.protect,
    }


def _masked(resource: Declared, path: str, value: Any) -> Any:
    if resource.is_secret(path):
        return _MASK
    if isinstance(value, Mapping):
        return {key: _masked(resource, f"{path}.{key}", item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(resource, f"{path}[{index}]", item) for index, item in enumerate(value)]
    return _plain(value)


def _plain(value: Any) -> Any:
    return None if value is UNKNOWN else value


def _fault(fields: Mapping[str, Any]) -> Fault:
    """Reads a fault from the fields of a request.

    Raises:
        InvalidCallError: the fields describe no fault, or an invalid fault.
    """
    if not {"status", "error", "delay"} & fields.keys():
        raise InvalidCallError("A fault needs one of status (200 to 599), error (true) or delay (seconds).")
    status = fields.get("status")
    if status is not None and (not _is_integer(status) or not 200 <= status <= 599):  # noqa: PLR2004 - final statuses
        raise InvalidCallError("status must be an HTTP status from 200 to 599.")
    error = fields.get("error", False)
    if not isinstance(error, bool):
        raise InvalidCallError("error must be true; connections to the service then fail.")
    if error and status is not None:
        raise InvalidCallError("status and error cannot be combined: send one of them.")
    headers = _headers(fields)
    body = fields.get("body", "")
    if not isinstance(body, str) or not _is_unicode(body):
        raise InvalidCallError("body must be a string.")
    times = fields.get("times")
    if times is not None and (not _is_integer(times) or not 1 <= times <= _MAX_TIMES):
        raise InvalidCallError(
            f"times must be a number of requests from 1 to {_MAX_TIMES}; omit it for all requests."
        )
    delay = _number(fields, "delay", "seconds to wait before the response") if "delay" in fields else 0.0
    if not 0 <= delay <= _MAX_DELAY:
        raise InvalidCallError(f"delay must be from 0 to {_MAX_DELAY} seconds.")
    return Fault(status=status, headers=headers, body=body, error=error, delay=delay, times=times)


def _headers(fields: Mapping[str, Any]) -> dict[str, str]:
    """The headers of a fault's response.

    Raises:
        InvalidCallError: they are not valid in a response.
    """
    headers = fields.get("headers", {})
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise InvalidCallError('headers must be an object of strings, such as {"retry-after": "1"}.')
    for name, value in headers.items():
        if not _FIELD_NAME.fullmatch(name):
            raise InvalidCallError(
                f"{name!r} is not a header name; allowed are letters, digits and !#$%&'*+-.^_`|~ only."
            )
        if not _FIELD_VALUE.fullmatch(value):
            raise InvalidCallError(
                f"The header {name} has line breaks or other control characters, leading or trailing "
                "spaces, or characters beyond ASCII, which a response cannot contain."
            )
        if name.lower() in _FRAMING_HEADERS:
            raise InvalidCallError(f"{name} is derived from the body; omit it.")
    return headers


def _number(fields: Mapping[str, Any], name: str, meaning: str) -> float:
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidCallError(f"{name} must be a number of {meaning}.")
    return float(value)


def _is_unicode(text: str) -> bool:
    """Whether a string has no lone surrogates, which JSON allows but UTF-8 does not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_loopback(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname in {"localhost", "127.0.0.1", "::1"}
    except ValueError:
        return False


async def _invalid_call(_request: Request, error: Exception) -> Response:
    return _error(400, str(error))


async def _unknown_call(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _error(status, f"There is no {request.method} {request.url.path}. GET / lists the calls.")


class _AsciiJsonResponse(JSONResponse):
    """JSON in which all characters beyond ASCII are escaped.

    Bytes of a header that are not UTF-8 are surrogates in Python's strings (0xff is U+DCFF), which can be
    written as JSON escapes but not in UTF-8.
    """

    def render(self, content: Any) -> bytes:
        return json.dumps(content).encode("ascii")


def _ok() -> Response:
    return JSONResponse({"ok": True})


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status)
