"""The policies validate-jwt and validate-azure-ad-token."""

import base64
import functools
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.policies.engine.harness import Harness, Sent, harness_with, policies, reply

ISSUER = "https://login.example/v2.0"
CONFIGURATION = f"{ISSUER}/.well-known/openid-configuration"
SECRET = base64.b64encode(b"k" * 32).decode()


@functools.cache
def private_keys() -> dict[str, rsa.RSAPrivateKey]:
    """The keys by name, generated at their first use because that takes longer than most tests."""
    return {name: rsa.generate_private_key(public_exponent=65537, key_size=2048) for name in ("one", "two")}


def public_key(name: str) -> dict[str, str]:
    """The public key as a JSON Web Key."""
    return {
        **json.loads(RSAAlgorithm.to_jwk(private_keys()[name].public_key())),
        "kid": name,
        "use": "sig",
    }


class Authority:
    """An OpenID provider that counts the requests for its configuration."""

    def __init__(self, harness: Harness, *names: str) -> None:
        self.names = names or ("one",)
        self.request_count = 0
        self.broken = False
        harness.network.answer = self.answer  # ty: ignore[invalid-assignment]

    def answer(self, sent: Sent) -> object:
        if "login" not in sent.url:
            return reply(200, "from the backend")
        if self.broken:
            return reply(500)
        if sent.url.endswith("/keys"):
            return reply(200, json.dumps({"keys": [public_key(name) for name in self.names]}))
        self.request_count += 1
        issuer = sent.url.removesuffix("/.well-known/openid-configuration")
        return reply(200, json.dumps({"issuer": issuer, "jwks_uri": ISSUER + "/keys"}))


POLICY = (
    f'<validate-jwt header-name="Authorization" require-scheme="Bearer" output-token-variable-name="jwt">'
    f'<openid-config url="{CONFIGURATION}" />'
    "<audiences><audience>me</audience></audiences>"
    '<required-claims><claim name="scp" separator=" " match="any">'
    "<value>read</value><value>write</value></claim></required-claims>"
    "</validate-jwt>"
)
REASON = "<set-header name='Reason'><value>@(context.LastError.Reason)</value></set-header>"


def harness_and_authority(policy: str = POLICY) -> tuple[Harness, Authority]:
    harness = harness_with(policies(policy, on_error=REASON))
    return harness, Authority(harness)


def token(
    harness: Harness, *, key: str = "one", kid: str | None = None, drop: str = "", **claims: object
) -> str:
    now = int(harness.clock.now())
    content = {
        "iss": ISSUER,
        "aud": "me",
        "exp": now + 60,
        "nbf": now - 5,
        "sub": "s",
        "scp": "read x",
    } | claims
    content.pop(drop, None)
    return jwt.encode(content, private_keys()[key], algorithm="RS256", headers={"kid": kid or key})


def test_a_valid_token_is_accepted_and_stored_in_the_variable() -> None:
    policy = (
        POLICY
        + '<set-header name="Sub"><value>@(((Jwt)context.Variables["jwt"]).Subject)</value></set-header>'
    )
    harness, _ = harness_and_authority(policy)
    assert harness.send(Authorization="Bearer " + token(harness)).body == b"from the backend"
    assert harness.network.sent[-1].header("Sub") == "s"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1}, "TokenExpired"),
        ({"drop": "exp"}, "JwtInvalid"),
        ({"nbf": 99999999999}, "JwtInvalid"),
        ({"aud": "other"}, "TokenAudienceNotAllowed"),
        ({"aud": ["other", 3]}, "TokenAudienceNotAllowed"),
        ({"drop": "aud"}, "TokenAudienceNotAllowed"),
        ({"iss": "https://evil.example"}, "TokenIssuerNotAllowed"),
        ({"scp": "readx"}, "TokenClaimValueNotAllowed"),
        ({"drop": "scp"}, "TokenClaimNotFound"),
        ({"key": "two", "kid": "one"}, "TokenSignatureInvalid"),
        ({"key": "two"}, "TokenSignatureKeyNotFound"),
    ],
)
def test_a_bad_token_gets_401_with_a_reason(claims: dict[str, object], reason: str) -> None:
    harness, _ = harness_and_authority()
    answer = harness.send(Authorization="Bearer " + token(harness, **claims))  # ty: ignore[invalid-argument-type]
    assert (answer.status, answer.header("Reason")) == (401, reason)
    assert answer.json()["statusCode"] == 401
    assert all("login" in sent.url for sent in harness.network.sent)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "TokenNotPresent"),
        ("Bearer x.y", "JwtInvalid"),
        ("Basic {}", "TokenNotPresent"),
        ("{}", "TokenNotPresent"),
    ],
)
def test_a_value_that_is_not_a_bearer_token_gets_401(header: str | None, reason: str) -> None:
    harness, _ = harness_and_authority()
    answer = harness.send() if header is None else harness.send(Authorization=header.format(token(harness)))
    assert (answer.status, answer.header("Reason")) == (401, reason)


