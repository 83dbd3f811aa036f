"""API Management's gateway: requests in, policies over them, answers out.

https://learn.microsoft.com/azure/api-management/api-management-howto-policies
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from apim.cache import Cache, Timed
from apim.compiler import SECTIONS, Base, Catalogue, Document, Placed
from apim.counters import Counters
from apim.csharp import UnsupportedError
from apim.csharp import context as csharp
from apim.failure import Failure, FinishedError
from apim.findings import Finding, PolicyError
from apim.forwarding import flat
from apim.identity import CachedTokens, IdentityTokens
from apim.keysets import OpenIdConfigurations
from apim.messages import InboundRequest, OutboundResponse, PayloadTooLargeError
from apim.network import Network, end_to_end
from apim.origins import Places, at_origin
from apim.policies import POLICIES, UNSUPPORTED
from apim.policies.cors import is_preflight
from apim.routing import Match, Routes, without_dot_segments
from apim.run import Run, query_values, url_of
from apim.service import Api, Operation, PolicyDocument, Product, Service
from apim.shown import Shown
from apim.statements import Action, Statement, in_order
from apim.subscriptions import Subscriptions
from apim.trace import Trace

_LOG = logging.getLogger(__name__)
_LONGEST_URL = 16_384
_LONGEST_QUERY = 2_048
_CHUNK = 8 * 1024
_CACHE_BYTES = {
    "Consumption": 0,
    "BasicV2": 250_000_000,
    "StandardV2": 1_000_000_000,
    "PremiumV2": 5_000_000_000,
}

DEFAULT_POLICY = PolicyDocument(
    xml="<policies><inbound /><backend><forward-request /></backend><outbound /><on-error /></policies>",
    name="Azure's default global policy",
)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The policies of all scopes that concern one operation, put together at `<base />`."""

    inbound: Action
    backend: Action
    outbound: Action
    on_error: Action
    cors: Action | None


