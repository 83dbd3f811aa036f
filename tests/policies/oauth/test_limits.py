"""Limits of lengths, numbers and characters: the last accepted value and the first refused value."""

import base64
import json
from urllib.parse import urlencode

import pytest
from joserfc import jwe
from joserfc.jwk import OctKey

from tests.e2e.client import CALLBACK, challenge_of, parameters_of
from tests.policies.oauth.flow import FORM, GATEWAY, VERIFIER, Flow


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


def register_raw(flow: Flow, body: str, content_type: str = "application/json") -> int:
    """The status of the response to a registration with this body."""
    return flow.post("/register", body, content_type=content_type).status


# Names

INVISIBLE_CHARACTERS = [
    "\x00\x1f\x7f\x9f\u00ad\u061c\u180e",
    "\u200b\u200f\u2028\u202e\u2060\u206f\ufeff\ufff0\ufffd\uffff\ue000\uf8ff",
    "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0",
    "\U000e0000\U000e0001\U000e007f\U000f0000\U0010ffff",
]
"""The first and the last character of each refused range."""
VISIBLE_NEIGHBORS = (
    "~\u00a1\u00ac\u00ae\u061b\u2010\u2027\u2030\u2070\ud7fb\uf900\u115e\u1161\u17b3\u2801\u27ff"
)
VISIBLE_NEIGHBORS += "\u3163\u3165\uff9f\uffa1\uff5e\U00010000\U0001f600\U0003134a"
"""Accepted characters, most of them next to a refused range."""


@pytest.mark.parametrize("letters", INVISIBLE_CHARACTERS, ids=ascii)
def test_invisible_characters_in_a_name_are_refused(flow: Flow, letters: str) -> None:
    """At the beginning, in the middle and at the end."""
    for letter in letters:
        for name in (letter + "ab", "a" + letter + "b", "ab" + letter):
            answer = flow.register(client_name=name)
            assert (answer.status, answer.json()["error"]) == (400, "invalid_client_metadata"), ascii(name)


def test_letters_next_to_the_refused_ranges_are_accepted(flow: Flow) -> None:
    for letter in VISIBLE_NEIGHBORS:
        answer = flow.register(client_name=f"a {letter} b")
        assert (answer.status, answer.json().get("client_name")) == (201, f"a {letter} b"), ascii(letter)


@pytest.mark.parametrize("letter", ["a", "\u00fc", "\uff41", "\U0001f600", "\U0001f400", "\U0001f3ff"])
def test_a_name_has_a_hundred_characters_at_most(flow: Flow, letter: str) -> None:
    assert [flow.register(client_name=letter * length).status for length in (1, 100, 101)] == [201, 201, 400]


# Redirect URIs


def accepted(flow: Flow, uri: object) -> bool:
    answer = flow.register(redirect_uris=[uri])
    assert answer.status == 201 or answer.json()["error"] == "invalid_redirect_uri"
    return answer.status == 201


def test_a_redirect_uri_contains_only_characters_that_uris_allow(flow: Flow) -> None:
    """RFC 3986, appendix A, without the character that begins a fragment and without the wildcard."""
    characters = {chr(code) for code in range(256) if accepted(flow, f"https://app.example/a{chr(code)}b")}
    digits = "0123456789"
    assert characters == {
        *"abcdefghijklmnopqrstuvwxyz",
        *"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        *digits,
        *"-._~:/?[]@!$&'()+,;=",
    }


