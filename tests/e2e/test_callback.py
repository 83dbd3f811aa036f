"""Entra's answer at the gateway (oauth.md C7, C8)."""

import base64
import json
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.e2e.client import CALLBACK, Client, parameters_of
from tests.e2e.conftest import RunningTwin
from tests.e2e.person import Page, Person


@pytest.fixture
def entra_page(client: Client, ada: Person) -> Page:
    """Entra's sign-in page, reached by consent."""
    return ada.press(ada.open(client.authorize_url()), "Allow")


def cookies_of(person: Person) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in person.cookies["localhost"].items())}


def test_success_is_exactly_one_code_with_state_and_issuer(client: Client, ada: Person) -> None:
    end = ada.sign_in(client.authorize_url())
    assert end.startswith(CALLBACK + "?")
    heard = parameters_of(end)
    assert set(heard) == {"code", "state", "iss"}
    assert (heard["state"], heard["iss"]) == (client.state, client.gateway)


def test_entra_never_sees_what_the_client_sent(client: Client, entra_page: Page) -> None:
    asked = parse_qs(urlsplit(entra_page.url).query)
    for value in (client.state, client.client_id, client.resource, CALLBACK):
        assert value not in entra_page.url
    assert "resource" not in asked
    assert asked["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= set(asked)


def test_another_browser_cannot_finish_the_sign_in(twin: RunningTwin, entra_page: Page) -> None:
    state = parse_qs(urlsplit(entra_page.url).query)["state"][0]
    answer = httpx.get(f"{twin.gateway}/oauth-callback", params={"code": "stolen", "state": state})
    assert answer.status_code == 403
    assert "location" not in answer.headers


def test_a_victim_is_not_made_to_finish_a_sign_in_that_another_began(
    twin: RunningTwin, entra_page: Page
) -> None:
    """The attacker allows, and sends the victim to Entra with the attacker's state."""
    victim = twin.person("Grace Hopper")
    page = victim.press(victim.open(entra_page.url), "Grace Hopper")
    assert page.url.startswith(f"{twin.gateway}/oauth-callback")
    assert page.status == 403


@pytest.mark.parametrize("state", ["", "x", "a" * 43 + "." + "b" * 43, "../" * 20])
def test_a_made_up_state_stays_on_a_page(twin: RunningTwin, state: str) -> None:
    answer = httpx.get(f"{twin.gateway}/oauth-callback", params={"code": "x", "state": state})
    assert answer.status_code in (400, 403)
    assert "location" not in answer.headers


def test_the_callback_answers_once(twin: RunningTwin, ada: Person, entra_page: Page) -> None:
    state = parse_qs(urlsplit(entra_page.url).query)["state"][0]
    headers = cookies_of(ada)
    assert ada.press(entra_page, "Ada Lovelace").response is None
    again = httpx.get(f"{twin.gateway}/oauth-callback", params={"code": "x", "state": state}, headers=headers)
    assert again.status_code == 400


def test_a_code_is_sent_to_entra_encoded(twin: RunningTwin, ada: Person, entra_page: Page) -> None:
    """What is injected through the code arrives as part of the code: Entra knows no such code."""
    state = parse_qs(urlsplit(entra_page.url).query)["state"][0]
    answer = httpx.get(
        f"{twin.gateway}/oauth-callback",
        params={"code": "x&client_id=evil&grant_type=client_credentials", "state": state},
        headers=cookies_of(ada),
    )
    assert parameters_of(answer.headers["location"])["error"] == "access_denied"


@pytest.mark.parametrize(
    ("upstream", "heard"),
    [
        ("access_denied", "access_denied"),
        ("consent_required", "access_denied"),
        ("temporarily_unavailable", "temporarily_unavailable"),
        ("server_error", "server_error"),
        ("invalid_client", "server_error"),
    ],
)
def test_errors_of_entra_become_the_clients(
    twin: RunningTwin, client: Client, ada: Person, entra_page: Page, upstream: str, heard: str
) -> None:
    state = parse_qs(urlsplit(entra_page.url).query)["state"][0]
    answer = httpx.get(
        f"{twin.gateway}/oauth-callback",
        params={"error": upstream, "error_description": "AADSTS: secret detail", "state": state},
        headers=cookies_of(ada),
    )
    end = parameters_of(answer.headers["location"])
    assert (end["error"], end["state"], end["iss"]) == (heard, client.state, client.gateway)
    assert "AADSTS" not in answer.headers["location"]


@pytest.mark.parametrize("fault", [{"status": 503}, {"error": True}])
def test_an_unreachable_entra_is_said_to_the_client(
    twin: RunningTwin, ada: Person, entra_page: Page, fault: dict[str, object]
) -> None:
    twin.fault("entra", times=5, **fault)
    page = ada.press(entra_page, "Ada Lovelace")
    assert parameters_of(page.url)["error"] == "temporarily_unavailable"


def test_a_changed_signing_key_is_followed(twin: RunningTwin, client: Client, ada: Person) -> None:
    """API Management asks for keys that it does not know every five minutes at most (validate-jwt)."""
    ada.sign_in(client.authorize_url())
    twin.control.post("/entra/keys/rotate", json={}).raise_for_status()
    twin.advance_clock(301)
    assert "code" in parameters_of(ada.sign_in(client.authorize_url()))


def test_cookies_are_cleared_at_the_end(client: Client, ada: Person) -> None:
    ada.sign_in(client.authorize_url())
    assert not [name for name in ada.cookies["localhost"] if name.startswith("__Host-")]


def test_the_gateway_proves_itself_by_its_identity_and_not_by_a_secret(
    twin: RunningTwin, client: Client, ada: Person
) -> None:
    ada.sign_in(client.authorize_url())
    sent = json.dumps(twin.received("entra"))
    assert "client_secret" not in sent
    assert base64.b64encode(b"client_secret").decode() not in sent
