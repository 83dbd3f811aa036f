"""Dynamic client registration (RFC 7591)."""

import json

import httpx
import pytest

from tests.e2e.client import CALLBACK, Client
from tests.e2e.conftest import RunningTwin


@pytest.fixture
def new_client(twin: RunningTwin) -> Client:
    return twin.client()


def test_b1_a_registration_returns_the_metadata_without_a_secret(new_client: Client) -> None:
    answer = new_client.register(client_id="mine", client_secret="mine", client_uri="", logo_uri=None)
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    registered = answer.json()
    assert len(registered.pop("client_id")) >= 22
    assert registered.pop("client_id_issued_at") > 0
    assert registered == {
        "client_name": "Test client",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }


def test_b1_client_ids_are_unique(new_client: Client) -> None:
    assert new_client.register().json()["client_id"] != new_client.register().json()["client_id"]


def test_a_duplicate_redirect_uri_is_stored_once(new_client: Client) -> None:
    assert new_client.register(redirect_uris=[CALLBACK, CALLBACK]).json()["redirect_uris"] == [CALLBACK]


def test_b1_only_redirect_uris_are_required(new_client: Client) -> None:
    answer = new_client.http.post(f"{new_client.gateway}/register", json={"redirect_uris": [CALLBACK]})
    assert answer.status_code == 201
    assert "client_name" not in answer.json()


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/callback",
        "https://app.example:8443/callback?tenant=1",
        "http://127.0.0.1:1234/callback",
        "http://[::1]:1234/callback",
        "http://localhost/callback",
        "com.example.app:/callback",
        "com.example.app://callback",
    ],
)
def test_b2_a_valid_redirect_uri_is_accepted(new_client: Client, uri: str) -> None:
    answer = new_client.register(redirect_uris=[uri])
    assert answer.status_code == 201, answer.text
    assert answer.json()["redirect_uris"] == [uri]


@pytest.mark.parametrize(
    "uri",
    [
        "http://app.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://localhost.evil.example/callback",
        "http://127.0.0.1@evil.example/callback",
        "https://user:secret@app.example/callback",
        "https://app.example/callback#fragment",
        "https://app.example\\@evil.example/callback",
        "https://*.example/callback",
        "https://app.example/*",
        "https://app.example/call back",
        "https://app.example/\r\nSet-Cookie: x",
        "https://app.example:99999/callback",
        "https://app.example:0/callback",
        "https://",
        "https:///callback",
        "//app.example/callback",
        "/callback",
        "javascript:alert(1)",
        "data:text/html,x",
        "myapp:/callback",
        "com.example.app:",
        "com.example.app://user@host/callback",
        "",
        "https://app.example/%0d%0aSet-Cookie:x",
        "https://app.example/%zz",
        "https://app.example/%",
        "https://app.example/%7f",
        "https://app.example/callback?code=x",
        "https://app.example/callback?a=1&state=x",
        "https://app.example/callback?iss",
        "https://app.example/callback?%65rror=x",
        "https://app.example/" + "x" * 2000,
        "https://\u0430pp.example/callback",
        1,
        None,
        ["https://app.example"],
    ],
)
def test_b2_an_invalid_redirect_uri_is_refused(new_client: Client, uri: object) -> None:
    answer = new_client.register(redirect_uris=[uri])
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_redirect_uri"


@pytest.mark.parametrize("uris", [[], None, "https://app.example/cb", {}, [CALLBACK] * 11])
def test_a_client_must_register_one_to_ten_redirect_uris(new_client: Client, uris: object) -> None:
    answer = new_client.register(redirect_uris=uris)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_redirect_uri"


