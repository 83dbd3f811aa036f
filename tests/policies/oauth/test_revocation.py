"""The revocation endpoint (RFC 7009)."""

import base64
from collections.abc import Callable

import pytest

from apim.network import Reply
from tests.policies.engine.harness import Response, reply
from tests.policies.oauth.flow import FORM, Failing, Flow, status, unreachable


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


def tokens(flow: Flow) -> dict[str, str]:
    return flow.redeem(flow.code()).json()


def valid(flow: Flow) -> bool:
    return flow.store.one("grants")["status"] == "redeemed"


def succeeded(answer: Response) -> bool:
    """Whether the response is 200 without content."""
    assert (answer.header("Cache-Control"), answer.header("Access-Control-Allow-Origin")) == ("no-store", "*")
    assert answer.status != 200 or answer.body == b""
    return answer.status == 200


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "unknown_hint"])
def test_d6_the_revocation_of_either_token_ends_the_sign_in(flow: Flow, kind: str, hint: str | None) -> None:
    """The hint may be wrong (RFC 7009, section 2.1)."""
    response = tokens(flow)
    assert flow.call(response["access_token"]).status == 200
    assert succeeded(flow.revoke(response[kind], token_type_hint=hint))
    assert flow.call(response["access_token"]).status == 401
    assert flow.refresh(response["refresh_token"]).json()["error"] == "invalid_grant"
    assert not {"entraToken", "refreshSecret"} & flow.store.one("grants").keys()
    assert succeeded(flow.revoke(response[kind]))


def test_d6_a_revocation_takes_effect_in_other_regions_within_thirty_seconds(flow: Flow) -> None:
    """The cache of another region may still contain the valid grant."""
    response = tokens(flow)
    flow.call(response["access_token"])
    flow.harness.gateway.services.cache.fail_stores = True
    try:
        flow.revoke(response["refresh_token"])
    finally:
        flow.harness.gateway.services.cache.fail_stores = False
    flow.harness.clock.advance(29)
    assert flow.call(response["access_token"]).status == 200
    flow.harness.clock.advance(1)
    assert flow.call(response["access_token"]).status == 401


def test_a_region_accepts_a_token_as_soon_as_it_has_received_the_grant(flow: Flow) -> None:
    """A missing grant is not cached."""
    response = tokens(flow)
    (key,) = [document for document in flow.store.documents if document[0] == "grants"]
    grant = flow.store.documents.pop(key)
    assert flow.call(response["access_token"]).status == 401
    flow.store.documents[key] = grant
    assert flow.call(response["access_token"]).status == 200


def test_d6_an_emptied_cache_does_not_make_a_token_valid_again(flow: Flow) -> None:
    response = tokens(flow)
    flow.revoke(response["refresh_token"])
    flow.harness.gateway.services.cache.clear()
    assert flow.call(response["access_token"]).status == 401


def test_d6_the_revocation_of_an_old_refresh_token_also_ends_the_sign_in(flow: Flow) -> None:
    token = tokens(flow)["refresh_token"]
    flow.refresh(flow.refresh(token).json()["refresh_token"])
    assert succeeded(flow.revoke(token))
    assert not valid(flow)


def changed(token: str) -> str:
    """The token with another character in its MAC."""
    return token[:-20] + ("A" if token[-20] != "A" else "B") + token[-19:]


UNKNOWN: dict[str, Callable[[Flow, dict[str, str]], str]] = {
    "an arbitrary string": lambda _flow, _issued: "x",
    "a JWT": lambda _flow, _issued: "e30.e30.e30",
    "a code": lambda flow, _issued: flow.code(),
    "a changed refresh token": lambda _flow, issued: changed(issued["refresh_token"]),
    "a refresh token with another counter": lambda _flow, issued: issued["refresh_token"].replace(
        ".1.", ".2.", 1
    ),
    "a refresh token of an unknown grant": lambda _flow, issued: "A" * 22 + issued["refresh_token"][22:],
    "a changed access token": lambda _flow, issued: changed(issued["access_token"]),
    "Entra's encrypted token in the store": lambda flow, _issued: flow.store.one("grants")["entraToken"],
}
"""Returns a token that the gateway does not know, made from a flow and the issued tokens."""


@pytest.mark.parametrize("name", UNKNOWN)
def test_d6_an_unknown_token_causes_no_error_and_revokes_nothing(flow: Flow, name: str) -> None:
    response = tokens(flow)
    presented = UNKNOWN[name](flow, response)
    before = dict(flow.store.documents)
    assert succeeded(flow.revoke(presented))
    assert flow.store.documents == before
    assert flow.refresh(response["refresh_token"]).status == 200


def test_d6_an_expired_access_token_revokes_nothing(flow: Flow) -> None:
    response = tokens(flow)
    flow.harness.clock.advance(600)
    assert succeeded(flow.revoke(response["access_token"]))
    assert valid(flow)


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_d6_a_token_sent_by_another_client_is_refused_and_revokes_nothing(flow: Flow, kind: str) -> None:
    response = tokens(flow)
    original_client = flow.client_id
    flow.register()
    answer = flow.revoke(response[kind])
    assert (answer.status, answer.json()["error"]) == (400, "invalid_grant")
    assert valid(flow)
    assert succeeded(flow.revoke(response[kind], client_id=original_client))
    assert not valid(flow)


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_d6_a_revoked_token_is_unknown_whichever_client_sends_it(flow: Flow, kind: str) -> None:
    issued = tokens(flow)
    flow.revoke(issued["refresh_token"])
    flow.register()
    assert succeeded(flow.revoke(issued[kind]))


