"""Entra's response at the gateway's callback (docs/authorization.md, C7 and C8)."""

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.e2e.client import CALLBACK, Client, parameters_of
from tests.e2e.conftest import RunningTwin
from tests.e2e.deployment import Deployment
from tests.e2e.person import Page, Person


@pytest.fixture
def entra_page(client: Client, ada: Person) -> Page:
    """Entra's sign-in page, reached by consent."""
    return ada.press(ada.open(client.authorize_url()), "Allow")


def cookies_of(person: Person) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in person.cookies["localhost"].items())}


def test_c8_the_response_after_a_sign_in_has_only_code_state_and_issuer(client: Client, ada: Person) -> None:
    end = ada.sign_in(client.authorize_url())
    assert end.startswith(CALLBACK + "?")
    parameters = parameters_of(end)
    assert set(parameters) == {"code", "state", "iss"}
    assert (parameters["state"], parameters["iss"]) == (client.state, client.gateway)


def test_entra_receives_no_values_of_the_client(client: Client, entra_page: Page) -> None:
    query = parse_qs(urlsplit(entra_page.url).query)
    for value in (client.state, client.client_id, client.resource, CALLBACK):
        assert value not in entra_page.url
    assert "resource" not in query
    assert query["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= set(query)


def test_c7_another_browser_cannot_finish_the_sign_in(twin: RunningTwin, entra_page: Page) -> None:
    state = parse_qs(urlsplit(entra_page.url).query)["state"][0]
    answer = httpx.get(f"{twin.gateway}/oauth-callback", params={"code": "stolen", "state": state})
    assert answer.status_code == 403
    assert "location" not in answer.headers


def test_c7_a_user_cannot_finish_an_attackers_sign_in(twin: RunningTwin, entra_page: Page) -> None:
    """The attacker allows, and sends the victim to Entra with the attacker's state."""
    victim = twin.person("Grace Hopper")
    page = victim.press(victim.open(entra_page.url), "Grace Hopper")
    assert page.url.startswith(f"{twin.gateway}/oauth-callback")
    assert page.status == 403


@pytest.mark.parametrize("state", ["", "x", "a" * 43 + "." + "b" * 43, "../" * 20])
def test_an_unknown_state_results_in_an_error_page(twin: RunningTwin, state: str) -> None:
    answer = httpx.get(f"{twin.gateway}/oauth-callback", params={"code": "x", "state": state})
    assert answer.status_code in (400, 403)
    assert "location" not in answer.headers


def test_c7_the_callback_can_be_used_only_once(twin: RunningTwin, ada: Person, entra_page: Page) -> None:
    state = parse_qs(urlsplit(entra_page.url).query)["state"][0]
    headers = cookies_of(ada)
    assert ada.press(entra_page, "Ada Lovelace").response is None
    again = httpx.get(f"{twin.gateway}/oauth-callback", params={"code": "x", "state": state}, headers=headers)
    assert again.status_code == 400


def test_c7_a_code_is_sent_to_entra_encoded(twin: RunningTwin, ada: Person, entra_page: Page) -> None:
    """Injected parameters reach Entra as part of the code, which Entra does not accept."""
    state = parse_qs(urlsplit(entra_page.url).query)["state"][0]
    answer = httpx.get(
        f"{twin.gateway}/oauth-callback",
        params={"code": "x&client_id=evil&grant_type=client_credentials", "state": state},
        headers=cookies_of(ada),
    )
    assert parameters_of(answer.headers["location"])["error"] == "access_denied"


@pytest.mark.parametrize(
    ("upstream", "error"),
    [
        ("access_denied", "access_denied"),
        ("consent_required", "access_denied"),
        ("temporarily_unavailable", "temporarily_unavailable"),
        ("server_error", "server_error"),
        ("invalid_client", "server_error"),
    ],
)
def test_c7_errors_of_entra_are_sent_to_the_client(
    twin: RunningTwin, client: Client, ada: Person, entra_page: Page, upstream: str, error: str
) -> None:
    state = parse_qs(urlsplit(entra_page.url).query)["state"][0]
    answer = httpx.get(
        f"{twin.gateway}/oauth-callback",
        params={"error": upstream, "error_description": "AADSTS: secret detail", "state": state},
        headers=cookies_of(ada),
    )
    end = parameters_of(answer.headers["location"])
    assert (end["error"], end["state"], end["iss"]) == (error, client.state, client.gateway)
    assert "AADSTS" not in answer.headers["location"]


@pytest.mark.parametrize("fault", [{"status": 503}, {"error": True}])
def test_the_client_receives_an_error_if_entra_is_unreachable(
    twin: RunningTwin, ada: Person, entra_page: Page, fault: dict[str, object]
) -> None:
    twin.fault("entra", times=5, **fault)
    page = ada.press(entra_page, "Ada Lovelace")
    assert parameters_of(page.url)["error"] == "temporarily_unavailable"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ('{"error": "invalid_grant"}', "access_denied"),
        ('{"error": "invalid_client"}', "server_error"),
        ("{}", "server_error"),
        ("<html>AADSTS</html>", "server_error"),
    ],
)
def test_the_client_receives_an_error_if_entra_rejects_the_code(
    twin: RunningTwin, ada: Person, entra_page: Page, body: str, error: str
) -> None:
    """The browser returns with a code that Entra does not redeem."""
    entra_answers(twin, body, status=400)
    end = ada.press(entra_page, "Ada Lovelace").url
    assert parameters_of(end)["error"] == error
    assert "AADSTS" not in end