@pytest.mark.parametrize(
    "metadata",
    [
        {"grant_types": ["client_credentials"]},
        {"grant_types": "authorization_code"},
        {"grant_types": []},
        {"grant_types": ["refresh_token"]},
        {"response_types": ["token"]},
        {"client_name": "x" * 101},
        {"client_name": "   "},
        {"client_name": "line\nbreak"},
        {"client_name": "good\u202etxe.exe"},
        {"client_name": "zero\u200bwidth"},
        {"client_name": "soft\u00adhyphen"},
        {"client_name": "arabic\u061cmark"},
        {"client_name": "line\u2028separator"},
        {"client_name": "isolated\u2066text"},
        {"client_name": "next\u0085line"},
        {"client_name": "deleted\u007f"},
        {"client_name": "byte\ufefforder"},
        {"client_name": "\u3164"},
        {"client_name": "a\u2800b"},
        {"client_name": "\u115f"},
        {"client_name": "tag\U000e0001"},
        {"client_name": "private\ue000"},
        {"client_name": "\U0001f600" * 101},
        {"client_name": 7},
    ],
)
def test_unsupported_metadata_is_refused(new_client: Client, metadata: dict[str, object]) -> None:
    answer = new_client.register(**metadata)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_client_metadata"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"{",
        b"\xff\xfe",
        b"[" * 5000,
        b'{"a":' * 3000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_a_body_that_is_not_a_json_object_is_rejected(new_client: Client, body: bytes) -> None:
    answer = new_client.http.post(
        f"{new_client.gateway}/register", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_client_metadata"


@pytest.mark.parametrize(
    "value", [b'"/Date(1)/"', b"0x10", b"01", b"new Date(1)", b"1e400", b"-0", b"NaN", b"'x'", b"1.5e-3"]
)
@pytest.mark.parametrize("member", [b"client_name", b"software_version"])
def test_no_value_causes_an_internal_error(new_client: Client, member: bytes, value: bytes) -> None:
    body = b'{"redirect_uris":["' + CALLBACK.encode() + b'"],"' + member + b'":' + value + b"}"
    answer = new_client.http.post(
        f"{new_client.gateway}/register", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (201, 400)


def test_a_name_can_have_a_hundred_characters_of_any_kind(new_client: Client) -> None:
    assert new_client.register(client_name="\U0001f600" * 100).json()["client_name"] == "\U0001f600" * 100


def test_a_lone_surrogate_is_not_a_valid_name(new_client: Client) -> None:
    body = b'{"redirect_uris":["' + CALLBACK.encode() + b'"],"client_name":"a\\ud800b"}'
    answer = new_client.http.post(
        f"{new_client.gateway}/register", content=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


def test_other_content_types_are_refused(new_client: Client) -> None:
    answer = new_client.http.post(f"{new_client.gateway}/register", data={"redirect_uris": CALLBACK})
    assert answer.status_code == 415


def test_b4_a_body_of_more_than_16_kb_is_refused_and_not_stored(
    twin: RunningTwin, new_client: Client
) -> None:
    before = len(twin.received("cosmos"))
    assert new_client.register(padding="x" * 17000).status_code == 413
    of_two_byte_characters = json.dumps(
        {"redirect_uris": [CALLBACK], "padding": "ü" * 9000}, ensure_ascii=False
    )
    answer = new_client.http.post(
        f"{new_client.gateway}/register",
        content=of_two_byte_characters.encode(),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 413
    assert len(twin.received("cosmos")) == before


def test_b4_the_number_of_registrations_is_limited(new_client: Client) -> None:
    """The limit is 60 a minute; a forged client address does not change it."""
    answers = [
        new_client.http.post(
            f"{new_client.gateway}/register",
            json={"redirect_uris": [CALLBACK]},
            headers={"X-Forwarded-For": f"10.0.0.{number}", "Forwarded": f"for=10.0.0.{number}"},
        )
        for number in range(70)
    ]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert len(limited) == 10
    assert int(limited[0].headers["retry-after"]) > 0
    assert limited[0].json()["error"] == "temporarily_unavailable"


def test_a_registration_that_cannot_be_stored_is_an_error(twin: RunningTwin, new_client: Client) -> None:
    twin.fault("cosmos", status=503, times=1)
    answer = new_client.register()
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "client_id" not in answer.text


def test_b4_an_unused_registration_expires_after_a_day(twin: RunningTwin, new_client: Client) -> None:
    new_client.register()
    twin.advance_clock(86400 + 1)
    page = httpx.get(new_client.authorize_url())
    assert page.status_code == 400


def test_b4_opening_the_consent_page_does_not_extend_a_registration(
    twin: RunningTwin, new_client: Client
) -> None:
    new_client.register()
    twin.advance_clock(86400 - 60)
    assert httpx.get(new_client.authorize_url()).status_code == 302
    twin.clear_cache()
    twin.advance_clock(120)
    assert httpx.get(new_client.authorize_url()).status_code == 400
