"""A sign-in binds its transaction, browser, form, response of Entra, code and client to each other."""

import base64
import hmac
import re

import pytest

from tests.e2e.client import CALLBACK, challenge_of, parameters_of
from tests.policies.oauth.flow import FORM, GATEWAY, RESOURCE, Flow, encoded, handle_of


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


def form_token(page: bytes) -> str:
    (token,) = re.findall(r'name="token" value="([^"]+)"', page.decode())
    return token


def test_a_form_token_is_valid_only_for_its_transaction_even_with_the_same_secret(flow: Flow) -> None:
    """An attacker who has both cookies may put the first transaction's secret into the second cookie."""
    first = flow.page()
    ((name, secret),) = flow.cookies.items()
    second_handle = handle_of(flow.authorize())
    flow.cookies.clear()
    second = flow.consent_page(second_handle)
    (second_name,) = flow.cookies
    assert second_name != name
    flow.cookies = {second_name: secret}
    answer = flow.consent(second, token=form_token(first.body))
    assert (answer.status, answer.header("Location")) == (403, None)
    assert {document["status"] for document in flow.store.of("transactions")} == {"pending"}


def test_a_form_token_is_valid_only_in_the_browser_with_its_cookie(flow: Flow) -> None:
    page = flow.page()
    (name,) = flow.cookies
    for cookies in ({}, {name: "x" * 43}, {name: ""}, {"other": flow.cookies[name]}):
        flow.cookies = cookies
        assert flow.consent(page).status == 403
    assert flow.store.one("transactions")["status"] == "pending"


def test_a_reloaded_page_keeps_the_browsers_secret(flow: Flow) -> None:
    """A form that is open in another tab stays valid; a cookie without a valid secret is replaced."""
    handle = handle_of(flow.authorize())
    first = flow.consent_page(handle)
    cookies = dict(flow.cookies)
    assert form_token(flow.consent_page(handle).body) == form_token(first.body)
    assert flow.cookies == cookies
    (name,) = cookies
    for forged in ("x", "x" * 42, "x" * 44, "x" * 42 + "%"):
        flow.cookies = {name: forged}
        flow.consent_page(handle)
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", flow.cookies[name])


def test_the_redirect_to_entra_contains_the_values_that_bind_its_response(flow: Flow) -> None:
    answer = flow.at_entra()
    url, _, query = (answer.header("Location") or "").partition("?")
    assert (
        url
        == f"{flow.named_value('entra-authority')}/{flow.named_value('entra-tenant')}/oauth2/v2.0/authorize"
    )
    parameters = parameters_of("?" + query)
    ((name, secret),) = flow.cookies.items()
    transaction, _, upstream = parameters.pop("state").partition(".")
    assert name == f"__Host-callback-{transaction[:12]}"
    nonce, challenge = parameters.pop("nonce"), parameters.pop("code_challenge")
    assert parameters == {
        "client_id": flow.named_value("entra-client"),
        "response_type": "code",
        "response_mode": "query",
        "redirect_uri": f"{GATEWAY}/oauth-callback",
        "scope": "openid profile offline_access",
        "code_challenge_method": "S256",
        "prompt": "select_account",
    }
    assert len({nonce, secret, upstream, transaction}) == 4
    set_cookies = [value for key, value in answer.headers if key == "Set-Cookie"]
    attributes = "Secure; HttpOnly; SameSite=Lax"
    assert set_cookies == [
        f"__Host-consent-{transaction[:12]}=; Path=/; Max-Age=0; {attributes}",
        f"{name}={secret}; Path=/; Max-Age=600; {attributes}",
    ]
    flow.callback(answer, code="a&b=c d")
    verifier = flow.entra_request.pop("code_verifier")
    assert challenge_of(verifier) == challenge
    assert verifier not in {nonce, secret, upstream}
    assert flow.entra_request == {
        "grant_type": "authorization_code",
        "client_id": flow.named_value("entra-client"),
        "scope": "openid profile offline_access",
        "code": "a&b=c d",
        "redirect_uri": f"{GATEWAY}/oauth-callback",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "token-for-api://AzureADTokenExchange",
    }


def test_c5_a_form_without_a_cookie_is_refused_even_with_a_correct_token(flow: Flow) -> None:
    """The token is computed with the gateway's key and an empty browser secret."""
    page = flow.page()
    transaction = flow.store.one("transactions")
    key = base64.b64decode(flow.named_value("consent-key-v1"))
    token = encoded(hmac.digest(key, f"consent|{transaction['id']}|".encode(), "sha256"))
    flow.cookies.clear()
    assert flow.consent(page, token=token).status == 403
    assert flow.store.one("transactions") == transaction


def test_the_callback_is_accepted_only_with_its_own_cookie(flow: Flow) -> None:
    """The URL at Entra contains state and nonce, but not the value of the cookie."""
    answer = flow.at_entra()
    ((name, secret),) = flow.cookies.items()
    parameters = parameters_of(answer.header("Location") or "")
    transaction, _, upstream = parameters["state"].partition(".")
    for value in (
        parameters["nonce"],
        upstream,
        transaction,
        parameters["code_challenge"],
        "",
        secret[:-1],
        secret + "x",
    ):
        flow.cookies = {name: value}
        refused = flow.callback(answer)
        assert (refused.status, refused.header("Location")) == (403, None)
    flow.cookies = {name: secret}
    assert flow.callback(answer).status == 302


