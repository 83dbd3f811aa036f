"""API Management's gateway: it runs the policies of each request and returns the response.

https://learn.microsoft.com/azure/api-management/api-management-howto-policies
"""

import asyncio
import itertools
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable

from apim.cache import Cache
from apim.clock import Clock
from apim.compiled import CompiledService, Pipeline
from apim.compiled_documents import LocatedExpression
from apim.counters import Counters
from apim.csharp import UnsupportedError
from apim.csharp import context as csharp
from apim.failure import Failure, FinishedError, SendError
from apim.findings import Finding
from apim.forwarding import field_lines
from apim.hop_by_hop import end_to_end
from apim.identity import CachedTokens, IdentityTokens
from apim.keysets import OpenIdConfigurations
from apim.messages import InboundRequest, OutboundResponse, PayloadTooLargeError
from apim.network import Network
from apim.policies.cors import is_preflight
from apim.policies.set_header import CONNECTION_HEADERS
from apim.readings import Readings
from apim.routing import Match, without_dot_segments
from apim.run import Run, query_values, url_of
from apim.service import Service
from apim.services import Services
from apim.statements import Action, Statement
from apim.trace import Trace

_LOG = logging.getLogger(__name__)
# Bytes; https://learn.microsoft.com/azure/api-management/service-limits. The limit of the query applies to
# the v2 tiers.
_LONGEST_URL = 16_384
_LONGEST_V2_QUERY = 2_048
_CHUNK = 8 * 1024
_CACHE_BYTES = {
    "Consumption": 0,
    "BasicV2": 250_000_000,
    "StandardV2": 1_000_000_000,
    "PremiumV2": 5_000_000_000,
}
_LONGEST_REQUEST = 30.0
_CLOCKS_APART = 0.05
_PROXY_ADDRESS = "10.0.0.4"
_NOTHING: frozenset[str] = frozenset()
_EXP = frozenset({"exp"})


