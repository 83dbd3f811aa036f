"""Remembered consent: for which users, requests and times it is valid, and which clients always need one."""

import functools
import hashlib
import json
from typing import Any

import pytest

from tests.e2e.client import CALLBACK, parameters_of
from tests.policies.engine.harness import Harness, Response
from tests.policies.oauth.flow import GATEWAY, Flow, ManualClock, encoded, end_of, service_with, unreachable
from tests.policies.oauth.test_metadata_documents import APP, URL, Host, document

DAY = 86400
OTHER_USER = "66666666-6666-4666-8666-666666666666"
NOTES = {
    "name": "notes",
    "image": "ghcr.io/example/notes:1.0.0",
    "port": 8080,
    "scopes": ["notes.read", "notes.write"],
}


@functools.cache
def _harness(**config: str) -> Harness:
    return Harness(service_with(containers=json.dumps([NOTES]), **config), ManualClock())


def verified(**config: str) -> Flow:
    """A flow whose client has a metadata document, with redirect URIs of each kind."""
    flow = Flow.at(_harness(**config))
    uris = [APP, "https://app.example.com/other", "http://localhost/callback", "com.example.app:/cb"]
    Host(document(redirect_uris=uris)).serve(flow)
    flow.client_id = URL
    return flow


@pytest.fixture
def flow() -> Flow:
    return verified()


def start(flow: Flow, **changed: str | None) -> Response:
    """The response of the consent endpoint: the page, or a redirect to Entra."""
    first = flow.authorize(**({"redirect_uri": APP, "resource": f"{GATEWAY}/notes-mcp"} | changed))
    return flow.get("/consent", (first.header("Location") or "").partition("?")[2])


def consent_is_shown(flow: Flow, **changed: str | None) -> bool:
    """Completes a sign-in and returns whether the consent page was shown."""
    answer = start(flow, **changed)
    shown = answer.status == 200
    if shown:
        answer = flow.consent(answer)
    else:
        assert answer.status == 302
        flow.nonce = parameters_of(answer.header("Location") or "")["nonce"]
    end = parameters_of(end_of(flow.callback(answer)))
    assert sorted(end) == ["code", "iss", "state"]
    return shown


def test_c6_a_verified_client_needs_consent_once(flow: Flow) -> None:
    assert [consent_is_shown(flow) for _ in range(3)] == [True, False, False]


def test_c6_the_page_announces_that_the_consent_is_remembered(flow: Flow) -> None:
    assert b"you will not be asked again in this browser for 30 days" in start(flow).body
    flow.register()
    assert b"not be asked again" not in flow.page().body


def test_c6_dynamically_registered_clients_need_consent_each_time(flow: Flow) -> None:
    flow.register(redirect_uris=[APP])
    assert [consent_is_shown(flow) for _ in range(3)] == [True] * 3
    assert list(flow.store.of("consents")) == []


@pytest.mark.parametrize("redirect_uri", ["http://localhost:5/callback", "com.example.app:/cb"])
def test_c6_an_app_on_the_users_machine_needs_consent_each_time(flow: Flow, redirect_uri: str) -> None:
    """Every app on the machine can use a verified client's id and receive its response (RFC 8252, 8.6)."""
    assert [consent_is_shown(flow, redirect_uri=redirect_uri) for _ in range(3)] == [True] * 3
    assert list(flow.store.of("consents")) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": "https://app.example.com/other"},
        {"resource": f"{GATEWAY}/mcp"},
        {"scope": "notes.write"},
        {"scope": "notes.read offline_access"},
    ],
    ids=str,
)
def test_c6_another_request_asks_for_consent_again(flow: Flow, changed: dict[str, str]) -> None:
    assert [
        consent_is_shown(flow),
        consent_is_shown(flow, **changed),
        consent_is_shown(flow, **changed),
        consent_is_shown(flow),
    ] == [
        True,
        True,
        False,
        False,
    ]


def test_c6_another_client_needs_consent(flow: Flow) -> None:
    assert consent_is_shown(flow)
    other = "https://other.example.com/client.json"
    Host(document(client_id=other)).serve(flow)
    flow.client_id = other
    assert consent_is_shown(flow)


def test_c6_consent_expires(flow: Flow) -> None:
    """The user's cookie expires; the store deletes the document after its time to live."""
    assert consent_is_shown(flow)
    (stored,) = flow.store.of("consents")
    assert stored["ttl"] == 30 * DAY
    flow.harness.clock.advance(30 * DAY - 1)
    assert not consent_is_shown(flow)
    flow.harness.clock.advance(1)
    assert consent_is_shown(flow)


def test_c6_another_browser_needs_consent(flow: Flow) -> None:
    assert consent_is_shown(flow)
    flow.cookies.clear()
    assert consent_is_shown(flow)


