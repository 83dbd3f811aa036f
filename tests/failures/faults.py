"""The ways in which a single request from the gateway to another service can fail."""

from collections.abc import Callable
from dataclasses import dataclass

from apim.failure import SendError
from apim.network import Reply
from tests.policies.engine.harness import reply


class GatewayStopped(BaseException):
    """The gateway stopped in the middle of a request; the caller receives nothing."""


@dataclass(frozen=True)
class ServiceRequest:
    """A request to a service.

    Attributes:
        handle: processes the request and returns the response.
        expire: deletes the document that the request names, as if its time to live had ended.
    """

    handle: Callable[[], Reply]
    expire: Callable[[], object]


Fault = Callable[[ServiceRequest], Reply]
"""Returns the response to a request that fails, or raises the error of the connection."""


def answers(status: int, body: str = "{}", **headers: str) -> Fault:
    """The service returns this status without processing the request."""
    return lambda _: reply(status, body, **headers)


def processed_but_answers(status: int) -> Fault:
    """The service processes the request, but returns an error."""

    def fault(request: ServiceRequest) -> Reply:
        request.handle()
        return reply(status, "{}")

    return fault


def no_connection(_: ServiceRequest) -> Reply:
    """The service cannot be reached."""
    raise SendError("cosmos.internal.example refused", timed_out=False)


def timeout(_: ServiceRequest) -> Reply:
    """The request does not arrive at the service."""
    raise SendError("cosmos.internal.example timed out", timed_out=True)


def lost_answer(request: ServiceRequest) -> Reply:
    """The service processes the request, but its response is lost."""
    request.handle()
    raise SendError("cosmos.internal.example timed out", timed_out=True)


def expired(request: ServiceRequest) -> Reply:
    """The document expires before the request arrives."""
    request.expire()
    return request.handle()


def stop_before(_: ServiceRequest) -> Reply:
    """The gateway stops before the request is sent."""
    raise GatewayStopped


def stop_after(request: ServiceRequest) -> Reply:
    """The gateway stops before it reads the response."""
    request.handle()
    raise GatewayStopped


HTML = "<html><body>nginx at cosmos.internal.example</body></html>"

TRANSIENT: dict[str, Fault] = {
    "429": answers(429, x_ms_retry_after_ms="10"),
    "408": answers(408),
    "410": answers(410),
    "449": answers(449),
    "500": answers(500, HTML),
    "503": answers(503, HTML),
    "no connection": no_connection,
    "time-out": timeout,
    "time-out after processing": lost_answer,
    "408 after processing": processed_but_answers(408),
    "500 after processing": processed_but_answers(500),
    "503 after processing": processed_but_answers(503),
}
"""Transient failures, for which the store's documentation recommends repeating the request."""

STOPS: dict[str, Fault] = {
    "gateway stops before the request": stop_before,
    "gateway stops after the request": stop_after,
}

REFUSALS: dict[str, Fault] = {
    "400": answers(400),
    "401": answers(401, HTML),
    "403": answers(403),
    "409": answers(409),
    "412": answers(412),
}
"""Errors that do not disappear when the gateway repeats its request."""

UNREADABLE: dict[str, Fault] = {
    "HTML with 200": answers(200, HTML),
    "an empty body with 200": answers(200, ""),
    "a list with 200": answers(200, "[]"),
}
"""Responses with status 200 that contain no JSON object."""