def callback_of(twin: RunningTwin, person: Person, state: str, code: str = "x") -> httpx.Response:
    """The response to the user's browser for a response of Entra that the test chooses."""
    return httpx.get(
        f"{twin.gateway}/oauth-callback",
        params={"code": code, "state": state},
        headers=cookies_of(person),
        timeout=30,
    )


def test_the_upstream_value_of_another_sign_in_is_refused(
    twin: RunningTwin, client: Client, ada: Person
) -> None:
    """In one browser, the value and the cookie of a second sign-in do not finish the first one."""
    first, second = (
        parse_qs(urlsplit(ada.press(ada.open(client.authorize_url()), "Allow").url).query)["state"][0]
        for _ in range(2)
    )
    (transaction, _), (other, upstream) = first.split("."), second.split(".")
    jar = ada.cookies["localhost"]
    jar[f"callback-{transaction[:12]}"] = jar[f"callback-{other[:12]}"]
    answer = callback_of(twin, ada, f"{transaction}.{upstream}")
    assert answer.status_code == 400
    assert "location" not in answer.headers


def test_one_of_several_parallel_callbacks_reaches_entra(
    twin: RunningTwin, ada: Person, entra_page: Page
) -> None:
    state = parse_qs(urlsplit(entra_page.url).query)["state"][0]
    twin.fault("cosmos", delay=0.3, times=30)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: callback_of(twin, ada, state), range(6)))
    assert sorted(answer.status_code for answer in answers) == [302] + [400] * 5
    assert len([request for request in twin.received("entra") if request["method"] == "POST"]) == 1


# The ID token. The test chooses Entra's response, which is signed with Entra's key unless noted otherwise.


def entra_answers(twin: RunningTwin, body: str, status: int = 200) -> None:
    """The next request to Entra, the exchange of the code, receives this response."""
    twin.fault("entra", status=status, times=1, headers={"Content-Type": "application/json"}, body=body)


def identity(deployment: Deployment, entra_page: Page) -> dict[str, Any]:
    """The claims of an ID token that belongs to the sign-in."""
    now = int(time.time())
    return {
        "iss": deployment.directory.issuer,
        "aud": deployment.client_id,
        "tid": deployment.directory.tenant_id,
        "oid": deployment.directory.users[0].object_id,
        "sub": "pairwise",
        "ver": "2.0",
        "nonce": parameters_of(entra_page.url)["nonce"],
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
    }


def without(claims: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in claims.items() if key != name}


def test_a_valid_id_token_results_in_a_code(
    twin: RunningTwin, deployment: Deployment, client: Client, ada: Person, entra_page: Page
) -> None:
    """This proves that each refusal below has the expected cause."""
    token = deployment.signed_by_entra(identity(deployment, entra_page))
    entra_answers(twin, json.dumps({"id_token": token}))
    end = parameters_of(ada.press(entra_page, "Ada Lovelace").url)
    assert client.redeem(end["code"]).status_code == 200


def test_d3_the_lifetime_of_an_access_token_does_not_depend_on_the_id_token(
    twin: RunningTwin, deployment: Deployment, client: Client, ada: Person, entra_page: Page
) -> None:
    """Each refresh checks whether the user may still sign in."""
    claims = identity(deployment, entra_page)
    claims["exp"] = claims["iat"] + 120
    entra_answers(twin, json.dumps({"id_token": deployment.signed_by_entra(claims)}))
    answer = client.redeem(parameters_of(ada.press(entra_page, "Ada Lovelace").url)["code"]).json()
    assert answer["expires_in"] == 600
    twin.advance_clock(540)
    assert client.call(answer["access_token"]).status_code == 200
    twin.advance_clock(60)
    assert client.call(answer["access_token"]).status_code == 401


WRONG_CLAIMS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "nonce of another sign-in": lambda claims: claims | {"nonce": "A" * 43},
    "no nonce": lambda claims: without(claims, "nonce"),
    "for another application": lambda claims: claims | {"aud": "22222222-2222-4222-8222-222222222222"},
    "without an audience": lambda claims: without(claims, "aud"),
    "of another issuer": lambda claims: claims | {"iss": "https://evil.example"},
    "without an issuer": lambda claims: without(claims, "iss"),
    "of another tenant": lambda claims: claims | {"tid": "33333333-3333-4333-8333-333333333333"},
    "without a tenant": lambda claims: without(claims, "tid"),
    "expired": lambda claims: claims | {"exp": claims["iat"] - 120},
    "without an expiry": lambda claims: without(claims, "exp"),
    "not yet valid": lambda claims: claims | {"nbf": claims["iat"] + 3600},
    "without an oid": lambda claims: without(claims, "oid"),
}