class Gateway:
    """Answers requests as the service would.

    Args:
        service: what is declared.
        network: the way to backends.
        identity: where tokens of managed identities come from.
        clock: what the time is, for tokens, caches and limits.
        traces: how many traces are kept.
        counted: let each place of the C# count for itself which way it went. Otherwise expressions of the
            same text are one.

    Raises:
        PolicyError: policies that are wrong, all findings at once.

    Attributes:
        cache: of cache-store-value.
        counters: of rate-limit-by-key.
        tokens: of managed identities.
        keys: what OpenID configuration endpoints said.
        warnings: what is not wrong but should be mended.
        used_values: names of the named values that policies mention.
        used_fragments: ids of the fragments that policies include.
        expressions: all that policies hold, with their places.
        statements: all of them, and the parts of policies that hold others such as `when`;
            with their places, and whether they ever ran.
        traces: of the last requests, while `tracing` is on.
    """

    def __init__(
        self,
        service: Service,
        *,
        network: Network,
        identity: IdentityTokens,
        clock: Timed,
        traces: int = 200,
        counted: bool = False,
    ) -> None:
        self.service = service
        self.network = network
        self.clock = clock
        self.cache = Cache(clock, capacity=_CACHE_BYTES.get(service.sku, 250_000_000))
        self.counters = Counters(clock)
        self.concurrency: dict[str, int] = {}
        self.tokens = CachedTokens(identity, clock)
        self.keys = OpenIdConfigurations(network, clock)
        self.tracing = False
        self.traces: deque[Trace] = deque(maxlen=traces)
        self.metrics: deque[tuple[str, float, dict[str, str]]] = deque(maxlen=1000)
        self._background: set[asyncio.Task[None]] = set()
        catalogue = Catalogue(service, POLICIES, UNSUPPORTED, counted=counted)
        pipelines = _Pipelines(catalogue)
        self._global = pipelines.of(None, None)
        self._of_api = {api.id: pipelines.of(api, None) for api in service.apis}
        self._of_operation = {
            (api.id, operation.id): pipelines.of(api, operation)
            for api in service.apis
            for operation in api.operations
        }
        self._of_product = {
            (product.id, api.id, operation.id if operation else None): pipelines.of(api, operation, product)
            for product in service.products
            for api in service.apis
            if api.id in product.apis
            for operation in (None, *api.operations)
        }
        if catalogue.findings:
            raise PolicyError(at_origin(catalogue.findings, service))
        self.warnings: tuple[Finding, ...] = tuple(at_origin(catalogue.warnings, service))
        self.used_values = frozenset(catalogue.used_values)
        self.used_fragments = frozenset(catalogue.used_fragments)
        self.expressions: tuple[Placed, ...] = tuple(catalogue.expressions)
        self.statements: tuple[Statement, ...] = tuple(catalogue.statements)
        self._routes = Routes(service.apis)
        self._subscriptions = Subscriptions(service)
        self._apis = {api.id: _context_api(api) for api in service.apis}
        self._operations = {
            (api.id, operation.id): csharp.Operation(
                id=operation.id,
                name=operation.name,
                method=operation.method,
                url_template=operation.url_template,
            )
            for api in service.apis
            for operation in api.operations
        }
        self._shown = Shown(
            (value.value for value in service.named_values if value.secret),
            catalogue.literals,
            _path_templates(service),
        )
        self._origins = Places(service)
        self._no_api = csharp.Api(id="", name="", path="")
        self._deployment = csharp.Deployment(service_name=service.name)

    async def handle(self, request: InboundRequest) -> OutboundResponse:
        """Answers a request. A streamed body of the answer must be read to its end or closed."""
        if len(request.path) + len(request.query) + 1 > _LONGEST_URL or len(request.query) > _LONGEST_QUERY:
            return _json_answer(414, "The request URL is too long.")
        path = without_dot_segments(request.path)
        match = self._routes.match(request.method, path, request.query)
        run = self._run(request, path, match)
        if self.tracing:
            run.trace = self._trace(request, match, run)
        try:
            await self._pass(run, match)
        except PayloadTooLargeError:
            run.drop_reply()
            answer = _json_answer(413, "The request body is too large.")
            if run.trace is not None:
                run.trace.end(answer.status)
            return answer
        except BaseException:
            run.drop_reply()
            raise
        answer = _answer(run)
        if run.trace is not None:
            run.trace.end(answer.status)
        return answer

    def reset(self) -> None:
        """Forgets what it keeps between requests: cached values, counters, tokens, keys, traces, metrics."""
        for kept in (self.cache, self.counters, self.tokens, self.keys, self.traces, self.metrics):
            kept.clear()

    def in_background(self, work: Coroutine[object, object, None]) -> None:
        """Lets something run on that no answer waits for."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def close(self) -> None:
        """Ends what still runs in the background."""
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    async def _pass(self, run: Run, match: Match | None) -> None:
        """Takes the request through its pipeline; afterwards `context.Response` is the answer."""
        pipeline = self._global
        try:
            if match is None:
                raise _operation_not_found()
            api, operation = match.api, match.operation
            pipeline = self._of_api[api.id]
            if operation is None:
                self._preflight(run, match)
                raise _operation_not_found()
            pipeline = self._of_operation[api.id, operation.id]
            if self._subscriptions.concern(api):
                product = self._subscriptions.admit(api, run.context)
                pipeline = (
                    self._of_product.get((product, api.id, operation.id), pipeline) if product else pipeline
                )
            await _perform(pipeline.inbound, run)
            await _perform(pipeline.backend, run)
            if run.context.response is None:
                run.context.response = csharp.Response(status_code=200, status_reason="OK")
            await _perform(pipeline.outbound, run)
        except FinishedError:
            return
        except Failure as failure:
            await self._fail(run, failure, pipeline)

    def _preflight(self, run: Run, match: Match) -> None:
        """Answers a CORS preflight for which there is no OPTIONS operation; only cors policies see it."""
        context = run.context
        if not is_preflight(context):
            return
        method = ",".join(context.request.headers.get("Access-Control-Request-Method") or []).upper()
        asked = self._routes.match(method, without_dot_segments(context.request.original_url.path))
        if asked is None or asked.operation is None:
            return
        pipeline = self._of_operation[match.api.id, asked.operation.id]
        if pipeline.cors is None:
            return
        context.operation = self._operations[match.api.id, asked.operation.id]
        pipeline.cors(run)
        context.response = csharp.Response(status_code=200, status_reason="OK")
        raise FinishedError

    async def _fail(self, run: Run, failure: Failure, pipeline: Pipeline) -> None:
        """Takes a failed request through on-error."""
        context = run.context
        self._log(run, failure)
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
            self._log(run, second)
            context.response = _error_response(run, second)

    def _log(self, run: Run, failure: Failure) -> None:
        """Tells whoever runs the twin what a client is not told."""
        if failure.status < 500:  # noqa: PLR2004 -- what is wrong with a request concerns its client
            return
        place = self._origins.told(*failure.place) if failure.place else "before any policy"
        section = f"{failure.scope} {failure.section} {failure.path}".strip()
        why = f"{failure.reason}: {self._shown.log_line(failure.message)}"
        request = f"{run.context.request.method} {self._shown.path(run.context.request.original_url.path)}"
        # Where the evaluator gives up, the twin is to blame, not the policy: never hidden.
        level = logging.ERROR if isinstance(failure.__cause__, UnsupportedError) else logging.WARNING
        _LOG.log(level, "%s: %s: <%s> (%s): %s", place, request, failure.source, section, why)

    def _run(self, request: InboundRequest, path: str, match: Match | None) -> Run:
        headers = csharp.Headers()
        for name, value in end_to_end(list(request.headers)):
            headers.add(name, value)
        query = query_values(request.query)
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
                ip_address=request.ip_address,
                matched_parameters=match.parameters if match else {},
            ),
            response=None,
            variables={},
            api=self._apis[api.id] if api else self._no_api,
            operation=self._operations[match.api.id, match.operation.id]
            if match and match.operation
            else None,
            deployment=self._deployment,
            now=self.clock.now,
            timestamp=self.clock.now(),
        )
        run = Run(self, context, rest=rest, base=base, host=request.host)
        if body is not None and not isinstance(body, bytes):
            run.request_stream = body
            run.request_length = ",".join(headers.get("Content-Length") or []) or None
        return run

    def _trace(self, request: InboundRequest, match: Match | None, run: Run) -> Trace:
        operation = match.operation if match else None
        trace = Trace(
            request_id=str(run.context.request_id),
            method=self._shown.method(request.method),
            path=self._shown.path(request.path),
            at=run.context.timestamp,
            shown=self._shown,
            origins=self._origins,
            operation=f"{match.api.id}/{operation.id}" if match and operation else "",
        )
        self.traces.append(trace)
        trace.watch(run.context)
        return trace


class _Pipelines:
    """Puts the documents of the scopes together; each document is compiled once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._documents: dict[tuple[int, str], Document] = {}

    def of(self, api: Api | None, operation: Operation | None, product: Product | None = None) -> Pipeline:
        """The pipeline of an operation, or of what comes before one is known."""
        scopes = (
            ("global", self._catalogue.service.policy or DEFAULT_POLICY),
            ("product", product.policy if product else None),
            ("api", api.policy if api else None),
            ("operation", operation.policy if operation else None),
        )
        chain = [self._document(policy, scope) for scope, policy in scopes if policy is not None]
        sections = {section: list(_nested(chain, len(chain) - 1, section)) for section in SECTIONS}
        cors = [statement for statement in sections["inbound"] if statement.element == "cors"]
        return Pipeline(
            in_order(sections["inbound"]),
            in_order(sections["backend"]),
            in_order(sections["outbound"]),
            in_order(sections["on-error"]),
            in_order(cors) if cors else None,
        )

    def _document(self, policy: PolicyDocument, scope: str) -> Document:
        key = (id(policy), scope)
        document = self._documents.get(key)
        if document is None:
            document = self._documents[key] = self._catalogue.compile(policy, scope)
        return document


