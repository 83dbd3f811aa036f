"""Simulates a client and its user, from registration to revocation, including their reaction to failures.

A failed step is repeated once, as by a client that repeats a request or a user who reloads a page. If it
fails again, the client starts a new sign-in. Every response of the gateway must be the expected response, or
an error that the client or the user can act on.
"""

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.client import CALLBACK, parameters_of
from tests.failures.faults import Fault, GatewayStopped, ServiceRequest
from tests.policies.engine.harness import Response, Sent
from tests.policies.oauth.flow import GATEWAY, Flow
from tests.policies.oauth.test_metadata_documents import APP

INTERNAL = re.compile(rb"cosmos\.|Exception|Traceback|System\.|Newtonsoft|\{\{|context\.|nginx|policies/")
OAUTH_ERRORS = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "access_denied",
    "server_error",
    "temporarily_unavailable",
}
PAUSE = 301
"""Seconds until a user tries again. API Management fetches Entra's keys at most every five minutes."""


@dataclass(frozen=True)
class Call:
    """A request of the gateway to another service.

    Attributes:
        service: `store`, `Entra`, `Entra's keys`, `client's host` or `MCP server`.
        step: the step of the journey in which it was made.
    """

    service: str
    method: str
    url: str
    step: str

    def __str__(self) -> str:
        return f"{self.step}: {self.method} {self.url}"


def service_of(url: str) -> str:
    """The service with this URL."""
    if url.startswith("https://cosmos.example/"):
        return "store"
    if url.startswith("https://login.microsoftonline.com/"):
        return "Entra" if url.endswith("/oauth2/v2.0/token") else "Entra's keys"
    return "MCP server" if url.startswith("https://functions.example/") else "client's host"


@dataclass
class Journey:
    """The state of a client and its user.

    Attributes:
        flow: the gateway, the browser, and the services.
        steps: the steps, in order.
        faults: the failures, by the number of the call from 0.
        calls: the calls of the gateway to services so far.
        before: is called before each request of the client or the browser, with the name of the step.
        repeated: the steps that had to be repeated.
        restarted: the steps after which the client had to start a new sign-in.
        issued_tokens: the refresh tokens that were issued for each code.
    """

    flow: Flow
    steps: Sequence["Step"]
    faults: dict[int, Fault] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    before: Callable[[str], object] = lambda _: None
    repeated: list[str] = field(default_factory=list)
    restarted: list[str] = field(default_factory=list)
    issued_tokens: dict[str, set[str]] = field(default_factory=dict)
    page: Response | None = None
    at_entra: Response | None = None
    code: str = ""
    access_token: str = ""
    refresh_token: str = ""
    handle: str = ""
    _step: str = ""
    _status: int = 0

    def run(self, first: int = 0) -> "Journey":
        """Runs the steps from the one at this index; starts a new sign-in if a step fails twice."""
        self._intercept_calls()
        remaining = list(self.steps[first:])
        while remaining:
            step = remaining.pop(0)
            if not self._try_twice(step):
                self.restarted.append(step.name)
                assert len(self.restarted) == 1, f"the second sign-in also failed, at {step.name}"
                self.flow.harness.clock.advance(PAUSE)
                remaining = self._steps_after_failure(step)
        return self

    def _steps_after_failure(self, failed: "Step") -> list["Step"]:
        """The steps that a client takes after a step failed twice."""
        # A client whose session is unknown (404) starts a new session and keeps its tokens.
        if failed.name == "message" and self._status == 404:
            return [step for step in self.steps if step.name not in SIGNING_IN]
        # The error page for an unknown client says that the client must register again.
        registers = failed.name in ("register", "authorize")
        return [step for step in self.steps if step.name != "register" or registers]

    def checkpoint(self) -> "Checkpoint":
        """The state of the client, the browser and the store."""
        kept = {name: getattr(self, name) for name in _KEPT}
        flow = self.flow
        return Checkpoint(
            kept, copy.deepcopy(flow.store.documents), dict(flow.cookies), flow.client_id, flow.nonce
        )

    def resume(self, checkpoint: "Checkpoint") -> "Journey":
        """Restores the state that another journey had, at this journey's newly started gateway."""
        for name, value in checkpoint.journey.items():
            setattr(self, name, value)
        self.flow.store.documents.update(copy.deepcopy(checkpoint.documents))
        self.flow.cookies = dict(checkpoint.cookies)
        self.flow.client_id, self.flow.nonce = checkpoint.client_id, checkpoint.nonce
        return self

    def _intercept_calls(self) -> None:
        """Records the calls of the gateway, and makes those fail for which there is a fault."""
        network, documents = self.flow.harness.network, self.flow.store.documents
        before = network.answer

        def answer(sent: Sent) -> Any:
            number = len(self.calls)
            self.calls.append(Call(service_of(sent.url), sent.method, sent.url, self._step))
            fault = self.faults.get(number)
            if fault is None:
                return before(sent)
            container, _, name = sent.url.partition("/colls/")[2].partition("/docs/")
            request = ServiceRequest(
                handle=lambda: before(sent),  # ty: ignore[invalid-argument-type]
                expire=lambda: documents.pop((container, name), None),
            )
            return fault(request)

        network.answer = answer

    def _try_twice(self, step: "Step") -> bool:
        """Whether the step succeeds at the first or the second attempt, both with the same cookies."""
        cookies = dict(self.flow.cookies)
        if self._try(step):
            return True
        self.repeated.append(step.name)
        self.flow.cookies = cookies
        return self._try(step)

    def _try(self, step: "Step") -> bool:
        self._step = step.name
        self.before(step.name)
        try:
            answer = step.send(self)
        except GatewayStopped:
            return False
        self._status = answer.status
        assert not INTERNAL.search(_without_entra(answer)), answer
        if step.done(self, answer):
            return True
        assert_helpful_error(answer)
        return False

    def live(self) -> list[dict[str, Any]]:
        """The grants for which the gateway accepts tokens."""
        return [grant for grant in self.flow.store.of("grants") if grant["status"] == "redeemed"]


