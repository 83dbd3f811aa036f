"""Remembered consent: whose it is, for what, for how long, and which clients are asked each time."""

import functools
import json
from typing import Any

import pytest

from tests.e2e.client import CALLBACK, parameters_of
from tests.policies.engine.stage import Got, Stage
from tests.policies.oauth.stand import GATEWAY, Stand, away, declared
from tests.policies.oauth.test_metadata_documents import APP, URL, Host, document
from twin.clock import Clock

DAY = 86400
OTHER_USER = "66666666-6666-4666-8666-666666666666"
NOTES = {
    "name": "notes",
    "image": "ghcr.io/example/notes:1.0.0",
    "port": 8080,
    "scopes": ["notes.read", "notes.write"],
}


@functools.cache
def _stage(**config: str) -> Stage:
    return Stage(declared(containers=json.dumps([NOTES]), **config), Clock())


def verified(**config: str) -> Stand:
    """A client with a metadata document, for all of whose redirect URIs the browser never leaves."""
    stand = Stand.at(_stage(**config))
    uris = [APP, "https://app.example.com/other", "http://localhost/callback", "com.example.app:/cb"]
    Host(document(redirect_uris=uris)).serve(stand)
    stand.client_id = URL
    return stand


@pytest.fixture
def stand() -> Stand:
    return verified()


def start(stand: Stand, **changed: str | None) -> Got:
    """The answer to the address of the consent page: the page, or the way to Entra."""
    first = stand.authorize(**({"redirect_uri": APP, "resource": f"{GATEWAY}/notes-mcp"} | changed))
    return stand.get("/consent", (first.header("Location") or "").partition("?")[2])


def asked(stand: Stand, **changed: str | None) -> bool:
    """Whether the person sees the page; either way the sign-in is finished."""
    answer = start(stand, **changed)
    shown = answer.status == 200
    if shown:
        answer = stand.consent(answer)
    else:
        assert answer.status == 302
        stand.nonce = parameters_of(answer.header("Location") or "")["nonce"]
    end = parameters_of(stand.callback(answer).header("Location") or "")
    assert sorted(end) == ["code", "iss", "state"]
    return shown


def test_c6_a_verified_client_is_asked_once(stand: Stand) -> None:
    assert [asked(stand) for _ in range(3)] == [True, False, False]


def test_c6_the_page_says_that_the_consent_will_be_remembered(stand: Stand) -> None:
    assert b"you will not be asked again in this browser for 30 days" in start(stand).body
    stand.register()
    assert b"not be asked again" not in stand.page().body


def test_c6_a_client_that_registered_itself_is_asked_each_time(stand: Stand) -> None:
    stand.register(redirect_uris=[APP])
    assert [asked(stand) for _ in range(3)] == [True] * 3
    assert list(stand.store.of("consents")) == []


@pytest.mark.parametrize("redirect_uri", ["http://localhost:5/callback", "com.example.app:/cb"])
def test_c6_an_app_on_the_users_machine_is_asked_each_time(stand: Stand, redirect_uri: str) -> None:
    """Every app there can use the id of a verified client and receive its answer (RFC 8252, section 8.6)."""
    assert [asked(stand, redirect_uri=redirect_uri) for _ in range(3)] == [True] * 3
    assert list(stand.store.of("consents")) == []


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
def test_c6_something_else_is_asked_for_again(stand: Stand, changed: dict[str, str]) -> None:
    assert [asked(stand), asked(stand, **changed), asked(stand, **changed), asked(stand)] == [
        True,
        True,
        False,
        False,
    ]


def test_c6_another_client_is_asked_again(stand: Stand) -> None:
    assert asked(stand)
    other = "https://other.example.com/client.json"
    Host(document(client_id=other)).serve(stand)
    stand.client_id = other
    assert asked(stand)


def test_c6_consent_expires(stand: Stand) -> None:
    """Of the user's cookie; the store deletes the document by its time to live."""
    assert asked(stand)
    (kept,) = stand.store.of("consents")
    assert kept["ttl"] == 30 * DAY
    stand.stage.clock.advance(30 * DAY - 1)
    assert not asked(stand)
    stand.stage.clock.advance(2)
    assert asked(stand)