def test_a_redirect_uri_must_not_contain_encoded_control_characters_or_malformed_escapes(flow: Flow) -> None:
    octets = {code for code in range(256) if accepted(flow, f"https://app.example/%{code:02x}")}
    assert octets == set(range(0x20, 0x100)) - {0x7F}
    assert [accepted(flow, f"https://app.example/{rest}") for rest in ("%2", "%2g", "%g0", "%7f", "%7F")] == [
        False
    ] * 5


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://a/", True),
        ("https://a.b-c.example", True),
        ("https://a.example?x=1", True),
        ("https://-a.example/", False),
        ("https://a.example-/", False),
        ("https://a.example./", False),
        ("https://.example/", False),
        ("https://a_b.example/", False),
        ("https://a.example:/", False),
        ("https://a.example:1/", True),
        ("https://a.example:65535/", True),
        ("https://a.example:65536/", False),
        ("https://a.example:000001/", False),
        ("https://[::1]/", False),
        ("HTTPS://a.example/", False),
        ("http://127.0.0.1", True),
        ("http://127.0.0.1:65535?x", True),
        ("http://127.0.0.1:65536/", False),
        ("http://127.0.0.1:0/", False),
        ("http://127.0.0.2/", False),
        ("http://127x0.0.1/", False),
        ("http://[::1]", True),
        ("http://[::2]/", False),
        ("http://localhost:/", False),
        ("http://localhostx/", False),
        ("com.example:/", True),
        ("https://a..example/", True),
        ("https://gateway.example/cb", False),
        ("https://gateway.example", False),
        ("https://GATEWAY.example:443/cb", False),
        ("https://gateway.example:8443/cb", True),
        ("https://gateway.example.evil.example/", True),
        ("http://gateway.example/", False),
        ("cursor://anysphere.cursor-mcp/oauth/callback", True),
        ("vscode://vscode.example/callback", True),
        ("cursors://anysphere.cursor-mcp/oauth/callback", False),
        ("javascript:/alert(1)", False),
        ("javascript:https://a.example/", False),
        ("javascript:http://localhost/", False),
        ("javascript:com.example:/a", False),
        ("com.example-app+x.y:/a/b?c", True),
        ("com.example:/a@b", False),
        ("com.example:/[a", False),
        ("com.example:a", False),
        ("com:/a", False),
        ("com.:/a", False),
        ("1com.example:/a", False),
        ("file:///etc/passwd", False),
    ],
)
def test_a_redirect_uri_is_https_or_loopback_or_has_a_private_use_scheme(
    flow: Flow, uri: str, expected: bool
) -> None:
    assert accepted(flow, uri) == expected


def test_a_redirect_uri_has_1024_characters_at_most(flow: Flow) -> None:
    start = "https://app.example/"
    assert [accepted(flow, start + "x" * (length - len(start))) for length in (1024, 1025)] == [True, False]


@pytest.mark.parametrize("name", ["code", "state", "iss", "error", "error_description", "error_uri"])
def test_a_redirect_uri_must_not_contain_parameters_of_the_response(flow: Flow, name: str) -> None:
    encoded = f"%{ord(name[0]):02x}{name[1:]}"
    for query in (name, f"{name}=", f"{name}=x", f"a=1&{name}=x", f"{encoded}=x", f"a&{encoded}"):
        assert not accepted(flow, f"https://app.example/cb?{query}")
    for query in (name.upper(), f"{name}s=1", f"a={name}", f"a={name}=1"):
        assert accepted(flow, f"https://app.example/cb?{query}")
    assert accepted(flow, f"https://app.example/{name}=x")


def test_a_client_has_ten_redirect_uris_at_most(flow: Flow) -> None:
    uris = [f"https://app.example/{number}" for number in range(11)]
    assert [flow.register(redirect_uris=uris[:count]).status for count in (1, 10, 11)] == [201, 201, 400]
    assert flow.register(redirect_uris=[*uris[:9], "http://app.example/"]).status == 400


# The rest of a registration


@pytest.mark.parametrize(
    ("metadata", "status"),
    [
        ({"grant_types": None, "response_types": None, "client_name": None}, 201),
        ({"token_endpoint_auth_method": None}, 201),
        ({"token_endpoint_auth_method": "none"}, 201),
        ({"token_endpoint_auth_method": "None"}, 201),
        ({"token_endpoint_auth_method": ["none"]}, 201),
        ({"token_endpoint_auth_method": ""}, 201),
        ({"grant_types": ["refresh_token", "authorization_code"]}, 201),
        ({"grant_types": ["authorization_code", None]}, 201),
        ({"grant_types": {}}, 400),
        ({"grant_types": ["code"]}, 400),
        ({"response_types": ["code", "token"]}, 201),
        ({"response_types": []}, 400),
        ({"response_types": ["authorization_code"]}, 400),
        ({"client_name": ""}, 400),
        ({"client_name": ["x"]}, 400),
        ({"client_name": True}, 400),
    ],
    ids=str,
)
def test_unsupported_metadata_is_replaced_or_omitted(
    flow: Flow, metadata: dict[str, object], status: int
) -> None:
    assert flow.register(**metadata).status == status


