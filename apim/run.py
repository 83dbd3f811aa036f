"""The state of one request while its policies run."""

from collections.abc import AsyncIterator, Callable, Collection
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

from apim.csharp.context import Body, Context, Headers, Response, Url
from apim.failure import Failure, SendError
from apim.hop_by_hop import end_to_end
from apim.messages import buffered
from apim.network import Reply
from apim.readings import Readings
from apim.services import Services
from apim.trace import Trace

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Run:
    """The state of one request.

    Attributes:
        services: the services of the gateway that policies use.
        context: the `context` of expressions.
        readings: the gateway's behaviour during this request where Azure's is not documented.
        request_stream: the request's body until it is read; `context.request.body` is None until then.
        request_length: the Content-Length that came with `request_stream`.
        original_host: the client's Host header.
        base: the backend's base URL; None until one is set.
        rest: path below `base`, percent-encoded.
        reply: the backend's response until its body is read.
        buffer_response_chunks: whether small chunks of `reply` are combined before they are sent.
        cors: adds the headers of the cors policy to the response.
        finishers: functions that change the headers of the final response after `cors`.
        at_end: functions to call when the response has been sent.
        trace: records the request, if tracing is on.
    """

    __slots__ = (
        "at_end",
        "base",
        "buffer_response_chunks",
        "context",
        "cors",
        "finishers",
        "original_host",
        "readings",
        "reply",
        "request_length",
        "request_stream",
        "rest",
        "services",
        "trace",
    )

    def __init__(
        self,
        services: Services,
        context: Context,
        *,
        readings: Readings,
        rest: str,
        base: str | None,
        host: str,
    ) -> None:
        self.services = services
        self.context = context
        self.readings = readings
        self.request_stream: AsyncIterator[bytes] | None = None
        self.request_length: str | None = None
        self.original_host = host
        self.rest = rest
        self.base = base
        self.reply: Reply | None = None
        self.buffer_response_chunks = True
        self.cors: Callable[[Headers], None] | None = None
        self.finishers: list[Callable[[Headers], None]] = []
        self.at_end: list[Callable[[], None]] = []
        self.trace: Trace | None = None

    def set_base(self, base: str) -> None:
        """Changes the base URL of the backend, and `context.Request.Url` with it.

        Raises:
            Failure: the URL is not an absolute http or https URL.
        """
        parts = urlsplit(base)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise Failure(
                reason="BackendUrlInvalid", message=f"The backend's URL {base!r} is not http or https."
            )
        self.base = base
        self.point()

    def set_rest(self, path: str, query: str) -> None:
        """Changes the path and query, both percent-encoded, that are sent to the backend."""
        self.rest = path
        url = self.context.request.url
        url.query_string = "?" + query if query else ""
        url.query = query_values(query, self.readings)
        self.point()

    def point(self) -> None:
        """Updates `context.Request.Url` from `base` and `rest`."""
        old = self.context.request.url
        if self.base is None:
            self.context.request.url = Url(
                scheme=old.scheme,
                host=old.host,
                port=old.port,
                path=self.rest,
                query_string=old.query_string,
                query=old.query,
            )
            return
        self.context.request.url = url_of(self.base, self.rest, old.query_string, old.query)

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: list[tuple[str, str]],
        body: bytes | AsyncIterator[bytes] | None,
        timeout: float,  # noqa: ASYNC109 -- as in Network.send
    ) -> Reply:
        """Sends a request through the gateway's network, and records it in the trace.

        Raises:
            SendError: there was no response.
        """
        network = self.services.network
        if self.trace is None:
            return await network.send(method, url, headers=headers, body=body, timeout=timeout)
        with self.trace.call(network.service_of(url), method, url) as call:
            reply = await network.send(method, url, headers=headers, body=body, timeout=timeout)
            call.status = reply.status
            return reply

    async def buffer_request(self) -> None:
        """Reads the request's body into memory.

        Raises:
            PayloadTooLargeError: the body is larger than the gateway's limit.
        """
        stream = self.request_stream
        if stream is None:
            return
        self.request_stream = None
        self.context.request.body = Body(await buffered(stream))

    async def buffer_response(self) -> None:
        """Reads the body of the backend's response into memory.

        Raises:
            Failure: the connection to the backend was lost.
            PayloadTooLargeError: the body is larger than the gateway's limit.
        """
        reply, response = self.reply, self.context.response
        if reply is None or response is None:
            return
        self.reply = None
        try:
            response.body = Body(await buffered(reply.chunks()))
        except SendError as error:
            raise Failure(reason="BackendConnectionFailure", message=str(error)) from error
        finally:
            reply.close()

    async def buffer_response_if(self, reads: Collection[str]) -> None:
        """Reads the body of the backend's response if it is in `reads`, the bodies that expressions use."""
        if "response.body" in reads:
            await self.buffer_response()

    def drop_reply(self) -> None:
        """Closes the backend's response, whose body is not needed."""
        if self.reply is not None:
            self.reply.close()
            self.reply = None

    def end(self) -> None:
        """Calls the functions in `at_end`; a second call does nothing."""
        while self.at_end:
            self.at_end.pop()()


def url_of(base: str, rest: str, query_string: str, query: dict[str, list[str]]) -> Url:
    """The URL of a path below a base URL."""
    scheme, host, port, prefix = _base_parts(base)
    return Url(
        scheme=scheme,
        host=host,
        port=port,
        path=prefix + rest,
        query_string=query_string,
        query=query,
    )


@lru_cache(maxsize=256)
def _base_parts(base: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and path (without a slash at its end) of a base URL."""
    parts = urlsplit(base)
    try:
        port = parts.port
    except ValueError:
        port = None
    default = _DEFAULT_PORTS.get(parts.scheme, 443)
    return parts.scheme, parts.hostname or "", port or default, parts.path.rstrip("/")


def absolute(url: Url) -> str:
    """A URL as a string, without the default port of its scheme."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = "" if _DEFAULT_PORTS.get(url.scheme) == url.port else f":{url.port}"
    return f"{url.scheme}://{host}{port}{url.path}{url.query_string}"


def query_values(query: str, readings: Readings) -> dict[str, list[str]]:
    """The names and values of a query as `IUrl.Query` shows them."""
    if not query:
        return {}
    return raw_values(query) if readings.query == "raw" else decoded_values(query)


def raw_values(query: str) -> dict[str, list[str]]:
    """The names and values of a query as they were sent."""
    values: dict[str, list[str]] = {}
    for pair in query.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            values.setdefault(name, []).append(value)
    return values


def decoded_values(query: str) -> dict[str, list[str]]:
    """The percent-decoded names and values of a query."""
    return parse_qs(query, keep_blank_values=True)


def response_of(reply: Reply, readings: Readings) -> Response:
    """The `context.Response` of a reply whose body has not been read."""
    headers = Headers()
    for name, value in reply.headers if readings.hop_by_hop == "visible" else end_to_end(reply.headers):
        headers.add(name, value)
    return Response(status_code=reply.status, status_reason=reply.reason, headers=headers)