@pytest.mark.parametrize(
    "state",
    [
        "{t}{u}",
        "{t}.{u}.",
        "{t}.{u}x",
        ".{t}.{u}",
        "{t}.",
        "{t}",
        "{t}..{u}",
        "{t}.{u}%0A",
        "{t}%2E{u}&state={t}.{u}",
    ],
)
def test_a_malformed_state_results_in_an_error_page(flow: Flow, state: str) -> None:
    parameters = parameters_of(flow.at_entra().header("Location") or "")
    transaction, _, upstream = parameters["state"].partition(".")
    answer = flow.get("/oauth-callback", "code=x&state=" + state.format(t=transaction, u=upstream))
    assert (answer.status, answer.header("Location")) == (400, None)
    assert flow.store.one("transactions")["status"] == "approved"


@pytest.mark.parametrize("status", ["pending", "denied", "claimed", "Approved", ""])
def test_entras_response_is_accepted_only_for_an_approved_transaction(flow: Flow, status: str) -> None:
    at_entra = flow.at_entra()
    flow.store.one("transactions")["status"] = status
    assert flow.callback(at_entra).status == 400
    assert flow.store.one("transactions")["status"] == status


@pytest.mark.parametrize("status", ["approved", "denied", "claimed", ""])
@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_a_decision_is_accepted_only_for_a_pending_transaction(
    flow: Flow, decision: str, status: str
) -> None:
    page = flow.page()
    flow.store.one("transactions")["status"] = status
    assert flow.consent(page, decision).status == 400
    assert flow.store.one("transactions")["status"] == status


@pytest.mark.parametrize(
    ("granted", "requested", "audience"),
    [
        (RESOURCE, {}, RESOURCE),
        (RESOURCE, {"resource": ""}, RESOURCE),
        (RESOURCE, {"resource": RESOURCE + "/"}, RESOURCE),
        (RESOURCE, {"resource": RESOURCE.replace("https://gateway", "HTTPS://Gateway")}, RESOURCE),
        (RESOURCE, {"resource": RESOURCE + "2"}, None),
        (RESOURCE, {"resource": RESOURCE.upper()}, None),
        (RESOURCE, {"resource": GATEWAY}, RESOURCE),
        (RESOURCE, {"resource": GATEWAY + "/"}, RESOURCE),
        (GATEWAY, {"resource": ""}, GATEWAY),
        (GATEWAY, {"resource": GATEWAY + "/"}, GATEWAY),
        (GATEWAY, {"resource": RESOURCE}, RESOURCE),
        (GATEWAY, {"resource": GATEWAY + "/other"}, None),
        (GATEWAY, {"resource": "https://evil.example"}, None),
    ],
    ids=str,
)
def test_d2_the_audience_of_a_token_is_the_granted_resource_or_a_part_of_it(
    flow: Flow, granted: str, requested: dict[str, str], audience: str | None
) -> None:
    code = flow.code()
    grant = flow.store.one("grants")
    grant["resource"] = granted
    answer = flow.redeem(code, **requested)
    if audience is None:
        assert (answer.status, answer.json()["error"]) == (400, "invalid_target")
        assert flow.store.one("grants")["status"] == "issued"
        return
    assert flow.claims_of(answer.json()["access_token"])["aud"] == audience


def test_d1_a_code_is_bound_to_its_client_redirect_uri_and_verifier(flow: Flow) -> None:
    code = flow.code()
    original_client = flow.client_id
    flow.register()
    identity, _, secret = code.partition(".")
    for changed in (
        {"client_id": flow.client_id},
        {"client_id": original_client, "redirect_uri": CALLBACK + "/"},
        {"client_id": original_client, "code_verifier": "w" * 43},
        {"client_id": original_client, "code": f"{identity}.{secret[::-1]}"},
    ):
        answer = flow.redeem(**{"code": code} | changed)
        assert (answer.status, answer.json()["error"]) == (400, "invalid_grant"), changed
        assert flow.store.one("grants")["status"] == "issued"
    assert flow.redeem(code, client_id=original_client).status == 200


def test_a_decision_is_accepted_only_from_a_page_of_the_gateways_origin(flow: Flow) -> None:
    page = flow.page()
    fields = "&".join(
        f"{name}={value}" for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', page.body.decode())
    )
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in flow.cookies.items())}
    for origin in (None, GATEWAY.upper(), GATEWAY + "/", GATEWAY + ":443", "null", "https://evil.example"):
        sent = headers | {"Content_Type": FORM} | ({"Origin": origin} if origin else {})
        body = (fields + "&decision=allow").encode()
        assert flow.harness.send("POST", "/consent", body=body, **sent).status == 403
    assert flow.store.one("transactions")["status"] == "pending"
    assert flow.consent(page).status == 303