@pytest.mark.parametrize(
    "cookie",
    [
        "{sub}.{expires}.{other_mac}",
        "{other}.{expires}.{mac}",
        "{sub}.99999999999.{mac}",
        "{sub}.{expires}.",
        "{sub}.{expires}.{mac}x",
        "{sub}",
        "",
        "x.y.z",
    ],
)
def test_c6_a_changed_cookie_is_not_accepted(flow: Flow, cookie: str) -> None:
    assert consent_is_shown(flow)
    sub, expires, mac = flow.cookies["__Host-user"].split(".")
    values = {"sub": sub, "expires": expires, "mac": mac, "other": OTHER_USER, "other_mac": "x" * 43}
    flow.cookies["__Host-user"] = cookie.format(**values)
    assert consent_is_shown(flow)


def test_c6_when_another_user_signs_in_the_client_receives_no_code(flow: Flow) -> None:
    assert consent_is_shown(flow)
    answer = start(flow)
    assert answer.status == 302
    flow.nonce = parameters_of(answer.header("Location") or "")["nonce"]
    flow.tampered = {"oid": OTHER_USER}
    grants = len(list(flow.store.of("grants")))
    end = flow.callback(answer)
    assert parameters_of(end.header("Location") or "")["error"] == "access_denied"
    assert len(list(flow.store.of("grants"))) == grants
    assert "__Host-user" not in flow.cookies
    assert consent_is_shown(flow)


def test_c6_the_consent_page_is_shown_if_the_store_cannot_be_read(flow: Flow) -> None:
    assert consent_is_shown(flow)
    first = flow.authorize(redirect_uri=APP, resource=f"{GATEWAY}/notes-mcp")
    flow.store.failing = {len(flow.store.calls) + 1: unreachable}
    page = flow.get("/consent", (first.header("Location") or "").partition("?")[2])
    assert page.status == 200


def test_c6_a_sign_in_succeeds_if_its_consent_cannot_be_stored(flow: Flow) -> None:
    page = start(flow)
    at_entra = flow.consent(page)
    flow.store.failing = {len(flow.store.calls) + number: unreachable for number in (3, 4, 5)}
    assert "code" in parameters_of(flow.callback(at_entra).header("Location") or "")
    flow.store.failing = {}
    assert consent_is_shown(flow)


def test_c6_the_cookie_is_sent_only_to_the_gateway_and_its_mac_is_not_stored(flow: Flow) -> None:
    at_entra = flow.consent(start(flow))
    lines = [value for name, value in flow.callback(at_entra).headers if name == "Set-Cookie"]
    (line,) = [line for line in lines if line.startswith("__Host-user=")]
    assert line.endswith(f"; Path=/; Max-Age={30 * DAY}; Secure; HttpOnly; SameSite=Lax")
    (stored,) = flow.store.of("consents")
    value = line.partition("=")[2].partition(";")[0]
    assert value.split(".")[2] not in json.dumps(stored)
    assert stored["sub"] == value.split(".")[0]


def test_c6_an_operator_may_require_consent_each_time() -> None:
    flow = verified(consentDays="0")
    assert b"not be asked again" not in start(flow).body
    assert [consent_is_shown(flow) for _ in range(2)] == [True, True]
    assert list(flow.store.of("consents")) == []


def test_c6_the_callback_after_a_remembered_consent_needs_its_cookie(flow: Flow) -> None:
    """The cookie is set with the redirect to Entra, as after a consent on the page."""
    assert consent_is_shown(flow)
    answer = start(flow)
    flow.cookies = {name: value for name, value in flow.cookies.items() if "callback" not in name}
    assert flow.callback(answer).status == 403


def test_c6_a_stored_consent_of_an_app_on_the_users_machine_is_ignored(flow: Flow) -> None:
    """The gateway stores no such consent, so the test adds it to the store."""
    assert consent_is_shown(flow)
    (stored,) = flow.store.of("consents")
    redirect_uri = "http://localhost:5/callback"
    members = (stored["sub"], stored["clientDocumentId"], redirect_uri, stored["resource"], stored["scope"])
    name = encoded(hashlib.sha256("|".join(members).encode()).digest())
    flow.store.documents[("consents", name)] = stored | {"id": name, "redirectUri": redirect_uri}
    assert start(flow, redirect_uri=redirect_uri).status == 200


def test_c6_no_consent_is_looked_up_without_the_users_cookie(flow: Flow) -> None:
    assert start(flow).status == 200
    assert ("GET", "consents") not in flow.store.calls


def consents_without_versions(flow: Flow) -> list[dict[str, Any]]:
    """The stored consents without their ids and the members that the store adds."""
    return [
        {name: value for name, value in document.items() if name not in {"id", "_etag", "_ts"}}
        for document in flow.store.of("consents")
    ]


def test_c6_a_stored_consent_has_only_the_documented_members(flow: Flow) -> None:
    assert consent_is_shown(flow, scope="notes.read")
    assert consents_without_versions(flow) == [
        {
            "ttl": 30 * DAY,
            "sub": "55555555-5555-4555-8555-555555555555",
            "clientDocumentId": flow.store.one("transactions")["clientDocumentId"],
            "clientName": "=App",
            "redirectUri": APP,
            "resource": f"{GATEWAY}/notes-mcp",
            "scope": "notes.read",
        }
    ]
    assert CALLBACK not in json.dumps(consents_without_versions(flow))