def test_the_response_to_a_registration_has_the_stored_metadata(flow: Flow) -> None:
    answer = flow.register(grant_types=["refresh_token", "authorization_code"], client_uri="https://x")
    assert answer.json() == {
        "client_id": flow.client_id,
        "client_id_issued_at": flow.now,
        "redirect_uris": [CALLBACK],
        "client_name": "Test client",
        "grant_types": ["refresh_token", "authorization_code"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }
    assert flow.register(grant_types=None).json()["grant_types"] == ["authorization_code", "refresh_token"]


def test_a_registration_has_16_kb_at_most_in_bytes(flow: Flow) -> None:
    for letter in ("x", "\u00fc"):
        empty = json.dumps({"redirect_uris": [CALLBACK], "padding": ""}, ensure_ascii=False)
        room = 16384 - len(empty)
        full = empty.replace('""}', '"' + letter * (room // len(letter.encode())) + '"}')
        assert len(full.encode()) in (16383, 16384)
        exact = full + " " * (16384 - len(full.encode()))
        assert [register_raw(flow, exact), register_raw(flow, exact + " ")] == [201, 413]


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("Application/JSON ; charset=utf-8", 201),
        ("application/json-patch", 415),
        ("text/json", 415),
        (FORM, 415),
    ],
)
def test_a_registration_must_have_the_content_type_of_json(
    flow: Flow, content_type: str, status: int
) -> None:
    assert register_raw(flow, json.dumps({"redirect_uris": [CALLBACK]}), content_type) == status


# Values of an authorization request that are returned to the client


@pytest.mark.parametrize(
    ("registered", "requested", "same"),
    [
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb", True),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1/cb", True),
        ("http://127.0.0.1/cb", "http://127.0.0.1:1/cb", True),
        ("http://127.0.0.1", "http://127.0.0.1:8", True),
        ("http://127.0.0.1?a=1", "http://127.0.0.1:8?a=1", True),
        ("http://127.0.0.1?a=1", "http://127.0.0.1:8?a=2", False),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:0/cb", False),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:65536/cb", False),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:/cb", False),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:1@evil.example/cb", False),
        ("http://127.0.0.1:1/cb", "http://[::1]:1/cb", False),
        ("http://127.0.0.1:1/cb", "https://127.0.0.1:1/cb", False),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:2/CB", False),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:2/cb/", False),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1.example:2/cb", False),
        ("https://app.example/http://127.0.0.1:1/", "https://app.example/http://127.0.0.1:2/", False),
        ("http://[::1]:1/cb?a", "http://[::1]:2/cb?a", True),
        ("http://localhost:1/cb", "http://localhost:1/cb", True),
        ("http://localhost:1/cb", "http://localhost:2/cb", True),
        ("https://app.example/cb", "https://app.example/cb", True),
        ("https://app.example/cb", "https://app.example:443/cb", False),
        ("https://app.example/cb", "https://APP.example/cb", False),
        ("https://app.example/cb", "https://app.example/cb?", False),
        ("com.example:/cb", "com.example:/cb", True),
        ("com.example:/cb", "com.example:/cb2", False),
    ],
)
def test_c1_only_the_port_of_a_loopback_host_may_differ(
    flow: Flow, registered: str, requested: str, same: bool
) -> None:
    """RFC 8252, section 7.3; also for the name localhost."""
    assert flow.register(redirect_uris=["https://first.example/", registered]).status == 201
    assert flow.authorize(redirect_uri=requested).status == (302 if same else 400)


