"""The documents that a sign-in stores, and the errors when the store fails."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from apim.network import Reply
from tests.e2e.client import CALLBACK, challenge_of, parameters_of
from tests.policies.engine.harness import Response, reply
from tests.policies.oauth.flow import (
    OBJECT_ID,
    RESOURCE,
    Failing,
    Flow,
    encoded,
    handle_of,
    status,
    unreachable,
)

SERVER_ERROR = (
    b'{"error":"server_error","error_description":"The gateway could not answer. Try again later."}'
)


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


def hashed(text: str) -> str:
    return encoded(hashlib.sha256(text.encode()).digest())


def without_versions(document: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in document.items() if name not in {"_etag", "_ts", "writtenBy"}}


# Stored documents


def test_a_registration_is_stored_under_the_hash_of_its_client_id(flow: Flow) -> None:
    assert without_versions(flow.store.one("clients")) == {
        "id": hashed(flow.client_id),
        "ttl": 86400,
        "name": "=Test client",
        "redirectUris": [CALLBACK],
        "grantTypes": ["authorization_code", "refresh_token"],
        "registration": "dynamic",
    }


def test_a_transaction_is_stored_under_the_hash_of_its_handle(flow: Flow) -> None:
    handle = handle_of(flow.authorize(state="a b", scope="functions offline_access functions"))
    pending = {
        "id": hashed(handle),
        "ttl": 600,
        "expires": flow.now + 600,
        "status": "pending",
        "keyVersion": 1,
        "clientDocumentId": hashed(flow.client_id),
        "registration": "dynamic",
        "clientHost": "",
        "clientKeys": "=",
        "clientName": "=Test client",
        "redirectUri": CALLBACK,
        "state": "=a+b",
        "challenge": challenge_of("v" * 43),
        "resource": RESOURCE,
        "scope": "functions offline_access",
        "askedScope": "=functions offline_access functions",
        "refresh": True,
    }
    assert without_versions(flow.store.one("transactions")) == pending
    at_entra = parameters_of(flow.consent(flow.consent_page(handle)).header("Location") or "")
    transaction, _, upstream = at_entra["state"].partition(".")
    assert transaction == pending["id"]
    assert without_versions(flow.store.one("transactions")) == pending | {
        "status": "approved",
        "upstreamHash": hashed(upstream),
    }


def test_a_denial_is_stored_in_the_transaction(flow: Flow) -> None:
    flow.consent(flow.page(), "deny")
    assert flow.store.one("transactions")["status"] == "denied"


def test_a_grant_is_stored_with_the_hash_of_its_code(flow: Flow) -> None:
    code = flow.code()
    identity, _, secret = code.partition(".")
    assert (len(identity), len(secret)) == (22, 43)
    grant = without_versions(flow.store.one("grants"))
    assert len(str(grant.pop("refreshSecret"))) == 43
    assert str(grant.pop("entraToken")).count(".") == 4
    issued = {
        "id": identity,
        "ttl": 600,
        "status": "issued",
        "issued": flow.now,
        "expires": flow.now + 30 * 86400,
        "keyVersion": 1,
        "codeHash": hashed(secret),
        "codeExpires": flow.now + 60,
        "clientDocumentId": hashed(flow.client_id),
        "clientName": "=Test client",
        "redirectUri": CALLBACK,
        "challenge": challenge_of("v" * 43),
        "resource": RESOURCE,
        "scope": "functions",
        "askedScope": "=functions",
        "sub": OBJECT_ID,
        "tid": flow.named_value("entra-tenant"),
        "userName": "=ada@twin.example",
    }
    assert grant == issued
    refresh_token = flow.redeem(code).json()["refresh_token"]
    grant = without_versions(flow.store.one("grants"))
    redeemed = issued | {"status": "redeemed", "counter": 1, "ttl": 30 * 86400}
    assert redeemed.items() <= grant.items()
    flow.harness.clock.advance(500)
    flow.refresh(refresh_token)
    grant = without_versions(flow.store.one("grants"))
    refreshed = {"counter": 2, "refreshedAt": flow.now, "ttl": 30 * 86400 - 500}
    assert (redeemed | refreshed).items() <= grant.items()


# When the store fails


@dataclass(frozen=True)
class Step:
    """One step of a sign-in.

    Attributes:
        before: runs the earlier steps, and returns the value that `send` needs.
        send: sends the request of the step.
        error_format: the format of the error when the store fails: `json` or `page`.
    """

    before: Callable[[Flow], object]
    send: Callable[[Flow, object], Response]
    error_format: str


STEPS = {
    "register": Step(lambda _: None, lambda flow, _: flow.register(), "json"),
    "authorize": Step(lambda _: None, lambda flow, _: flow.authorize(), "page"),
    "consent page": Step(
        lambda flow: handle_of(flow.authorize()),
        lambda flow, prepared: flow.consent_page(str(prepared)),
        "page",
    ),
    "allow": Step(
        lambda flow: flow.page(), lambda flow, prepared: flow.consent(response_of(prepared)), "page"
    ),
    "deny": Step(
        lambda flow: flow.page(), lambda flow, prepared: flow.consent(response_of(prepared), "deny"), "page"
    ),
    "callback": Step(
        lambda flow: flow.at_entra(), lambda flow, prepared: flow.callback(response_of(prepared)), "page"
    ),
    "token": Step(lambda flow: flow.code(), lambda flow, prepared: flow.redeem(str(prepared)), "json"),
    "refresh": Step(
        lambda flow: flow.refresh_token(), lambda flow, prepared: flow.refresh(str(prepared)), "json"
    ),
}
CALLS = {
    "register": ["POST clients"],
    "authorize": ["GET clients", "POST transactions"],
    "consent page": ["GET transactions"],
    "allow": ["GET transactions", "PUT transactions"],
    "deny": ["GET transactions", "PUT transactions"],
    "callback": ["GET transactions", "PUT transactions", "POST grants"],
    "token": ["GET grants", "GET clients", "PUT grants", "PUT clients"],
    "refresh": ["GET grants", "PUT grants"],
}
ALL_CALLS = [(step, number) for step, calls in CALLS.items() for number in range(len(calls))]
FAILURES = {
    "does not answer": unreachable,
    "throttles every call": status(429),
    "answers with 503": status(503, "<html>Server: cosmos.internal.example</html>"),
    "answers with 403": status(403),
    "answers with 204": status(204, ""),
}
THROTTLED = "throttles every call"


def response_of(prepared: object) -> Response:
    assert isinstance(prepared, Response)
    return prepared


def test_each_step_makes_the_listed_calls_to_the_store_and_no_others(flow: Flow) -> None:
    for name, step in STEPS.items():
        prepared = step.before(flow)
        flow.harness.gateway.services.cache.clear()
        flow.store.calls.clear()
        step.send(flow, prepared)
        assert [" ".join(call) for call in flow.store.calls] == CALLS[name]


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize(
    ("name", "number"),
    # The last call of the step `token` extends the registration; its failure is not reported.
    [call for call in ALL_CALLS if call != ("token", 3)],
)
def test_a_failure_of_the_store_is_reported_and_the_step_can_be_repeated(
    flow: Flow, name: str, number: int, failure: str
) -> None:
    step = STEPS[name]
    prepared, cookies, documents = _failed_at(flow, step, number, FAILURES[failure])
    if failure == THROTTLED:
        flow.store.failing |= dict.fromkeys(range(number + 1, number + 3), FAILURES[failure])
    answer = step.send(flow, prepared)
    assert b"cosmos" not in answer.body
    flow.store.failing.clear()
    if (name, number) == ("callback", 2):
        parameters = parameters_of(answer.header("Location") or "")
        assert (parameters["error"], parameters["state"]) == ("temporarily_unavailable", "s")
        assert "code" not in parameters
        assert flow.callback(response_of(prepared)).status in (400, 403)
        return
    assert (answer.status, answer.header("Retry-After"), answer.header("Location")) == (503, "5", None)
    assert answer.header("Cache-Control") == "no-store"
    if step.error_format == "json":
        assert answer.json()["error"] == "temporarily_unavailable"
    else:
        assert (answer.header("Content-Type") or "").startswith("text/html")
        assert answer.header("Set-Cookie") is None
    assert flow.store.documents == documents
    flow.cookies = cookies
    assert step.send(flow, prepared).status in (200, 201, 302, 303)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(("name", "number"), ALL_CALLS)
def test_d7_a_throttled_call_is_repeated(flow: Flow, name: str, number: int, times: int) -> None:
    prepared, _, _ = _failed_at(flow, STEPS[name], number, status(429))
    flow.store.failing |= dict.fromkeys(range(number, number + times), status(429))
    assert STEPS[name].send(flow, prepared).status in (200, 201, 302, 303)


@pytest.mark.parametrize("failure", [*FAILURES.values(), status(412), status(404)])
def test_d7_a_token_is_issued_if_the_registration_cannot_be_extended(flow: Flow, failure: Failing) -> None:
    code, _, _ = _failed_at(flow, STEPS["token"], 3, failure)
    assert flow.redeem(str(code)).status == 200


def _failed_at(
    flow: Flow, step: Step, number: int, failing: Failing
) -> tuple[object, dict[str, str], dict[tuple[str, str], dict[str, object]]]:
    """Runs all steps before a step, and lets its call with this number fail."""
    prepared = step.before(flow)
    flow.harness.gateway.services.cache.clear()
    flow.store.calls.clear()
    flow.store.failing = {number: failing}
    return prepared, dict(flow.cookies), dict(flow.store.documents)


@pytest.mark.parametrize("code", [404, 412])
@pytest.mark.parametrize("name", ["allow", "deny", "callback"])
def test_a_step_is_refused_if_another_request_changed_the_transaction(
    flow: Flow, name: str, code: int
) -> None:
    prepared, _, documents = _failed_at(flow, STEPS[name], 1, status(code))
    answer = STEPS[name].send(flow, prepared)
    assert (answer.status, answer.header("Location")) == (400, None)
    assert b"no longer open" in answer.body
    assert flow.store.documents == documents


@pytest.mark.parametrize("name", ["allow", "deny", "callback"])
def test_a_transaction_that_cannot_be_read_again_is_not_reported_as_closed(flow: Flow, name: str) -> None:
    """The write was rejected because the version differs, and the gateway cannot read the new version."""
    prepared, _, documents = _failed_at(flow, STEPS[name], 1, status(412))
    flow.store.failing[2] = unreachable
    answer = STEPS[name].send(flow, prepared)
    assert (answer.status, answer.header("Retry-After"), answer.header("Location")) == (503, "5", None)
    assert flow.store.documents == documents


@pytest.mark.parametrize(("name", "code"), [("allow", 303), ("deny", 303), ("callback", 302)])
def test_d7_a_step_whose_write_response_was_lost_continues(flow: Flow, name: str, code: int) -> None:
    """The gateway recognizes its own write."""
    prepared = STEPS[name].before(flow)
    flow.store.lost_write = "transactions"
    assert STEPS[name].send(flow, prepared).status == code
    assert flow.store.lost_write == ""


def test_a_code_whose_grant_disappeared_is_invalid(flow: Flow) -> None:
    prepared, _, documents = _failed_at(flow, STEPS["token"], 2, status(404))
    answer = flow.redeem(str(prepared))
    assert (answer.status, answer.json()["error"]) == (400, "invalid_grant")
    assert flow.store.documents == documents


def test_a_parallel_redemption_of_the_same_code_revokes_the_grant(flow: Flow) -> None:
    """The store refuses the write because a second request with the same code was faster."""
    code = flow.code()
    flow.store.calls.clear()

    def redeemed_in_between() -> Reply:
        flow.store.one("grants")["status"] = "redeemed"
        return reply(412, "{}")

    flow.store.failing = {2: redeemed_in_between}
    answer = flow.redeem(code)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_grant")
    assert flow.store.one("grants")["status"] == "revoked"


@pytest.mark.parametrize("wrong", ["client_id", "redirect_uri", "code_verifier"])
def test_a_redeemed_code_without_its_bindings_revokes_no_token(flow: Flow, wrong: str) -> None:
    """Codes may be visible in browser histories and logs, but verifiers are not."""
    code = flow.code()
    token = flow.redeem(code).json()["access_token"]
    answer = flow.redeem(code, **{wrong: "https://app.example/" + "a" * 43})
    assert answer.status == 400
    answer = flow.redeem(code, **{wrong: "a" * 43})
    assert (answer.status, answer.json()["error"]) == (400, "invalid_grant")
    flow.harness.gateway.services.cache.clear()
    assert flow.call(token).status == 200


@pytest.mark.parametrize("difference", [-0.05, 0.05])
def test_a_replay_is_detected_when_the_clocks_of_units_differ(flow: Flow, difference: float) -> None:
    code = flow.code()
    token = flow.redeem(code).json()["access_token"]
    flow.harness.clock.advance(difference)
    assert flow.redeem(code).status == 400
    assert flow.call(token).status == 401


@pytest.mark.parametrize("name", ["authorize", "consent page", "allow", "callback", "token", "refresh"])
def test_the_error_for_an_unreadable_response_of_the_store_does_not_name_it(flow: Flow, name: str) -> None:
    """An internal failure of the gateway is in its log, but not in the response."""
    prepared, _, documents = _failed_at(flow, STEPS[name], 0, status(200, "<html>cosmos.internal.example"))
    answer = STEPS[name].send(flow, prepared)
    assert answer.status == 500
    assert b"cosmos" not in answer.body
    if name in ("authorize", "consent page", "allow", "callback"):
        assert b"<h1>Something went wrong</h1>" in answer.body
        assert answer.header("Content-Type") == "text/html; charset=utf-8"
    else:
        assert answer.body == SERVER_ERROR
        assert answer.header("Content-Type") == "application/json"
        assert answer.header("Access-Control-Allow-Origin") == "*"
    assert answer.header("Cache-Control") == "no-store"
    assert flow.store.documents == documents


@pytest.mark.parametrize(
    ("failing", "code"),
    [
        ({1: unreachable}, 503),
        ({1: status(500)}, 503),
        ({1: status(404)}, 400),
        ({2: unreachable}, 503),
        ({2: status(500)}, 503),
        ({2: status(404)}, 400),
        (dict.fromkeys((2, 4, 6, 8, 10), status(412)), 400),
        (dict.fromkeys((2, 4, 6, 8, 10, 12), status(412)), 503),
    ],
    ids=[
        "read unreachable",
        "read fails",
        "deleted before the read",
        "write unreachable",
        "write fails",
        "deleted before the write",
        "five concurrent changes",
        "six concurrent changes",
    ],
)
def test_d7_a_replay_is_refused_only_after_its_grant_was_revoked(
    flow: Flow, failing: dict[int, Failing], code: int
) -> None:
    """A replay reads the grant (call 0), reads it again (call 1) and changes it (call 2). After each
    concurrent change, the last two calls are repeated."""
    issued = flow.code()
    token = flow.redeem(issued).json()["access_token"]
    flow.store.calls.clear()
    flow.store.failing = failing
    answer = flow.redeem(issued)
    assert answer.status == code
    assert answer.json()["error"] == ("invalid_grant" if code == 400 else "temporarily_unavailable")
    flow.store.failing.clear()
    assert flow.redeem(issued).status == 400
    assert flow.call(token).status == 401