class Gateway:
    """Responds to requests as the service would.

    Args:
        service: the declared service.
        network: sends requests to backends.
        identity: requests tokens of managed identities.
        clock: the clock for tokens, caches and limits.
        readings: the gateway's behaviour where Azure's is not documented.
        traces: the number of traces to keep.
        counted: whether each source location of the C# counts the outcomes of its decisions; otherwise
            expressions with the same text are shared.

    Raises:
        PolicyError: the policies have errors; it has all findings.

    Attributes:
        services: the parts of the gateway that policies use, such as its cache.
        tracing: whether requests are traced.
        traces: the latest traces, the oldest first.
        longest_request: seconds, under the reading duration-limit=30s.
    """

    def __init__(
        self,
        service: Service,
        *,
        network: Network,
        identity: IdentityTokens,
        clock: Clock,
        readings: Readings | None = None,
        traces: int = 200,
        counted: bool = False,
    ) -> None:
        self.services = Services(
            network=network,
            clock=clock,
            cache=Cache(clock, capacity=_CACHE_BYTES.get(service.sku, 250_000_000)),
            counters=Counters(clock),
            tokens=CachedTokens(identity, clock),
            keys=OpenIdConfigurations(network, clock),
        )
        self.tracing = False
        self.traces: deque[Trace] = deque(maxlen=traces)
        self.longest_request = _LONGEST_REQUEST
        self._longest_query = _LONGEST_V2_QUERY if service.sku.endswith("V2") else _LONGEST_URL
        self._lags = itertools.cycle((0.0, _CLOCKS_APART))
        self._counted = counted
        self._readings = readings or Readings.default()
        self._compiled = CompiledService(service, counted=counted)
        self._compiled.check(self._readings)

    @property
    def service(self) -> Service:
        """The service as it is declared."""
        return self._compiled.service

    @property
    def readings(self) -> Readings:
        """The gateway's behaviour where Azure's is not documented."""
        return self._readings

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that do not stop the policies from working."""
        return self._compiled.warnings

    @property
    def used_values(self) -> frozenset[str]:
        """The names of the named values that policies mention."""
        return self._compiled.used_values

    @property
    def used_fragments(self) -> frozenset[str]:
        """The ids of the fragments that policies include."""
        return self._compiled.used_fragments

    @property
    def expressions(self) -> tuple[LocatedExpression, ...]:
        """All expressions of the policies, with their source locations."""
        return self._compiled.expressions

    @property
    def statements(self) -> tuple[Statement, ...]:
        """All policies with their source locations, and whether they ever ran."""
        return self._compiled.statements

    def use(self, readings: Readings) -> None:
        """Applies other readings from the next request on.

        Raises:
            PolicyError: API Management would reject the policies under them; the readings are not changed.
        """
        self._compiled.check(readings)
        self._readings = readings

    def load(self, service: Service) -> None:
        """Runs another configuration of the service from the next request on; caches and counters are kept.

        Raises:
            PolicyError: the policies have errors; the gateway is not changed.
        """
        compiled = CompiledService(service, counted=self._counted)
        compiled.check(self._readings)
        self._compiled = compiled

    async def handle(self, request: InboundRequest) -> OutboundResponse:
        """Responds to a request. A streamed body of the response must be read to its end or closed."""
        if self._readings.duration_limit == "none":
            return await self._handle(request)
        deadline = asyncio.get_running_loop().time() + self.longest_request
        try:
            async with asyncio.timeout_at(deadline):
                answer = await self._handle(request)
        except TimeoutError:
            return _json_answer(504, f"The request took longer than {self.longest_request:g} seconds.")
        if not isinstance(answer.body, bytes):
            answer.body = _until(deadline, answer.body)
        return answer

    async def _handle(self, request: InboundRequest) -> OutboundResponse:
        if (
            len(request.path) + len(request.query) + 1 > _LONGEST_URL
            or len(request.query) > self._longest_query
        ):
            return _json_answer(414, "The request URL is too long.")
        compiled = self._compiled
        path = without_dot_segments(request.path)
        match = compiled.routes.match(request.method, path, request.query)
        run = self._run(compiled, request, path, match)
        if self.tracing:
            run.trace = self._trace(compiled, request, match, run)
        try:
            await self._pass(compiled, run, match)
        except PayloadTooLargeError:
            run.drop_reply()
            run.end()
            answer = _json_answer(413, "The request body is too large.")
            if run.trace is not None:
                run.trace.end(answer.status)
            return answer
        except BaseException:
            run.drop_reply()
            run.end()
            raise
        answer = _answer(run)
        if run.trace is not None:
            run.trace.end(answer.status)
        return answer

    def reset(self) -> None:
        """Removes the state between requests: cached values, counters, tokens, keys, traces, metrics."""
        self.services.clear()
        self.traces.clear()

    async def close(self) -> None:
        """Cancels the background tasks."""
        await self.services.background.cancel()

    async def _pass(self, compiled: CompiledService, run: Run, match: Match | None) -> None:
        """Runs the pipeline of the request; afterwards `context.Response` is the response."""
        pipeline = compiled.default
        try:
            if match is None:
                raise _operation_not_found()
            api, operation = match.api, match.operation
            pipeline = compiled.pipeline(api, None)
            if operation is None:
                _preflight(compiled, run, match)
                raise _operation_not_found()
            pipeline = compiled.pipeline(api, operation)
            product = compiled.subscriptions.admit(api, run.context)
            pipeline = compiled.pipeline(api, operation, product)
            await _perform(pipeline.inbound, run)
            await _perform(pipeline.backend, run)
            if run.context.response is None:
                run.context.response = csharp.Response(status_code=200, status_reason="OK")
            await _perform(pipeline.outbound, run)
        except FinishedError:
            return
        except Failure as failure:
            await self._fail(compiled, run, failure, pipeline)

    async def _fail(self, compiled: CompiledService, run: Run, failure: Failure, pipeline: Pipeline) -> None:
        """Runs on-error for a failed request."""
        context = run.context
        _log(compiled, run, failure)
        if not failure.keep_response:
            run.drop_reply()
            context.response = _error_response(run, failure)
        context.last_error = csharp.LastError(
            source=failure.source,
            reason=failure.reason,
            message=failure.message,
            scope=failure.scope,
            section=failure.section,
            path=failure.path,
            policy_id=failure.policy_id,
        )
        try:
            await _perform(pipeline.on_error, run)
        except FinishedError:
            return
        except Failure as second:
            run.drop_reply()
            second.status, second.public = 500, None
            _log(compiled, run, second)
            context.response = _error_response(run, second)

    def _run(self, compiled: CompiledService, request: InboundRequest, path: str, match: Match | None) -> Run:
        readings = self._readings
        visible = readings.hop_by_hop == "visible"
        headers = csharp.Headers()
        for name, value in request.headers if visible else end_to_end(list(request.headers)):
            headers.add(name, value)
        address = request.ip_address
        if readings.client_address == "proxy":
            headers.add("X-Forwarded-For", address)
            address = _PROXY_ADDRESS
        now = self.services.clock.now if readings.unit_clocks == "equal" else self._clock_of_next_unit()
        query = query_values(request.query, readings)
        query_string = "?" + request.query if request.query else ""
        original = url_of(f"{request.scheme}://{request.host}", path, query_string, query)
        api = match.api if match else None
        base = api.service_url if api else None
        rest = match.rest if match and match.operation else path
        url = url_of(base or f"{request.scheme}://{request.host}", rest, query_string, dict(query))
        body = request.body
        context = csharp.Context(
            request=csharp.Request(
                method=request.method,
                url=url,
                original_url=original,
                headers=headers,
                body=csharp.Body(body) if isinstance(body, bytes) and body else None,
                ip_address=address,
                matched_parameters=match.parameters if match else {},
            ),
            response=None,
            variables={},
            api=compiled.context_api(api),
            operation=compiled.context_operation(match.api, match.operation)
            if match and match.operation
            else None,
            deployment=compiled.deployment,
            now=now,
            timestamp=now(),
            fixed_headers=CONNECTION_HEADERS if visible else _NOTHING,
            hidden_claims=_EXP if readings.claims_exp == "absent" else _NOTHING,
        )
        run = Run(self.services, context, readings=readings, rest=rest, base=base, host=request.host)
        if body is not None and not isinstance(body, bytes):
            run.request_stream = body
            run.request_length = ",".join(headers.get("Content-Length") or []) or None
        return run

    def _clock_of_next_unit(self) -> Callable[[], float]:
        lag = next(self._lags)
        return lambda: self.services.clock.now() - lag

    def _trace(
        self, compiled: CompiledService, request: InboundRequest, match: Match | None, run: Run
    ) -> Trace:
        operation = match.operation if match else None
        trace = Trace(
            request_id=str(run.context.request_id),
            method=compiled.shown.method(request.method),
            path=compiled.shown.path(request.path),
            at=run.context.timestamp,
            shown=compiled.shown,
            source_locations=compiled.source_locations,
            operation=f"{match.api.id}/{operation.id}" if match and operation else "",
        )
        self.traces.append(trace)
        trace.watch(run.context)
        return trace


def _preflight(compiled: CompiledService, run: Run, match: Match) -> None:
    """Responds to a CORS preflight for which there is no OPTIONS operation; only cors policies run."""
    context = run.context
    if not is_preflight(context):
        return
    method = ",".join(context.request.headers.get("Access-Control-Request-Method") or []).upper()
    asked = compiled.routes.match(method, without_dot_segments(context.request.original_url.path))
    if asked is None or asked.operation is None:
        return
    pipeline = compiled.pipeline(match.api, asked.operation)
    unknown = run.readings.preflight == "not-found" and "*" in asked.operation.url_template
    cors = pipeline.inherited_cors if unknown else pipeline.cors
    if cors is None:
        return
    context.operation = compiled.context_operation(match.api, asked.operation)
    cors(run)
    context.response = csharp.Response(status_code=200, status_reason="OK")
    raise FinishedError


def _log(compiled: CompiledService, run: Run, failure: Failure) -> None:
    """Logs details for the operator that are not sent to the client."""
    if failure.status < 500:  # noqa: PLR2004 -- RFC 9110, section 15.5: 4xx is an error of the client
        return
    location = (
        compiled.source_locations.describe(*failure.location) if failure.location else "before any policy"
    )
    section = f"{failure.scope} {failure.section} {failure.path}".strip()
    why = f"{failure.reason}: {compiled.shown.log_line(failure.message)}"
    original = run.context.request.original_url
    request = f"{run.context.request.method} {compiled.shown.path(original.path)}"
    # An UnsupportedError is a gap in this engine, not a mistake in the policy, so it is logged as an error.
    level = logging.ERROR if isinstance(failure.__cause__, UnsupportedError) else logging.WARNING
    _LOG.log(level, "%s: %s: <%s> (%s): %s", location, request, failure.source, section, why)


async def _perform(action: Action, run: Run) -> None:
    pending = action(run)
    if pending is not None:
        await pending


def _operation_not_found() -> Failure:
    return Failure(
        source="configuration",
        reason="OperationNotFound",
        message="Unable to match incoming request to an operation.",
        status=404,
        public="Resource not found",
    )


def _error_response(run: Run, failure: Failure) -> csharp.Response:
    """The response to a failed request, unless on-error changes it."""
    content: dict[str, object] = {
        "statusCode": failure.status,
        "message": failure.public or "Internal server error",
    }
    if failure.public is None:
        content["activityId"] = str(run.context.request_id)
    headers = csharp.Headers()
    headers.set("Content-Type", ["application/json"])
    for name, value in failure.headers.items():
        headers.set(name, [value])
    return csharp.Response(
        status_code=failure.status,
        status_reason="",
        headers=headers,
        body=csharp.Body(_error_body(content)),
    )


def _error_body(content: dict[str, object]) -> bytes:
    """JSON with API Management's spaces: { "statusCode": 404, "message": "Resource not found" }."""
    return f"{{ {json.dumps(content)[1:-1]} }}".encode()


