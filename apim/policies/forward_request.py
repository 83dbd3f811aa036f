"""https://learn.microsoft.com/azure/api-management/forward-request-policy."""

from urllib.parse import urljoin

from apim.failure import Failure, SendError
from apim.forwarding import backend_request
from apim.network import Reply
from apim.node import Node
from apim.policy import BACKEND, Policy
from apim.run import Run, response_of
from apim.shape import Attribute, Kind, Shape
from apim.statements import Action

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD = frozenset({307, 308})
_MAX_REDIRECTS = 10
_ERRORS = range(400, 600)


def _compile(node: Node) -> Action:
    timeout_of = node.number("timeout")
    timeout_ms_of = node.number("timeout-ms") if node.has("timeout-ms") else None
    follow_of = node.boolean("follow-redirects")
    keep, buffer = node.flag("buffer-request-body"), node.flag("buffer-response")
    fail_on_error = node.flag("fail-on-error-status-code")

    async def forward_request(run: Run) -> None:
        context = run.context
        follow = follow_of(context)
        if keep or follow:
            await run.buffer_request()
        run.drop_reply()
        timeout = timeout_ms_of(context) / 1000 if timeout_ms_of else timeout_of(context)
        try:
            reply = await _send(run, timeout, follow=follow)
        except SendError as error:
            reason = "Timeout" if error.timed_out else "BackendConnectionFailure"
            raise Failure(reason=reason, message=str(error)) from error
        run.reply, run.buffer_response_chunks = reply, buffer
        context.response = response_of(reply, run.readings)
        if fail_on_error and reply.status in _ERRORS:
            message = f"The backend answered {reply.status}."
            raise Failure(
                reason="BackendErrorStatusCode", message=message, status=reply.status, keep_response=True
            )

    return forward_request


async def _send(run: Run, timeout: float, *, follow: bool) -> Reply:  # noqa: ASYNC109 -- the attribute's name
    method, url, headers, body = backend_request(run)
    send = run.send
    reply = await send(method, url, headers=headers, body=body, timeout=timeout)
    for _ in range(_MAX_REDIRECTS):
        location = next((value for name, value in reply.headers if name.lower() == "location"), None)
        if not follow or reply.status not in _REDIRECTS or location is None:
            break
        reply.close()
        url = urljoin(url, location)
        if reply.status not in _KEEP_METHOD and method != "HEAD":
            method, body = "GET", None
        reply = await send(method, url, headers=headers, body=body, timeout=timeout)
    return reply


POLICY = Policy(
    name="forward-request",
    sections=BACKEND,
    once=True,
    shape=Shape(
        (
            Attribute("timeout", default="300", kind=Kind.NUMBER, least=0),
            Attribute("timeout-ms", kind=Kind.NUMBER, least=0),
            Attribute(
                "continue-timeout",
                kind=Kind.NUMBER,
                unsupported="the twin does not send Expect: 100-continue",
            ),
            Attribute("http-version", default="1", expression=False, values=("1", "2or1")),
            Attribute("follow-redirects", default="false", kind=Kind.BOOLEAN),
            Attribute("buffer-request-body", default="false", expression=False, kind=Kind.BOOLEAN),
            Attribute("buffer-response", default="true", expression=False, kind=Kind.BOOLEAN),
            Attribute("fail-on-error-status-code", default="false", expression=False, kind=Kind.BOOLEAN),
        )
    ),
    compile=_compile,
)
