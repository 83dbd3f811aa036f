"""Each artifact of a sign-in is refused when it is used again, or by another browser or client.

Artifacts are codes, tokens, forms, handles, cookies and callback URLs (RFC 9700, sections 2.1 and 4).
"""

import dataclasses

import pytest

from tests.e2e.client import parameters_of
from tests.policies.engine.harness import Response
from tests.policies.oauth.flow import Flow, handle_of

OTHER_VERIFIER = "w" * 43


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


def another(flow: Flow) -> Flow:
    """Another client, used in another browser, at the same gateway."""
    other = dataclasses.replace(flow, cookies={})
    other.register()
    return other


def refused(answer: Response) -> bool:
    """Whether the response is an error that neither redirects nor sets a cookie."""
    location = answer.header("Location")
    cookie = answer.header("Set-Cookie")
    return answer.status in (400, 403) and location is None and cookie is None


def state_of(at_entra: Response) -> str:
    return parameters_of(at_entra.header("Location") or "")["state"]


# Replays by the same browser


def test_c3_an_authorization_request_that_is_sent_again_begins_another_sign_in(flow: Flow) -> None:
    first, second = flow.authorize(), flow.authorize()
    assert handle_of(first) != handle_of(second)


def test_c5_a_form_is_accepted_once(flow: Flow) -> None:
    page = flow.page()
    cookies = dict(flow.cookies)
    assert flow.consent(page).status == 303
    for decision in ("allow", "deny"):
        flow.cookies = dict(cookies)
        assert refused(flow.consent(page, decision))


def test_c3_a_handle_shows_no_page_after_the_users_decision(flow: Flow) -> None:
    handle = handle_of(flow.authorize())
    flow.consent(flow.consent_page(handle))
    assert refused(flow.consent_page(handle))


def test_c7_a_callback_url_is_accepted_once(flow: Flow) -> None:
    at_entra = flow.at_entra()
    cookies = dict(flow.cookies)
    assert flow.callback(at_entra).status == 302
    flow.cookies = cookies
    assert refused(flow.callback(at_entra))
    assert len(list(flow.store.of("grants"))) == 1


def test_d1_a_code_is_redeemed_once(flow: Flow) -> None:
    code = flow.code()
    response = flow.redeem(code).json()
    assert flow.redeem(code).json()["error"] == "invalid_grant"
    assert flow.call(response["access_token"]).status == 401
    assert flow.refresh(response["refresh_token"]).json()["error"] == "invalid_grant"


def test_d5_a_reused_refresh_token_revokes_the_family(flow: Flow) -> None:
    first = flow.refresh_token()
    second = flow.refresh(first).json()["refresh_token"]
    third = flow.refresh(second).json()
    assert flow.refresh(first).json()["error"] == "invalid_grant"
    assert flow.refresh(third["refresh_token"]).json()["error"] == "invalid_grant"
    assert flow.call(third["access_token"]).status == 401


# Another browser, which has everything except the cookies


def test_c5_a_form_from_another_browser_is_refused(flow: Flow) -> None:
    """The attacker submits the victim's form, or the victim the attacker's form (session fixation)."""
    page, other = flow.page(), another(flow)
    assert refused(other.consent(page))
    other.page()
    assert refused(other.consent(page))
    assert flow.consent(page).status == 303


def test_c5_cookies_of_another_sign_in_do_not_confirm_a_form(flow: Flow) -> None:
    page, other = flow.page(), another(flow)
    other.page()
    (value,) = other.cookies.values()
    (name,) = flow.cookies
    other.cookies = {name: value}
    assert refused(other.consent(page))


def test_c7_a_callback_url_in_another_browser_is_refused(flow: Flow) -> None:
    """The attacker consents and the victim completes the sign-in (consent fixation), or the attacker
    opens a URL that was stolen from the victim."""
    at_entra, other = flow.at_entra(), another(flow)
    assert refused(other.callback(at_entra))
    other.at_entra()
    assert refused(other.callback(at_entra))
    assert flow.callback(at_entra).status == 302


def test_c7_states_and_cookies_of_two_sign_ins_cannot_be_combined(flow: Flow) -> None:
    first, second = flow.at_entra(), flow.at_entra()
    handle, secret = state_of(first).split(".")[0], state_of(second).split(".")[1]
    # The browser's own cookies, and the value of the second sign-in's cookie under both names.
    for cookies in (flow.cookies, {name: [*flow.cookies.values()][-1] for name in flow.cookies}):
        flow.cookies = dict(cookies)
        assert refused(flow.get("/oauth-callback", f"code=x&state={handle}.{secret}"))


# Another client


def test_d1_a_code_sent_by_another_client_is_refused_and_stays_valid(flow: Flow) -> None:
    code, other = flow.code(), another(flow)
    assert other.redeem(code).json()["error"] == "invalid_grant"
    assert flow.redeem(code).status == 200


def test_d1_a_code_with_another_verifier_is_refused_and_stays_valid(flow: Flow) -> None:
    """Code injection: the attacker has the victim's code, but only the verifier of its own sign-in."""
    code = flow.code()
    assert flow.redeem(code, code_verifier=OTHER_VERIFIER).json()["error"] == "invalid_grant"
    assert flow.redeem(code).status == 200


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_d5_d6_a_client_cannot_use_the_token_of_another_client(flow: Flow, kind: str) -> None:
    response, other = flow.redeem(flow.code()).json(), another(flow)
    assert other.refresh(response[kind]).json()["error"] == "invalid_grant"
    assert other.revoke(response[kind]).json()["error"] == "invalid_grant"
    assert flow.call(response["access_token"]).status == 200
    assert flow.refresh(response["refresh_token"]).status == 200


def test_each_artifact_is_refused_in_place_of_any_other(flow: Flow) -> None:
    """For example, a code is not accepted as a refresh token, nor a handle as a state."""
    at_entra = flow.at_entra()
    issued = flow.redeem(flow.code()).json()
    artifacts = {
        "code": flow.code(),
        "handle": handle_of(flow.authorize()),
        "state": state_of(at_entra),
        "client id": flow.client_id,
        "access token": issued["access_token"],
        "refresh token": issued["refresh_token"],
    }
    before = dict(flow.store.documents)
    for name, value in artifacts.items():
        if name != "code":
            assert flow.redeem(value).status == 400, name
        if name != "refresh token":
            assert flow.refresh(value).status == 400, name
        if name != "access token":
            assert flow.call(value).status == 401, name
        if name != "handle":
            assert refused(flow.consent_page(value)), name
        if name != "state":
            assert refused(flow.get("/oauth-callback", f"code=x&state={value}")), name
        if name != "client id":
            assert refused(flow.authorize(client_id=value)), name
    assert flow.store.documents == before


# Mix-up attacks (RFC 9700, section 4.4): the response identifies the authorization server


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_c8_every_authorization_response_names_the_issuer_once(flow: Flow, decision: str) -> None:
    answer = flow.consent(flow.page(), decision)
    answer = flow.callback(answer) if decision == "allow" else answer
    assert parameters_of(answer.header("Location") or "")["iss"] == "https://gateway.example"


def test_c2_an_error_response_names_the_issuer(flow: Flow) -> None:
    answer = flow.authorize(response_type="token")
    parameters = parameters_of(answer.header("Location") or "")
    assert (parameters["error"], parameters["iss"]) == (
        "unsupported_response_type",
        "https://gateway.example",
    )