def _nested(chain: list[Document], level: int, section: str) -> list[Statement]:
    """The statements of a section from a scope outwards; a scope without the section is only `<base />`."""
    if level < 0:
        return []
    items = chain[level].sections.get(section)
    if items is None:
        return _nested(chain, level - 1, section)
    statements: list[Statement] = []
    for item in items:
        if isinstance(item, Base):
            statements += _nested(chain, level - 1, section)
        else:
            statements.append(item)
    return statements


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
    """What a client gets when on-error says nothing else."""
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
    """The answer that leaves: headers finished, body as bytes or as the backend's stream."""
    response = run.context.response
    if response is None:
        response = csharp.Response(status_code=200, status_reason="OK")
    for finish in run.finishers:
        finish(response.headers)
    headers = [
        (name, value) for name, value in end_to_end(flat(response.headers)) if name.lower() != "server"
    ]
    answer = OutboundResponse(status=response.status_code, reason=response.status_reason, headers=headers)
    reply = run.reply
    if reply is None:
        body = response.body
        answer.body = b"" if body is None or body.consumed else body.content
        if run.context.request.method != "HEAD" or answer.body:
            answer.headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
            if response.status_code >= 200 and response.status_code not in {204, 304}:  # noqa: PLR2004 -- RFC 9110, 8.6
                answer.headers.append(("Content-Length", str(len(answer.body))))
        return answer
    content = reply.whole()
    if content is not None:
        answer.body = content
        reply.close()
        return answer
    chunks = reply.chunks()
    answer.body = _gathered(chunks) if run.buffer_response_chunks else chunks

    async def close() -> None:
        reply.close()

    answer.close = close
    return answer


async def _gathered(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Chunks of 8 KiB: what forward-request does with buffer-response="true"."""
    waiting = bytearray()
    async for chunk in chunks:
        waiting += chunk
        if len(waiting) >= _CHUNK:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


def _path_templates(service: Service) -> Iterator[str]:
    """What stands in the paths of requests and is no secret."""
    for api in service.apis:
        yield api.path
        if api.service_url:
            yield urlsplit(api.service_url).path
        for operation in api.operations:
            yield operation.url_template


def _context_api(api: Api) -> csharp.Api:
    url = url_of(api.service_url, "/", "", {}) if api.service_url else None
    return csharp.Api(id=api.id, name=api.name, path=api.path, service_url=url)
