"""Registrations: real clients, redirect URIs, ignored metadata, names, lifetimes and limits."""

import json
import re
import unicodedata
from typing import Any

import pytest

from gateway import characters
from tests.e2e.client import CALLBACK
from tests.policies.oauth.clients import REGISTRATIONS
from tests.policies.oauth.flow import GATEWAY, Flow


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


def description_of_error(flow: Flow, uri: object) -> str:
    """The description of the error for a registration with this redirect URI."""
    answer = flow.register(redirect_uris=[uri])
    assert (answer.status, answer.json()["error"]) == (400, "invalid_redirect_uri")
    return answer.json()["error_description"]


@pytest.mark.parametrize("client", REGISTRATIONS)
def test_b3_the_registrations_of_real_clients_are_accepted(flow: Flow, client: str) -> None:
    requested = REGISTRATIONS[client]
    answer = flow.post("/register", json.dumps(requested), content_type="application/json")
    assert answer.status == 201, answer.body
    response = answer.json()
    assert response["redirect_uris"] == requested["redirect_uris"]
    assert response["token_endpoint_auth_method"] == "none"
    assert response["grant_types"] == [
        grant_type
        for grant_type in requested.get("grant_types", ["authorization_code", "refresh_token"])
        if "device" not in grant_type
    ]
    assert response["response_types"] == ["code"]
    assert "client_secret" not in response
    assert "" not in response.values()
    assert None not in response.values()


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("http://app.example/cb", ["http://app.example/cb", "https", "loopback"]),
        ("myapp:/cb", ["myapp:/cb", "appSchemes", "myapp"]),
        ("javascript:alert(1)", ["javascript:alert(1)", "appSchemes"]),
        (f"{GATEWAY}/oauth-callback", [f"{GATEWAY}/oauth-callback", "own origin"]),
        ("https://app.example/#x", ["https://app.example/#x", "fragment"]),
        ("https://app.example:0/", ["port"]),
        ("https://app.example/?code=1", ["code"]),
        ('https://app.example/"\\\n\u00fc', ["https://app.example/????"]),
        ("https://app.example/" + "x" * 2000, ["https://app.example/xxx"]),
        (7, ["''"]),
    ],
)
def test_b2_the_error_names_the_redirect_uri_and_the_setting(
    flow: Flow, uri: object, parts: list[str]
) -> None:
    """The description contains only characters that RFC 6749, section 5.2, allows."""
    description = description_of_error(flow, uri)
    assert all(part in description for part in parts)
    assert len(description) < 600
    assert re.fullmatch(r"[\x20\x21\x23-\x5b\x5d-\x7e]*", description)


@pytest.mark.parametrize("uris", [None, [], {}, CALLBACK, [CALLBACK, None]], ids=str)
def test_b2_a_registration_without_a_list_of_redirect_uris_is_refused(flow: Flow, uris: object) -> None:
    before = len(list(flow.store.of("clients")))
    answer = flow.register(redirect_uris=uris)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_redirect_uri")
    assert len(list(flow.store.of("clients"))) == before


def test_b2_all_redirect_uris_together_have_4_kb_at_most(flow: Flow) -> None:
    full = ["https://a.example/" + "x" * (1000 - 18 - number) for number in range(4)]
    room = 4096 - sum(map(len, full))
    last = "https://b.example/"
    exact = [*full, last + "y" * (room - len(last))]
    assert [flow.register(redirect_uris=uris).status for uris in (exact, [*exact[:4], exact[4] + "y"])] == [
        201,
        400,
    ]


@pytest.mark.parametrize(
    "method",
    ["client_secret_post", "client_secret_basic", "private_key_jwt", "tls_client_auth", "x", "", 1, ["none"]],
)
def test_b3_every_authentication_method_is_registered_as_none(flow: Flow, method: object) -> None:
    answer = flow.register(token_endpoint_auth_method=method)
    assert (answer.status, answer.json()["token_endpoint_auth_method"]) == (201, "none")


@pytest.mark.parametrize(
    ("member", "requested", "expected"),
    [
        ("grant_types", None, ["authorization_code", "refresh_token"]),
        ("grant_types", ["authorization_code"], ["authorization_code"]),
        ("grant_types", ["authorization_code", "implicit"], ["authorization_code"]),
        ("grant_types", ["authorization_code", "authorization_code"], ["authorization_code"]),
        ("grant_types", [7, "authorization_code", None, {}], ["authorization_code"]),
        ("response_types", None, ["code"]),
        ("response_types", ["code", "token", "code id_token"], ["code"]),
    ],
)
def test_b3_unsupported_grant_types_and_response_types_are_omitted(
    flow: Flow, member: str, requested: object, expected: list[str]
) -> None:
    answer = flow.register(**{member: requested})
    assert (answer.status, answer.json()[member]) == (201, expected)


