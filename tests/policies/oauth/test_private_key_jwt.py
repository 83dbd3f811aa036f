"""Clients with private_key_jwt, which send a signed assertion with each token request (RFC 7523)."""

import functools
import json
from base64 import urlsafe_b64decode
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from apim.network import Reply
from tests.e2e.client import parameters_of
from tests.policies.engine.harness import Harness, Response, Sent, reply
from tests.policies.oauth.flow import (
    FORM,
    GATEWAY,
    VERIFIER,
    Flow,
    ManualClock,
    encoded,
    handle_of,
    service_with,
    unreachable,
)
from tests.policies.oauth.test_metadata_documents import APP, URL, document

JWKS = "https://app.example.com/oauth/jwks.json"
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@functools.cache
def _key(name: str, size: int = 2048) -> RSAKey:
    return RSAKey.generate_key(size, {"kid": name, "use": "sig"})


@functools.cache
def _curve() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "curve"})


@functools.cache
def _harness() -> Harness:
    return Harness(service_with(), ManualClock())


class ConfidentialClient:
    """A client with keys, and the host that publishes its metadata document and its keys.

    Attributes:
        flow: the gateway.
        published: the published keys.
        fetched: the number of requests for the keys.
        broken: returns the response that replaces the keys; None if the host responds normally.
    """

    def __init__(self, **changed: Any) -> None:
        self.flow = Flow.at(_harness())
        self.published: list[dict[str, Any]] = [_key("one").as_dict(private=False)]
        self.fetched = 0
        self.broken: Any = None
        self._document = document(
            **({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": JWKS} | changed)
        )
        before = self.flow.harness.network.answer

        def answer(sent: Sent) -> Any:
            if sent.url == JWKS:
                assert (sent.method, sent.header("Accept")) == ("GET", "application/json")
                return self._keys()
            if sent.url == URL:
                return reply(200, json.dumps(self._document), Content_Type="application/json")
            return before(sent)

        self.flow.harness.network.answer = answer
        self.flow.client_id = URL

    def _keys(self) -> Reply:
        self.fetched += 1
        return self.broken() if self.broken else reply(200, json.dumps({"keys": self.published}))

    def code(self) -> str:
        """All steps up to the authorization code."""
        page = self.flow.consent_page(handle_of(self.flow.authorize(redirect_uri=APP)))
        end = self.flow.callback(self.flow.consent(page)).header("Location") or ""
        return parameters_of(end)["code"]

    def assertion(self, *, key: Any = None, alg: str = "RS256", **changed: Any) -> str:
        """A signed assertion; a claim that is changed to None is omitted."""
        claims = {"iss": URL, "sub": URL, "aud": GATEWAY, "exp": self.flow.now + 60, "jti": "x"} | changed
        key = key or _key("one")
        header = {"alg": alg, "kid": key.kid}
        present = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(header, present, key, algorithms=["RS256", "PS256", "RS384", "ES256"])

    def assertion_with(self, *, pss: bool = False, **header: Any) -> str:
        """A valid assertion with this header, signed with RSA and SHA-256 regardless of the header."""
        claims = jwt.decode(self.assertion(), _key("one")).claims
        signed = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if pss else padding.PKCS1v15()
        key = _key("one").private_key
        assert key is not None
        signature = key.sign(signed.encode(), scheme, hashes.SHA256())
        return f"{signed}.{encoded(signature)}"

    def redeem(self, code: str, assertion: str | None, assertion_type: str | None = TYPE) -> Response:
        return self.flow.redeem(
            code, redirect_uri=APP, client_assertion=assertion, client_assertion_type=assertion_type
        )


@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_b5_a_client_redeems_and_refreshes_with_assertions_and_not_without(alg: str) -> None:
    client = ConfidentialClient()
    answer = client.redeem(client.code(), client.assertion(alg=alg))
    assert answer.status == 200, answer.body
    for assertion, status in ((client.assertion(), 200), ("", 401)):
        form = (
            f"grant_type=refresh_token&refresh_token={answer.json()['refresh_token']}&client_id={URL}"
            f"&client_assertion={assertion}&client_assertion_type={TYPE}"
        )
        refreshed = client.flow.post("/token", form, content_type=FORM, cookies=False)
        assert refreshed.status == status
    assert client.fetched == 1


def test_b5_an_assertion_may_name_the_issuer_in_a_list() -> None:
    client = ConfidentialClient()
    assert client.redeem(client.code(), client.assertion(aud=[GATEWAY])).status == 200


WRONG_ASSERTIONS: dict[str, dict[str, Any]] = {
    "for another server": {"aud": "https://other.example"},
    "for the token endpoint": {"aud": f"{GATEWAY}/token"},
    "for several servers": {"aud": [GATEWAY, "https://other.example"]},
    "without an audience": {"aud": None},
    "of another issuer": {"iss": "https://other.example/c"},
    "for another subject": {"sub": "https://other.example/c"},
    "without an expiry": {"exp": None},
    "expired": {"exp": 1000},
    "valid for too long": {"exp": 99999999999},
    "with an expiry that is not a number": {"exp": "soon"},
    "not valid yet": {"nbf": 99999999999},
    "signed with another key": {"key": _key("two")},
    "signed with another algorithm": {"alg": "RS384"},
}


@pytest.mark.parametrize("name", WRONG_ASSERTIONS)
def test_b5_an_assertion_that_is_wrong_in_one_way_is_refused(name: str) -> None:
    client = ConfidentialClient()
    code = client.code()
    refused = client.redeem(code, client.assertion(**WRONG_ASSERTIONS[name]))
    assert (refused.status, refused.json()["error"]) == (401, "invalid_client")
    assert client.redeem(code, client.assertion()).status == 200


@pytest.mark.parametrize(
    ("claim", "accepted", "refused"), [("exp", -59, -60), ("exp", 3600, 3601), ("nbf", 60, 61)]
)
def test_b5_clocks_may_differ_by_a_minute_and_an_assertion_is_valid_for_an_hour_at_most(
    claim: str, accepted: int, refused: int
) -> None:
    client = ConfidentialClient()
    code, now = client.code(), client.flow.now
    for seconds, status in ((refused, 401), (accepted, 200)):
        changed: dict[str, Any] = {claim: now + seconds}
        assert client.redeem(code, client.assertion(**changed)).status == status


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "RS256", "kid": "one", "crit": ["exp"], "exp": 1},
        {"alg": "RS256", "kid": "two"},
        {"alg": "PS384", "kid": "one", "pss": True},
        {"alg": "none", "pss": True},
        {"pss": True},
    ],
    ids=str,
)
def test_b5_an_assertion_with_an_unsupported_header_or_another_key_id_is_refused(
    header: dict[str, Any],
) -> None:
    client = ConfidentialClient()
    assert client.redeem(client.code(), client.assertion_with(**header)).status == 401