@pytest.mark.parametrize(
    "changed", [{"token": None}, {"token": ""}, {"client_id": None}, {"client_id": ""}], ids=str
)
def test_d6_a_request_without_a_token_or_a_client_is_refused(
    flow: Flow, changed: dict[str, str | None]
) -> None:
    response = tokens(flow)
    answer = flow.revoke(**{"token": response["refresh_token"]} | changed)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_request")
    assert valid(flow)


def test_d6_a_request_that_is_no_form_or_repeats_a_parameter_is_refused(flow: Flow) -> None:
    form = f"token={tokens(flow)['refresh_token']}&client_id={flow.client_id}"
    for body, content_type in (
        (form + "&client_id=x", FORM),
        (form + "&token=x", FORM),
        (form, "text/plain"),
        ("{}", "application/json"),
    ):
        answer = flow.post("/revoke", body, content_type=content_type)
        assert (answer.status, answer.json()["error"]) == (400, "invalid_request")
    assert valid(flow)
    assert flow.post("/revoke", form + "&more=1", content_type=FORM).status == 200
    assert not valid(flow)


def test_d6_the_client_may_be_in_the_authorization_header(flow: Flow) -> None:
    token = tokens(flow)["refresh_token"]
    credentials = base64.b64encode(f"{flow.client_id}:".encode()).decode()
    answer = flow.harness.send(
        "POST",
        "/revoke",
        body=f"token={token}".encode(),
        Content_Type=FORM,
        Authorization=f"Basic {credentials}",
    )
    assert succeeded(answer)
    assert not valid(flow)


# A revocation reads the grant (call 0), reads it again (call 1) and changes it (call 2).


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("failing", [unreachable, status(503), status(403)])
def test_d7_a_failed_revocation_is_reported_and_can_be_repeated(
    flow: Flow, number: int, failing: Failing
) -> None:
    token = tokens(flow)["refresh_token"]
    flow.store.calls.clear()
    flow.store.failing = {number: failing}
    answer = flow.revoke(token)
    assert (answer.status, answer.header("Retry-After")) == (503, "5")
    assert valid(flow)
    assert succeeded(flow.revoke(token))
    assert not valid(flow)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_d7_the_revocation_of_a_grant_that_disappears_succeeds(flow: Flow, number: int) -> None:
    token = tokens(flow)["refresh_token"]
    flow.store.calls.clear()
    flow.store.failing = {number: status(404)}
    assert succeeded(flow.revoke(token))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_d7_a_throttled_call_of_a_revocation_is_repeated(flow: Flow, number: int) -> None:
    token = tokens(flow)["refresh_token"]
    flow.store.calls.clear()
    flow.store.failing = {number: status(429)}
    assert succeeded(flow.revoke(token))
    assert not valid(flow)


def test_d7_a_revocation_reads_the_grant_again_after_another_request_changed_it(flow: Flow) -> None:
    token = tokens(flow)["refresh_token"]
    flow.store.calls.clear()
    flow.store.failing = {2: status(412)}
    assert succeeded(flow.revoke(token))
    assert not valid(flow)


def test_d6_a_revocation_ends_when_another_request_has_revoked_the_grant(flow: Flow) -> None:
    token = tokens(flow)["refresh_token"]
    flow.store.calls.clear()

    def revoked_in_between() -> Reply:
        flow.store.one("grants")["status"] = "revoked"
        return reply(412, "{}")

    flow.store.failing = {2: revoked_in_between}
    assert succeeded(flow.revoke(token))
    assert [method for method, _ in flow.store.calls] == ["GET", "GET", "PUT", "GET"]


def test_d6_another_sign_in_with_the_same_client_is_not_affected(flow: Flow) -> None:
    first, second = tokens(flow), tokens(flow)
    assert succeeded(flow.revoke(first["refresh_token"]))
    assert flow.call(first["access_token"]).status == 401
    assert flow.call(second["access_token"]).status == 200
    assert flow.refresh(second["refresh_token"]).status == 200


# Blocked clients


def test_a_blocked_client_receives_no_page_and_no_token(flow: Flow) -> None:
    code = flow.code()
    client = flow.store.one("clients")
    client["blocked"] = {"at": flow.now, "ttl": 86400}
    answer = flow.redeem(code)
    assert (answer.status, answer.json()["error"]) == (400, "unauthorized_client")
    assert flow.store.one("grants")["status"] == "issued"
    flow.harness.clock.advance(30)
    page = flow.authorize()
    assert (page.status, page.header("Location")) == (403, None)
    assert b"blocked" in page.body
    del client["blocked"]
    flow.harness.gateway.services.cache.clear()
    assert flow.authorize().status == 302