def _json_answer(status: int, message: str) -> OutboundResponse:
    content = _error_body({"statusCode": status, "message": message})
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    return OutboundResponse(status=status, headers=headers, body=content)


def _answer(run: Run) -> OutboundResponse:
    """The final response: complete headers, the body as bytes or as the backend's stream."""
    response = run.context.response
    if response is None:
        response = csharp.Response(status_code=200, status_reason="OK")
    if run.cors is not None:
        run.cors(response.headers)
    for finish in run.finishers:
        finish(response.headers)
    headers = [
        (name, value) for name, value in end_to_end(field_lines(response.headers)) if name.lower() != "server"
    ]
    answer = OutboundResponse(status=response.status_code, reason=response.status_reason, headers=headers)
    reply = run.reply
    if reply is None:
        body = response.body
        answer.body = b"" if body is None or body.consumed else body.content
        if run.context.request.method != "HEAD" or answer.body:
            answer.headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
            if response.status_code >= 200 and response.status_code not in {204, 304}:  # noqa: PLR2004 -- RFC 9110, section 8.6
                answer.headers.append(("Content-Length", str(len(answer.body))))
        run.end()
        return answer
    content = reply.whole()
    if content is not None:
        answer.body = content
        reply.close()
        run.end()
        return answer
    chunks = reply.chunks()
    answer.body = _gathered(chunks) if run.buffer_response_chunks else chunks

    async def close() -> None:
        reply.close()
        run.end()

    answer.close = close
    return answer


async def _gathered(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Combines chunks until they have 8 KiB or more, for forward-request with buffer-response="true"."""
    waiting = bytearray()
    async for chunk in chunks:
        waiting += chunk
        if len(waiting) >= _CHUNK:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


async def _until(deadline: float, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A stream that ends with an error at a deadline on the event loop's clock.

    Raises:
        SendError: the deadline has passed.
    """
    waiting = aiter(chunks)
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                chunk = await anext(waiting, None)
        except TimeoutError as error:
            raise SendError("the request took too long", timed_out=True) from error
        if chunk is None:
            return
        yield chunk