def test_b5_an_assertion_without_a_key_id_is_checked_with_every_key() -> None:
    client = ConfidentialClient()
    client.published = [
        {"kty": "RSA", "n": "!!", "e": "AQAB"},
        {"kty": "RSA", "n": "A" * 345, "e": "AQAB"},
        *({"kty": "RSA", "n": n, "e": "AQAB"} for n in ("!" + "A" * 343, "A" * 343 + "!")),
        _key("two").as_dict(private=False),
        _key("one").as_dict(private=False) | {"alg": "RS256"},
    ]
    assert client.redeem(client.code(), client.assertion_with(alg="RS256")).status == 200


def test_b5_no_token_is_issued_without_an_assertion_or_for_a_malformed_assertion() -> None:
    client = ConfidentialClient()
    code, good = client.code(), client.assertion()
    head, body, signature = good.split(".")
    for assertion, assertion_type in (
        (None, TYPE),
        (good, None),
        (good, "x"),
        ("x", TYPE),
        (f"{head}.{body}", TYPE),
        (f"{head}.{body}.", TYPE),
        (f"{head}.{body}.{signature[:-4]}AAAA", TYPE),
        (f"{head}.{body[:-2]}.{signature}", TYPE),
        (f"e30.{body}.{signature}", TYPE),
        (f"W10.{body}.{signature}", TYPE),
        (f"{head}.{body}.a", TYPE),
        (f"{head}.{body}.!{signature[1:]}", TYPE),
        (f"{head}.{body}.{signature[:-1]}=", TYPE),
        (f"{good}.AAAA", TYPE),
        (f"{good}\n", TYPE),
        (f" {good}", TYPE),
    ):
        answer = client.redeem(code, assertion, assertion_type)
        assert (answer.status, answer.json()["error"]) == (401, "invalid_client")
    assert client.redeem(code, good).status == 200


@pytest.mark.parametrize(
    "published",
    [
        [],
        [{"kty": "RSA"}],
        [{"kty": "RSA", "n": "!!", "e": "AQAB", "kid": "one"}],
        [_key("one").as_dict(private=False) | {"use": "enc"}],
        [_key("one").as_dict(private=False) | {"alg": "PS256"}],
        [_key("two").as_dict(private=False)],
        [_curve().as_dict(private=False) | {"kid": "one"}],
        [_key("one").as_dict(private=False) | {"kty": "EC"}],
    ],
)
def test_b5_only_the_published_keys_are_accepted(published: list[dict[str, Any]]) -> None:
    client = ConfidentialClient()
    client.published = published
    assert client.redeem(client.code(), client.assertion()).status == 401


@pytest.mark.filterwarnings("ignore:Key size")
def test_b5_a_key_of_1024_bits_is_refused() -> None:
    client = ConfidentialClient()
    weak = _key("weak", 1024)
    client.published = [weak.as_dict(private=False)]
    assert client.redeem(client.code(), client.assertion(key=weak)).status == 401