def test_an_unsigned_token_and_one_signed_with_the_public_key_are_refused() -> None:
    harness, _ = harness_and_authority()
    none = jwt.encode({"iss": ISSUER, "aud": "me", "exp": 99999999999, "scp": "read"}, "", algorithm="none")
    assert harness.send(Authorization="Bearer " + none).status == 401
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').rstrip(b"=").decode()
    assert harness.send(Authorization=f"Bearer {head}.{none.split('.')[1]}.AAAA").status == 401


def test_keys_are_cached_for_an_hour() -> None:
    harness, authority = harness_and_authority()
    for _ in range(3):
        assert harness.send(Authorization="Bearer " + token(harness)).status == 200
    assert authority.request_count == 1
    harness.clock.advance(3601)
    harness.send(Authorization="Bearer " + token(harness))
    assert authority.request_count == 2


def test_a_new_key_is_fetched_but_not_more_often_than_every_five_minutes() -> None:
    harness, authority = harness_and_authority()
    harness.send(Authorization="Bearer " + token(harness))
    authority.names = ("one", "two")
    assert harness.send(Authorization="Bearer " + token(harness, key="two")).status == 401
    harness.clock.advance(301)
    assert harness.send(Authorization="Bearer " + token(harness, key="two")).status == 200
    assert authority.request_count == 2


def test_known_keys_are_used_while_the_authority_is_unreachable() -> None:
    harness, authority = harness_and_authority()
    harness.send(Authorization="Bearer " + token(harness))
    authority.broken = True
    harness.clock.advance(3601)
    assert harness.send(Authorization="Bearer " + token(harness)).status == 200
    without_keys, unreachable = harness_and_authority()
    unreachable.broken = True
    assert without_keys.send(Authorization="Bearer " + token(without_keys)).status == 500


def test_a_policy_can_set_the_message_and_the_status_of_a_refusal() -> None:
    policy = POLICY.replace(
        "<validate-jwt ",
        '<validate-jwt failed-validation-httpcode="403" failed-validation-error-message="Go away" ',
    )
    answer = harness_and_authority(policy)[0].send()
    assert (answer.status, answer.json()) == (403, {"statusCode": 403, "message": "Go away"})


def test_clock_skew_accepts_a_recently_expired_token() -> None:
    harness, _ = harness_and_authority(POLICY.replace("<validate-jwt ", '<validate-jwt clock-skew="30" '))
    now = harness.clock.now()
    assert harness.send(Authorization="Bearer " + token(harness, exp=now - 20)).status == 200
    assert harness.send(Authorization="Bearer " + token(harness, exp=now - 40)).status == 401


def test_an_expression_can_return_the_token() -> None:
    harness, _ = harness_and_authority(
        POLICY.replace(
            'header-name="Authorization" require-scheme="Bearer"',
            'token-value="@(context.Request.Headers.GetValueOrDefault("T", ""))"',
        )
    )
    assert harness.send(T=token(harness)).status == 200
    assert harness.send().status == 401


def test_the_token_can_be_in_the_query() -> None:
    harness, _ = harness_and_authority(
        POLICY.replace('header-name="Authorization" require-scheme="Bearer"', 'query-parameter-name="t"')
    )
    assert harness.send(query="t=" + token(harness)).status == 200


def test_a_symmetric_key_is_supported() -> None:
    policy = (
        '<validate-jwt header-name="Authorization"><issuer-signing-keys><key>{{key}}</key>'
        "</issuer-signing-keys></validate-jwt>"
    )
    harness = harness_with(policies(policy), values={"key": SECRET})
    good, bad = (
        jwt.encode({"exp": harness.clock.now() + 60}, secret, algorithm="HS256")
        for secret in (b"k" * 32, b"x" * 32)
    )
    assert [harness.send(Authorization=f"Bearer {token}").status for token in (good, bad)] == [200, 401]


ENTRA = (
    '<validate-azure-ad-token tenant-id="t1"><client-application-ids><application-id>c1</application-id>'
    "</client-application-ids></validate-azure-ad-token>"
)


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"azp": "c1"}, 200),
        ({"azp": "c2"}, 401),
        ({"appid": "c1", "iss": "https://login.microsoftonline.com/t1"}, 200),
        ({}, 401),
        ({"azp": "c1", "iss": "https://login.microsoftonline.com/t2/v2.0"}, 401),
    ],
)
def test_an_entra_token_needs_the_tenant_and_a_known_client(claims: dict[str, object], status: int) -> None:
    harness, _ = harness_and_authority(ENTRA)
    claims = {"iss": "https://login.microsoftonline.com/t1/v2.0"} | claims
    assert harness.send(Authorization="Bearer " + token(harness, **claims)).status == status  # ty: ignore[invalid-argument-type]