_KEPT = ("handle", "page", "at_entra", "code", "access_token", "refresh_token")
SIGNING_IN = {"register", "authorize", "consent page", "allow", "callback", "token"}


@dataclass(frozen=True)
class Checkpoint:
    """The state of a journey before one of its steps."""

    journey: dict[str, Any]
    documents: dict[tuple[str, str], dict[str, Any]]
    cookies: dict[str, str]
    client_id: str
    nonce: str


@dataclass(frozen=True)
class Step:
    """One request of the client or the browser.

    Attributes:
        send: sends the request.
        done: stores the values of the response, and returns whether it is the expected response.
    """

    name: str
    send: Callable[[Journey], Response]
    done: Callable[[Journey, Response], bool]


def _without_entra(answer: Response) -> bytes:
    """The content of a response, without the headers that contain URLs of Entra."""
    headers = [
        (name, value) for name, value in answer.headers if name not in {"Location", "Content-Security-Policy"}
    ]
    return answer.body + repr(headers).encode()


def assert_helpful_error(answer: Response) -> None:
    """The response is an error with a code and a description, sent to the client, or shown to the user."""
    assert answer.status in (302, 303, 400, 401, 403, 404, 429, 500, 502, 503, 504), answer
    assert answer.header("Cache-Control") == "no-store"
    if answer.status in (302, 303):
        location = answer.header("Location") or ""
        assert location.startswith((CALLBACK, APP))
        parameters = parameters_of(location)
        assert parameters["error"] in OAUTH_ERRORS
        assert parameters["error_description"]
        assert (parameters["state"], parameters["iss"]) == ("s", GATEWAY)
        return
    if answer.status == 503:
        assert answer.header("Retry-After")
    if (answer.header("Content-Type") or "").startswith("text/html"):
        assert re.search(rb"<h1>[^<]{10,}</h1>", answer.body)
        return
    document = answer.json()
    if document.get("jsonrpc") == "2.0":
        assert document["error"]["message"]
        return
    assert document["error"] in OAUTH_ERRORS
    assert document["error_description"]
