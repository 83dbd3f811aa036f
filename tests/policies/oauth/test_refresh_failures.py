"""Refreshes and sign-ins when Entra refuses the user or fails, and when the store fails."""

import json
from collections.abc import Callable

import pytest

from apim.failure import SendError
from apim.network import Reply
from tests.policies.engine.harness import reply
from tests.policies.oauth.flow import (
    Failing,
    Flow,
    status,
    unreachable,
)
from tests.policies.oauth.test_refresh import refused, successor, valid


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


# Entra's responses


def test_d5_each_new_counter_calls_entra_with_its_newest_refresh_token(flow: Flow) -> None:
    token = flow.refresh_token()
    for number in (1, 2, 3):
        token = successor(flow, token)
        assert flow.entra_request == {
            "grant_type": "refresh_token",
            "client_id": flow.named_value("entra-client"),
            "scope": "openid profile offline_access",
            "refresh_token": f"entra/refresh+{number}",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": "token-for-api://AzureADTokenExchange",
        }


def test_d5_entras_refresh_token_is_kept_if_entra_returns_no_new_one(flow: Flow) -> None:
    token = flow.refresh_token()
    flow.entra = lambda: flow.signed_in_at_entra(refresh_token=None)
    token = successor(flow, token)
    successor(flow, token)
    assert flow.entra_request["refresh_token"] == "entra/refresh+1"


def test_d5_entras_refresh_token_is_not_in_clear_in_the_store_or_in_a_response(flow: Flow) -> None:
    response = flow.redeem(flow.code())
    refreshed = flow.refresh(response.json()["refresh_token"])
    stored = json.dumps(list(flow.store.documents.values()), default=str)
    for text in (stored, response.body.decode(), refreshed.body.decode()):
        assert "entra/refresh" not in text
    header, _, _, _, _ = flow.store.one("grants")["entraToken"].split(".")
    access_header, _, _, _, _ = refreshed.json()["access_token"].split(".")
    assert header != access_header


def test_d5_a_token_that_is_encrypted_for_the_store_is_not_accepted_as_access_token(flow: Flow) -> None:
    flow.refresh_token()
    assert flow.call(flow.store.one("grants")["entraToken"]).status == 401


def _refusal(error: str, code: int = 400) -> Failing:
    """A response of Entra with an OAuth error."""
    return status(
        code, json.dumps({"error": error, "error_description": "AADSTS50057", "error_codes": [50057]})
    )


@pytest.mark.parametrize(
    "error", ["invalid_grant", "interaction_required", "login_required", "consent_required", "access_denied"]
)
def test_d5_a_user_whom_entra_refuses_is_signed_out(flow: Flow, error: str) -> None:
    response = flow.redeem(flow.code()).json()
    flow.entra = _refusal(error)
    assert refused(flow.refresh(response["refresh_token"]))
    assert not valid(flow)
    assert flow.call(response["access_token"]).status == 401
    flow.entra = None
    assert refused(flow.refresh(response["refresh_token"]))


def _timed_out() -> Reply:
    raise SendError("login.example", timed_out=True)


def _with_claims(flow: Flow, **claims: object) -> Reply:
    """Entra's response with these claims in the ID token."""
    flow.tampered = dict(claims)
    try:
        return flow.signed_in_at_entra()
    finally:
        flow.tampered = {}


NOT_DEFINITE: dict[str, Callable[[Flow], Reply]] = {
    "does not answer": lambda _: unreachable(),
    "takes too long": lambda _: _timed_out(),
    "returns 500": lambda _: reply(500, "{}"),
    "returns 500 with an OAuth error": lambda _: _refusal("invalid_grant", 500)(),
    "returns 503 with an OAuth error": lambda _: _refusal("invalid_grant", 503)(),
    "returns 429": lambda _: reply(429, '{"error":"invalid_grant"}'),
    "returns HTML": lambda _: reply(200, "<html>Service</html>"),
    "returns an error as HTML": lambda _: reply(400, "<html>Service</html>"),
    "returns an empty body": lambda _: reply(200, ""),
    "returns an array": lambda _: reply(200, "[]"),
    "rejects the gateway": lambda _: _refusal("invalid_client", 401)(),
    "rejects the requested scope": lambda _: _refusal("invalid_scope")(),
    "returns an error that is not a string": lambda _: reply(400, '{"error":{"x":1}}'),
    "redirects": lambda _: reply(302, '{"error":"invalid_grant"}', Location="https://login.example"),
    "returns no ID token": lambda flow: flow.signed_in_at_entra(id_token=None),
    "returns an unreadable ID token": lambda flow: flow.signed_in_at_entra(id_token="x.y"),
    "returns an ID token that is not a string": lambda flow: flow.signed_in_at_entra(id_token=[1]),
}
"""Responses of Entra that neither confirm nor refuse the user."""


@pytest.mark.parametrize("name", NOT_DEFINITE)
def test_d5_without_a_definite_response_from_entra_the_grant_is_kept(flow: Flow, name: str) -> None:
    token = flow.refresh_token()
    before = dict(flow.store.documents)
    flow.entra = lambda: NOT_DEFINITE[name](flow)
    answer = flow.refresh(token)
    assert (answer.status, answer.header("Retry-After")) == (503, "5")
    assert answer.json()["error"] == "temporarily_unavailable"
    assert answer.header("Access-Control-Allow-Origin") == "*"
    assert b"login" not in answer.body
    assert flow.store.documents == before
    flow.entra = None
    assert flow.refresh(token).status == 200