@pytest.mark.parametrize(
    ("member", "requested"),
    [
        ("grant_types", ["refresh_token"]),
        ("grant_types", ["client_credentials"]),
        ("grant_types", []),
        ("grant_types", "authorization_code"),
        ("response_types", ["token"]),
        ("response_types", []),
        ("response_types", {"code": True}),
    ],
)
def test_b3_a_client_without_a_supported_grant_type_or_response_type_is_refused(
    flow: Flow, member: str, requested: object
) -> None:
    before = len(list(flow.store.of("clients")))
    answer = flow.register(**{member: requested})
    assert (answer.status, answer.json()["error"]) == (400, "invalid_client_metadata")
    assert member in answer.json()["error_description"]
    assert len(list(flow.store.of("clients"))) == before


# Names


def accepts_name(flow: Flow, name: object) -> bool:
    answer = flow.register(client_name=name)
    assert answer.status == 201 or answer.json()["error"] == "invalid_client_metadata"
    return answer.status == 201


@pytest.mark.parametrize(
    "name",
    [
        "Notes",
        "Notes \u00e9t\u00e9",
        "e\u0301\u0302",
        "\u0928\u094b\u091f\u094d\u0938 \u095b\u093f\u0902\u0926\u0917\u0940",
        "\u091c\u093c\u093f\u0902",
        "\u1eef",
        "\u30ce\u30fc\u30c8",
        "\U0001f4dd",
        ".",
    ],
)
def test_b3_names_in_any_script_are_accepted(flow: Flow, name: str) -> None:
    assert accepts_name(flow, name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "\u00a0\u3000",
        "\u0301",
        " \u0301\u0302",
        "\u0903",
        "e\u0301\u0301\u0301",
        "e\u20dd\u20dd\u20dd",
        "e\U0001d165\U0001d167\U0001d168\U0001e8d0",
        "Go\ufe0fogle",
        "Go\U000e0100ogle",
        "Go\u034fogle",
        "Go\u115fogle",
        "Go\u200dogle",
        "Go\u180bogle",
        "Go\U0001d173ogle",
        "Go\U000110bdogle",
        "Go\U00013439ogle",
        "Go\u0600ogle",
        "Go\u2028ogle",
        "Go\ufdd0ogle",
    ],
    ids=ascii,
)
def test_b3_invisible_stacked_and_empty_names_are_refused(flow: Flow, name: str) -> None:
    assert not accepts_name(flow, name)


def _matched(pattern: str) -> set[int]:
    """The characters of planes 0 and 1 that a pattern for UTF-16 code units matches."""
    compiled = re.compile(pattern)

    def units(code: int) -> str:
        high, low = divmod(code - 0x10000, 0x400)
        return chr(code) if code < 0x10000 else chr(0xD800 + high) + chr(0xDC00 + low)

    return {code for code in range(0x20000) if compiled.fullmatch(units(code))}


def test_b3_the_patterns_for_names_match_the_categories_of_unicode() -> None:
    def of(*categories: str) -> set[int]:
        return {code for code in range(0x20000) if unicodedata.category(chr(code)) in categories}

    assert _matched(characters.marks()) == of("Mn", "Me")
    assert _matched(characters.blank()) == of("Mn", "Me", "Mc", "Zs")
    invisible = _matched(characters.invisible())
    assert of("Cc", "Cf", "Co", "Zl", "Zp") <= invisible
    assert invisible & of("Lu", "Ll", "Nd", "Po", "Zs") == set()


# Lifetimes and limits


def test_b4_a_registration_expires_after_a_day_without_a_grant(flow: Flow) -> None:
    assert flow.store.one("clients")["ttl"] == 86400


def _register(flow: Flow, ip: str) -> Any:
    return flow.post(
        "/register", json.dumps({"redirect_uris": [CALLBACK]}), content_type="application/json", ip=ip
    )


def test_b4_an_address_can_register_60_times_a_minute(flow: Flow) -> None:
    statuses = [_register(flow, "192.0.2.1").status for _ in range(60)]
    assert set(statuses) == {201}
    refused = _register(flow, "192.0.2.1")
    assert (refused.status, refused.json()["error"]) == (429, "temporarily_unavailable")
    assert refused.header("Retry-After") == "60"
    assert refused.header("Access-Control-Allow-Origin") == "*"
    assert _register(flow, "192.0.2.2").status == 201


def test_b4_all_addresses_together_have_a_higher_limit(flow: Flow) -> None:
    flow.harness.gateway.services.counters.clear()
    statuses = [_register(flow, f"192.0.{number // 50}.{number % 50}").status for number in range(601)]
    assert (set(statuses[:600]), statuses[600]) == ({201}, 429)
    flow.harness.clock.advance(61)
    assert _register(flow, "192.0.2.1").status == 201


def test_b4_refused_registrations_do_not_use_up_the_limit_of_all_addresses(flow: Flow) -> None:
    counters = flow.harness.gateway.services.counters
    counters.clear()
    for number in range(3):
        ip = f"192.0.2.{number}"
        assert flow.post("/register", "{", content_type="application/json", ip=ip).status == 400
        assert flow.post("/register", "{}", content_type="text/plain", ip=ip).status == 415
    counters.add("register", 599)
    assert _register(flow, "192.0.2.1").status == 201
    assert _register(flow, "192.0.2.2").status == 429