def assert_refused(client: Client, page: Page) -> None:
    assert page.response is None, f"{page.status} {page.html[:500]}"
    parameters = parameters_of(page.url)
    assert parameters.pop("error_description")
    assert parameters == {"error": "server_error", "state": client.state, "iss": client.gateway}


@pytest.mark.parametrize("case", WRONG_CLAIMS)
def test_c7_an_id_token_with_one_wrong_claim_is_refused(
    twin: RunningTwin, deployment: Deployment, client: Client, ada: Person, entra_page: Page, case: str
) -> None:
    claims = WRONG_CLAIMS[case](identity(deployment, entra_page))
    entra_answers(twin, json.dumps({"id_token": deployment.signed_by_entra(claims)}))
    assert_refused(client, ada.press(entra_page, "Ada Lovelace"))


def signed_with_another_key(claims: dict[str, Any]) -> str:
    key = RSAKey.generate_key(2048)
    return jwt.encode({"alg": "RS256", "kid": "unknown"}, claims, key)


def unsigned(claims: dict[str, Any]) -> str:
    parts = (json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ""])


@pytest.mark.parametrize("sign", [signed_with_another_key, unsigned])
def test_c7_an_id_token_that_entra_did_not_sign_is_refused(
    twin: RunningTwin,
    deployment: Deployment,
    client: Client,
    ada: Person,
    entra_page: Page,
    sign: Callable[[dict[str, Any]], str],
) -> None:
    entra_answers(twin, json.dumps({"id_token": sign(identity(deployment, entra_page))}))
    assert_refused(client, ada.press(entra_page, "Ada Lovelace"))


def test_an_id_token_whose_claims_were_changed_is_refused(
    twin: RunningTwin, deployment: Deployment, client: Client, ada: Person, entra_page: Page
) -> None:
    """The claims have Grace's identity, and the signature is that of a token for Ada."""
    claims = identity(deployment, entra_page)
    head, _, signature = deployment.signed_by_entra(claims).split(".")
    claims["oid"] = deployment.directory.users[1].object_id
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    entra_answers(twin, json.dumps({"id_token": f"{head}.{payload}.{signature}"}))
    assert_refused(client, ada.press(entra_page, "Ada Lovelace"))


@pytest.mark.parametrize(
    "body",
    ["", "not JSON", "[]", "null", "{}", '{"id_token": null}', '{"id_token": ""}', '{"id_token": "x.y.z"}'],
)
def test_an_answer_without_an_id_token_is_refused(
    twin: RunningTwin, client: Client, ada: Person, entra_page: Page, body: str
) -> None:
    entra_answers(twin, body)
    assert_refused(client, ada.press(entra_page, "Ada Lovelace"))


def test_a_sign_in_that_cannot_be_stored_results_in_no_code(
    twin: RunningTwin, client: Client, ada: Person, entra_page: Page
) -> None:
    """The store returns and updates the transaction, and fails at the write of the grant."""
    twin.fault("cosmos", delay=0, times=2)
    twin.fault("cosmos", status=503, times=1)
    parameters = parameters_of(ada.press(entra_page, "Ada Lovelace").url)
    assert (parameters["error"], parameters["state"]) == ("temporarily_unavailable", client.state)
    assert "code" not in parameters


def test_a_rotated_signing_key_of_entra_is_accepted(twin: RunningTwin, client: Client, ada: Person) -> None:
    """API Management fetches unknown keys at most every five minutes (validate-jwt).

    The Function App also verifies the gateway's own token with the new key.
    """
    ada.sign_in(client.authorize_url())
    twin.control.post("/entra/keys/rotate", json={}).raise_for_status()
    twin.advance_clock(301)
    code = parameters_of(ada.sign_in(client.authorize_url()))["code"]
    assert client.call(client.redeem(code).json()["access_token"]).status_code == 200


def test_the_cookies_of_a_sign_in_are_deleted_at_its_end(client: Client, ada: Person) -> None:
    ada.sign_in(client.authorize_url())
    assert not [name for name in ada.cookies["localhost"] if name.startswith(("consent-", "callback-"))]


def test_the_gateway_requests_a_token_of_its_identity_for_entra_and_sends_no_authorization_header(
    twin: RunningTwin, ada: Person, entra_page: Page
) -> None:
    """Recorded requests have no bodies; tests/policies/oauth/test_bindings.py checks the form."""
    before = len(twin.received("identity"))
    assert ada.press(entra_page, ada.name).url.startswith(CALLBACK)
    assert len(twin.received("identity")) == before + 1
    (redemption,) = (request for request in twin.received("entra") if request["method"] == "POST")
    assert "authorization" not in {name.lower() for name, _ in redemption["headers"]}