@pytest.mark.parametrize("claim", ["oid", "tid"])
def test_d5_a_refresh_for_which_entra_names_another_user_is_refused(claim: str) -> None:
    for changed in ("66666666-6666-4666-8666-666666666666", None):
        flow = Flow.new()
        token = flow.refresh_token()
        flow.entra = lambda changed=changed, flow=flow: _with_claims(flow, **{claim: changed})
        assert refused(flow.refresh(token))
        assert not valid(flow)


def test_d5_without_the_gateways_identity_the_grant_is_kept(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = flow.refresh_token()
    flow.entra = _refusal("invalid_client", 401)
    flow.harness.gateway.services.tokens.clear()
    token_of = flow.harness.tokens.token

    async def broken(*, resource: str, client_id: str | None) -> str:
        if resource == "api://AzureADTokenExchange":
            raise OSError("the identity endpoint does not answer")
        return await token_of(resource=resource, client_id=client_id)

    with monkeypatch.context() as patched:
        patched.setattr(flow.harness.tokens, "token", broken)
        assert flow.refresh(token).status == 503
    assert flow.entra_request["client_assertion"] == ""
    flow.entra = None
    assert flow.refresh(token).status == 200


@pytest.mark.parametrize("stored", ["", "x", "another grant's", "tampered"])
def test_d5_a_token_that_cannot_be_decrypted_is_never_sent_to_entra(flow: Flow, stored: str) -> None:
    other = Flow.new()
    other.refresh_token()
    foreign = other.store.one("grants")["entraToken"]
    flow = Flow.new()
    token = flow.refresh_token()
    valid_token = flow.store.one("grants")["entraToken"]
    flow.store.one("grants")["entraToken"] = {
        "another grant's": foreign,
        "tampered": valid_token[:-20] + ("A" if valid_token[-20] != "A" else "B") + valid_token[-19:],
    }.get(stored, stored)
    flow.entra_request = {}
    assert refused(flow.refresh(token))
    assert flow.entra_request == {}
    assert valid(flow)


# When the store fails


@pytest.mark.parametrize("failing", [unreachable, status(503), status(403), status(412)])
def test_d7_a_refresh_whose_write_fails_can_be_repeated(flow: Flow, failing: Failing) -> None:
    token = flow.refresh_token()
    before = dict(flow.store.documents)
    flow.store.calls.clear()
    flow.store.failing = {1: failing}
    answer = flow.refresh(token)
    assert (answer.status, answer.header("Retry-After")) == (503, "5")
    assert flow.store.documents == before
    assert flow.refresh(token).status == 200


def test_d7_a_refresh_whose_write_response_was_lost_returns_its_tokens(flow: Flow) -> None:
    """The gateway recognizes its own write."""
    token = flow.refresh_token()
    flow.store.lost_write = "grants"
    renewed = flow.refresh(token).json()["refresh_token"]
    assert flow.store.one("grants")["counter"] == 2
    assert flow.refresh(renewed).status == 200


def test_d7_a_redemption_whose_write_response_was_lost_is_not_taken_for_a_replay(flow: Flow) -> None:
    code = flow.code()
    flow.store.lost_write = "grants"
    tokens = flow.redeem(code).json()
    assert flow.store.one("grants")["status"] == "redeemed"
    assert flow.call(tokens["access_token"]).status == 200


@pytest.mark.parametrize(("failing", "code"), [(unreachable, 503), (status(500), 503), (status(404), 400)])
def test_d7_an_overtaken_refresh_reads_the_grant_again_or_returns_an_error(
    flow: Flow, failing: Failing, code: int
) -> None:
    token = flow.refresh_token()
    flow.store.calls.clear()
    flow.store.failing = {1: status(412), 2: failing}
    assert flow.refresh(token).status == code
    assert flow.refresh(token).status == 200


def test_d7_a_grant_that_disappears_during_a_refresh_is_refused(flow: Flow) -> None:
    token = flow.refresh_token()
    flow.store.calls.clear()
    flow.store.failing = {1: status(404)}
    assert refused(flow.refresh(token))


def test_d7_an_emptied_cache_has_no_effect(flow: Flow) -> None:
    token = flow.refresh_token()
    for _ in range(3):
        flow.harness.gateway.services.cache.clear()
        response = flow.refresh(token).json()
        flow.harness.gateway.services.cache.clear()
        assert flow.call(response["access_token"]).status == 200
        token = response["refresh_token"]


@pytest.mark.parametrize("times", [1, 2])
def test_c7_a_sign_in_succeeds_although_entra_throttles_the_first_attempts(flow: Flow, times: int) -> None:
    at_entra = flow.at_entra()
    failures = [reply(429, "{}")] * times
    flow.entra = lambda: failures.pop() if failures else flow.signed_in_at_entra()
    assert "code=" in (flow.callback(at_entra).header("Location") or "")


@pytest.mark.parametrize(("failing", "times"), [(unreachable, 1), (status(400), 1), (status(503), 3)])
def test_c7_a_code_is_sent_again_only_if_entra_did_not_redeem_it(
    flow: Flow, failing: Failing, times: int
) -> None:
    """If there is no response, Entra may have redeemed the code."""
    at_entra = flow.at_entra()
    flow.harness.network.sent.clear()
    flow.entra = failing
    assert "error=" in (flow.callback(at_entra).header("Location") or "")
    assert sum("oauth2/v2.0/token" in sent.url for sent in flow.harness.network.sent) == times


def test_d5_a_single_failure_of_entra_is_retried(flow: Flow) -> None:
    """Many clients treat a failed refresh as the end of the sign-in."""
    token = flow.refresh_token()
    for failing in (unreachable, _timed_out, status(500), status(429)):
        failures = [failing]
        flow.entra = lambda failures=failures: failures.pop()() if failures else flow.signed_in_at_entra()
        answer = flow.refresh(token)
        assert answer.status == 200
        token = answer.json()["refresh_token"]