@pytest.mark.parametrize(
    "broken",
    [
        unreachable,
        lambda: reply(500),
        lambda: reply(302, "", Location="https://x/"),
        lambda: reply(404, json.dumps({"keys": [_key("one").as_dict(private=False)]})),
    ],
)
def test_b5_if_the_keys_cannot_be_fetched_the_client_receives_503_with_retry_after(broken: Any) -> None:
    client = ConfidentialClient()
    code = client.code()
    client.broken = broken
    answer = client.redeem(code, client.assertion())
    assert (answer.status, answer.header("Retry-After")) == (503, "5")
    client.broken = None
    assert client.redeem(code, client.assertion()).status == 200


def test_b5_a_document_that_also_lists_the_method_none_needs_no_assertion() -> None:
    client = ConfidentialClient(token_endpoint_auth_methods_supported=["none", "private_key_jwt"])
    assert client.redeem(client.code(), None, None).status == 200
    assert client.fetched == 0


def test_b5_an_assertion_does_not_replace_the_verifier() -> None:
    client = ConfidentialClient()
    answer = client.flow.redeem(
        client.code(),
        redirect_uri=APP,
        code_verifier=VERIFIER[:-1] + "x",
        client_assertion=client.assertion(),
        client_assertion_type=TYPE,
    )
    assert answer.json()["error"] == "invalid_grant"


def test_b5_the_revocation_of_a_valid_token_also_needs_an_assertion() -> None:
    """The response for an unknown token reveals nothing, so it needs none (RFC 7009, section 2.2)."""
    client = ConfidentialClient()
    response = client.redeem(client.code(), client.assertion()).json()
    flow = client.flow
    for kind in ("access_token", "refresh_token"):
        answer = flow.revoke(response[kind])
        assert (answer.status, answer.json()["error"]) == (401, "invalid_client")
        assert flow.store.one("grants")["status"] == "redeemed"
    signed = {"client_assertion": client.assertion(), "client_assertion_type": TYPE}
    assert flow.revoke("unknown").status == 200
    assert flow.revoke(response["refresh_token"], **signed).status == 200
    assert flow.store.one("grants")["status"] == "revoked"


@pytest.mark.parametrize("published", ["<html>", "", "[]", "{}", '{"keys": {}}'])
def test_b5_a_response_that_is_not_a_key_set_is_not_cached(published: str) -> None:
    client = ConfidentialClient()
    code = client.code()
    client.broken = lambda: reply(200, published)
    answer = client.redeem(code, client.assertion())
    assert (answer.status, answer.json()["error"]) == (503, "temporarily_unavailable")
    client.broken = None
    assert client.redeem(code, client.assertion()).status == 200


def padded(number: str, count: int) -> str:
    """The number in base64url, preceded by so many zero bytes."""
    return encoded(b"\0" * count + urlsafe_b64decode(number + "=="))


def test_b5_keys_with_long_numbers_are_not_used() -> None:
    """The time to check a signature grows with the length of the key."""
    key = _key("one").as_dict(private=False)
    n, e = str(key["n"]), str(key["e"])
    for changed, status in (
        ({"n": padded(n, 256)}, 200),
        ({"n": padded(n, 257)}, 401),
        ({"e": padded(e, 1)}, 200),
        ({"e": padded(e, 2)}, 401),
    ):
        client = ConfidentialClient()
        client.published = [key | changed]
        assert client.redeem(client.code(), client.assertion()).status == status, changed


def test_b5_a_signature_is_checked_with_20_keys_at_most() -> None:
    other, right = (_key(name).as_dict(private=False) for name in ("two", "one"))
    elliptic = _curve().as_dict(private=False)
    for others, status in ((19, 200), (20, 401)):
        client = ConfidentialClient()
        client.published = [elliptic, *[other] * others, right]
        assert client.redeem(client.code(), client.assertion_with(alg="RS256")).status == status


def test_b5_a_key_set_of_more_than_64_kb_is_not_read() -> None:
    keys = [_key("one").as_dict(private=False)]
    spaces = 65536 - len(json.dumps({"keys": keys}))
    for count, length, status in (
        (spaces, "0", 200),
        (spaces + 1, "0", 503),
        (0, "65537", 503),
        (0, "x", 503),
    ):
        client = ConfidentialClient()
        client.broken = lambda count=count, length=length: reply(
            200, json.dumps({"keys": keys}) + " " * count, Content_Length=length
        )
        assert client.redeem(client.code(), client.assertion()).status == status, (count, length)


def test_b5_other_members_of_keys_are_ignored() -> None:
    client = ConfidentialClient()
    deep = json.loads("[" * 60 + "]" * 60)
    client.published = [_key("one").as_dict(private=False) | {"x5c": ["a"], "use": None, "other": deep}]
    assert client.redeem(client.code(), client.assertion()).status == 200