def test_c6_another_browser_and_another_person_are_asked(stand: Stand) -> None:
    assert asked(stand)
    stand.cookies.clear()
    assert asked(stand)


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
def test_c6_a_changed_cookie_is_not_believed(stand: Stand, cookie: str) -> None:
    assert asked(stand)
    sub, expires, mac = stand.cookies["__Host-user"].split(".")
    values = {"sub": sub, "expires": expires, "mac": mac, "other": OTHER_USER, "other_mac": "x" * 43}
    stand.cookies["__Host-user"] = cookie.format(**values)
    assert asked(stand)


def test_c6_when_another_user_signs_in_the_client_receives_no_code(stand: Stand) -> None:
    assert asked(stand)
    answer = start(stand)
    assert answer.status == 302
    stand.nonce = parameters_of(answer.header("Location") or "")["nonce"]
    stand.tampered = {"oid": OTHER_USER}
    grants = len(list(stand.store.of("grants")))
    end = stand.callback(answer)
    assert parameters_of(end.header("Location") or "")["error"] == "access_denied"
    assert len(list(stand.store.of("grants"))) == grants
    assert "__Host-user" not in stand.cookies
    assert asked(stand)


def test_c6_no_answer_from_the_store_means_the_page(stand: Stand) -> None:
    assert asked(stand)
    first = stand.authorize(redirect_uri=APP, resource=f"{GATEWAY}/notes-mcp")
    stand.store.failing = {len(stand.store.calls) + 1: away}
    page = stand.get("/consent", (first.header("Location") or "").partition("?")[2])
    assert page.status == 200


def test_c6_a_consent_that_cannot_be_kept_harms_no_sign_in(stand: Stand) -> None:
    page = start(stand)
    at_entra = stand.consent(page)
    stand.store.failing = {len(stand.store.calls) + number: away for number in (3, 4, 5)}
    assert "code" in parameters_of(stand.callback(at_entra).header("Location") or "")
    stand.store.failing = {}
    assert asked(stand)


def test_c6_the_cookie_is_for_the_gateway_alone_and_holds_no_secret(stand: Stand) -> None:
    at_entra = stand.consent(start(stand))
    lines = [value for name, value in stand.callback(at_entra).headers if name == "Set-Cookie"]
    (line,) = [line for line in lines if line.startswith("__Host-user=")]
    assert line.endswith(f"; Path=/; Max-Age={30 * DAY}; Secure; HttpOnly; SameSite=Lax")
    (kept,) = stand.store.of("consents")
    value = line.partition("=")[2].partition(";")[0]
    assert value.split(".")[2] not in json.dumps(kept)
    assert kept["sub"] == value.split(".")[0]


def test_c6_an_operator_may_have_people_asked_each_time() -> None:
    stand = verified(consentDays="0")
    assert b"not be asked again" not in start(stand).body
    assert [asked(stand) for _ in range(2)] == [True, True]
    assert list(stand.store.of("consents")) == []


def test_c6_a_remembered_consent_is_bound_to_the_browser_like_any_other(stand: Stand) -> None:
    """The way from Entra back needs the cookie that was set on the way there."""
    assert asked(stand)
    answer = start(stand)
    stand.cookies = {name: value for name, value in stand.cookies.items() if "callback" not in name}
    assert stand.callback(answer).status == 403


def kept_without_versions(stand: Stand) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in each.items() if name not in {"id", "_etag", "_ts"}}
        for each in stand.store.of("consents")
    ]


def test_c6_what_is_kept(stand: Stand) -> None:
    assert asked(stand, scope="notes.read")
    assert kept_without_versions(stand) == [
        {
            "ttl": 30 * DAY,
            "sub": "55555555-5555-4555-8555-555555555555",
            "clientDocumentId": stand.store.one("transactions")["clientDocumentId"],
            "clientName": "=App",
            "redirectUri": APP,
            "resource": f"{GATEWAY}/notes-mcp",
            "scope": "notes.read",
        }
    ]
    assert CALLBACK not in json.dumps(kept_without_versions(stand))
