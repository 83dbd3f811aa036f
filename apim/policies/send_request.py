"""send-request and send-one-way-request.

https://learn.microsoft.com/azure/api-management/send-request-policy
https://learn.microsoft.com/azure/api-management/send-one-way-request-policy
"""

from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlsplit

from apim.csharp.context import Body, Headers, Request, Response
from apim.failure import Failure, SendError
from apim.forwarding import field_lines
from apim.messages import PayloadTooLargeError, buffered
from apim.node import Node
from apim.policies import managed_identity, set_body, set_header, set_method
from apim.policy import Policy
from apim.run import Run, absolute, response_of
from apim.shape import Attribute, Child, Kind, Shape, Text
from apim.statements import Action

_MODES = ("new", "copy", "New", "Copy")
_EDITS = {"set-method": set_method.edit, "set-header": set_header.edit, "set-body": set_body.edit}
_URL_SAFE = "/:?#[]@!$&'()*+,;=-._~%"

_CHILDREN = (
    Child("set-url", Shape(text=Text.VALUE, text_required=True)),
    Child("set-method", set_method.POLICY.shape),
    Child("set-header", set_header.POLICY.shape, most=None),
    Child("set-body", set_body.POLICY.shape),
    Child("authentication-managed-identity", managed_identity.POLICY.shape),
    Child("authentication-certificate", Shape(), unsupported="the twin does not support client certificates"),
    Child("proxy", Shape(), unsupported="the twin does not support proxies"),
)


class _Outgoing:
    """The request that an element describes."""

    def __init__(self, node: Node) -> None:
        url = node.child("set-url")
        self._mode = node.string("mode")
        self._url = url.text() if url else None
        self._timeout = node.number("timeout")
        self._edits = [
            _EDITS[child.element.name](child) for child in node.ordered() if child.element.name in _EDITS
        ]
        identity = node.child("authentication-managed-identity")
        self._authenticate: Callable[..., Awaitable[None] | None] | None = (
            managed_identity.authenticate(identity) if identity else None
        )
        literal = node.literal("mode") if node.has("mode") else "new"
        if (
            literal is not None
            and literal.lower() == "new"
            and (url is None or node.child("set-method") is None)
        ):
            node.fail(f'<{node.element.name} mode="new"> needs <set-url> and <set-method>')

    async def make(self, run: Run) -> tuple[str, str, Request, float]:
        """The method, the URL, the request with headers and body, and the timeout in seconds."""
        context, copied = run.context, (self._mode(run.context) or "").lower() == "copy"
        url = (self._url(context) or "").strip() if self._url else absolute(context.request.url)
        body = None
        if copied and context.response is None:
            await run.buffer_request()
            body = Body(context.request.body.content) if context.request.body else None
        headers = context.request.headers.copy() if copied else Headers()
        if copied and headers.get("Host") == [run.original_host]:
            headers.delete("Host")
        request = Request(
            method=context.request.method if copied else "GET",
            url=context.request.url,
            original_url=context.request.original_url,
            headers=headers,
            body=body,
        )
        for edit in self._edits:
            edit(context, request)
        if self._authenticate:
            pending = self._authenticate(run, request)
            if pending is not None:
                await pending
        return request.method, _checked(url), request, self._timeout(context)


async def _exchange(run: Run, outgoing: tuple[str, str, Request, float]) -> Response:
    method, url, request, timeout = outgoing
    headers = [
        (name, value) for name, value in field_lines(request.headers) if name.lower() != "content-length"
    ]
    body = request.body.content if request.body else None
    reply = await run.send(method, url, headers=headers, body=body, timeout=timeout)
    try:
        response = response_of(reply, run.readings)
        content = reply.whole()
        response.body = Body(content if content is not None else await buffered(reply.chunks()))
    finally:
        reply.close()
    return response


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Failure(reason="UrlInvalid", message=f"{url!r} is not an absolute http or https URL.")
    return quote(url, safe=_URL_SAFE)


def _compile(node: Node) -> Action:
    outgoing, variable = _Outgoing(node), node.constant("response-variable-name")
    ignore_of = node.boolean("ignore-error")

    async def send_request(run: Run) -> None:
        response = None
        try:
            response = await _exchange(run, await outgoing.make(run))
        except SendError as error:
            if not ignore_of(run.context):
                reason = "Timeout" if error.timed_out else "BackendConnectionFailure"
                raise Failure(reason=reason, message=str(error)) from error
        except PayloadTooLargeError as error:
            if not ignore_of(run.context):
                message = "The response is larger than the gateway can hold in memory."
                raise Failure(reason="MessagePayloadTooLarge", message=message) from error
        if variable and (response is not None or run.readings.failed_send_request == "null"):
            run.context.variables[variable] = response

    return send_request


def _compile_one_way(node: Node) -> Action:
    outgoing = _Outgoing(node)

    async def send_one_way_request(run: Run) -> None:
        made = await outgoing.make(run)

        async def send() -> None:
            try:
                await _exchange(run, made)
            except (SendError, PayloadTooLargeError):
                return

        run.services.background.start(send())

    return send_one_way_request


POLICY = Policy(
    name="send-request",
    shape=Shape(
        (
            Attribute("mode", default="new", values=_MODES),
            Attribute("response-variable-name", expression=False),
            Attribute("timeout", default="60", kind=Kind.NUMBER, least=0),
            Attribute("ignore-error", default="false", kind=Kind.BOOLEAN),
        ),
        children=_CHILDREN,
    ),
    compile=_compile,
)
ONE_WAY = Policy(
    name="send-one-way-request",
    shape=Shape(
        (
            Attribute("mode", default="new", values=_MODES),
            Attribute("timeout", default="60", kind=Kind.NUMBER, least=0),
        ),
        children=_CHILDREN,
    ),
    compile=_compile_one_way,
)