def error_of(flow: Flow, **changed: str | None) -> str:
    return parameters_of(flow.authorize(**changed).header("Location") or "").get("error", "")


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        (
            "code_challenge",
            ["a" * 43, "Az09-_" + "x" * 37],
            ["a" * 42, "a" * 44, "a" * 42 + "=", "a" * 43 + "\n"],
        ),
        ("code_challenge_method", ["S256"], ["s256", "S256 ", "plain"]),
        ("response_type", ["code"], ["code id_token", "Code"]),
        ("response_mode", ["query"], ["Query", "fragment"]),
        ("prompt", ["login", "consent nonesuch"], ["none", "login none"]),
        (
            "scope",
            ["a  offline_access", " a", "!#[]~"],
            ['"', "\\", "a\tb", "\x1f", "\x7f", "\xe4"],
        ),
        ("state", ["x" * 1499], ["x" * 1500]),
    ],
)
def test_a_registered_client_receives_an_error_for_an_invalid_value(
    flow: Flow, parameter: str, good: list[str], bad: list[str]
) -> None:
    assert [error_of(flow, **{parameter: value}) for value in good] == [""] * len(good)
    assert all(error_of(flow, **{parameter: value}) for value in bad)


@pytest.mark.parametrize(
    ("parameter", "error"),
    [
        ("response_type", "invalid_request"),
        ("code_challenge", "invalid_request"),
        ("code_challenge_method", "invalid_request"),
        ("resource", ""),
        ("scope", ""),
        ("state", ""),
    ],
)
def test_a_missing_parameter_is_an_error_only_if_it_is_required(
    flow: Flow, parameter: str, error: str
) -> None:
    """A parameter without a value counts as omitted (RFC 6749, section 3.1)."""
    assert [error_of(flow, **{parameter: value}) for value in (None, "")] == [error, error]


def test_omitted_parameters_default_to_the_whole_gateway_and_its_default_scopes(flow: Flow) -> None:
    for omitted in (None, ""):
        flow.authorize(resource=omitted, scope=omitted, state=omitted)
    stored = [
        [document[name] for name in ("resource", "scope")] for document in flow.store.of("transactions")
    ]
    assert stored == [[GATEWAY, "functions"]] * 2
    assert [document["state"] for document in flow.store.of("transactions")] == ["", "="]


def test_the_state_is_kept_as_it_was_sent_between_parameters_without_a_name_or_value(flow: Flow) -> None:
    required = {
        "response_type": "code",
        "client_id": flow.client_id,
        "redirect_uri": CALLBACK,
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
    }
    answer = flow.get("/authorize", f"flag&=x&&{urlencode(required)}&st%61te=a%2fb+c")
    assert answer.status == 302
    assert flow.store.one("transactions")["state"] == "=a%2fb+c"


# Token requests


@pytest.mark.parametrize(
    "code",
    ["{0}.{1}x", "x{0}.{1}", "{0}{1}", "{0}.{1}.", "{0}.{1}\n", "{1}.{0}", ".{1}", "{0}.", "{0}.{1}.{1}"],
)
def test_a_malformed_code_is_refused_without_a_call_to_the_store(flow: Flow, code: str) -> None:
    parts = flow.code().split(".")
    flow.store.calls.clear()
    answer = flow.redeem(code.format(*parts))
    assert (answer.status, answer.json()["error"], flow.store.calls) == (400, "invalid_grant", [])


@pytest.mark.parametrize(
    ("verifier", "error"),
    [
        ("a" * 42, "invalid_request"),
        ("a" * 43, "invalid_grant"),
        ("-._~" * 32, "invalid_grant"),
        ("a" * 129, "invalid_request"),
        ("a" * 42 + "+", "invalid_request"),
        ("a" * 43 + "\n", "invalid_request"),
    ],
)
def test_a_verifier_has_43_to_128_characters(flow: Flow, verifier: str, error: str) -> None:
    assert flow.redeem(flow.code(), code_verifier=verifier).json()["error"] == error


def test_a_form_has_16_kb_at_most(flow: Flow) -> None:
    code = flow.code()
    form = f"grant_type=authorization_code&code={code}&redirect_uri={CALLBACK}&client_id={flow.client_id}"
    form += f"&code_verifier={VERIFIER}"
    full = form + "&" * (16384 - len(form))
    statuses = [flow.post("/token", text, content_type=FORM).status for text in (full + "&", full)]
    assert statuses == [400, 200]


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (FORM, 200),
        (FORM.upper() + " ; charset=UTF-8", 200),
        (FORM + "x", 400),
        ("text/plain", 400),
        ("multipart/form-data", 400),
        ("", 400),
    ],
)
def test_a_form_must_have_its_content_type(flow: Flow, content_type: str, status: int) -> None:
    code = flow.code()
    form = f"grant_type=authorization_code&code={code}&redirect_uri={CALLBACK}&client_id={flow.client_id}"
    form += f"&code_verifier={VERIFIER}"
    assert flow.post("/token", form, content_type=content_type).status == status


@pytest.mark.parametrize("path", ["/token", "/consent"])
def test_a_request_without_a_form_is_refused(flow: Flow, path: str) -> None:
    answer = flow.harness.send("POST", path, Content_Type=FORM, Origin=GATEWAY)
    assert (answer.status, answer.header("Location")) == (400, None)


# Access tokens


def encrypted(flow: Flow, plaintext: bytes) -> str:
    """A token with this plaintext, encrypted with the gateway's key."""
    key = OctKey.import_key(base64.b64decode(flow.named_value("token-key-v1")))
    header = {"alg": "dir", "enc": "A256CBC-HS512", "kid": "1"}
    return jwe.encrypt_compact(header, plaintext, key, algorithms=["dir", "A256CBC-HS512"])


@pytest.mark.parametrize(("plaintext", "length", "accepted"), [(2944, 4076, True), (2960, 4097, False)])
def test_an_access_token_has_4096_characters_at_most(
    flow: Flow, plaintext: int, length: int, accepted: bool
) -> None:
    """Encryption uses blocks of 16 bytes, so no token has between 4077 and 4096 characters."""
    claims = json.dumps(flow.claims_of(flow.token()))
    token = encrypted(flow, claims.ljust(plaintext).encode())
    assert len(token) == length
    assert flow.call(token).status == (200 if accepted else 401)
    assert flow.revoke(token).status == 200
    assert flow.store.one("grants")["status"] == ("revoked" if accepted else "redeemed")


def test_a_shortened_access_token_is_refused_at_every_length(flow: Flow) -> None:
    """Some lengths are not valid in base64url."""
    header, key, iv, ciphertext, tag = flow.token().split(".")
    for length in range(1, 9):
        token = ".".join((header, key, iv, ciphertext[:length], tag))
        assert (flow.call(token).status, flow.revoke(token).status) == (401, 200)


# Rate limits

ENDPOINTS = {
    "authorize": ("GET", "/authorize", 60),
    "consent page": ("GET", "/consent", 60),
    "consent": ("POST", "/consent", 60),
    "callback": ("GET", "/oauth-callback", 60),
    "token": ("POST", "/token", 600),
    "revoke": ("POST", "/revoke", 600),
}


@pytest.mark.parametrize("name", ENDPOINTS)
def test_the_requests_of_an_address_to_an_endpoint_are_limited_per_minute(flow: Flow, name: str) -> None:
    """Each endpoint and each address has a separate limit."""

    def status_of(method: str, path: str, ip: str = "203.0.113.7") -> int:
        return flow.harness.send(method, path, ip=ip).status

    method, path, limit = ENDPOINTS[name]
    assert 429 not in {status_of(method, path) for _ in range(limit)}
    refused = flow.harness.send(method, path)
    assert (refused.status, refused.header("Retry-After")) == (429, "60")
    assert status_of(method, path, ip="203.0.113.8") != 429
    assert 429 not in {status_of(*other[:2]) for endpoint, other in ENDPOINTS.items() if endpoint != name}
    flow.harness.clock.advance(61)
    assert status_of(method, path) != 429
