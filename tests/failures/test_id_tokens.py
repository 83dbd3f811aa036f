"""The sign-in and the refresh when one claim or property of Entra's ID token is wrong."""

import base64
import functools
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from apim.network import Reply
from tests.e2e.client import parameters_of
from tests.policies.engine.harness import reply
from tests.policies.oauth.flow import GATEWAY, OBJECT_ID, Flow, signing_key

OTHER = "99999999-9999-4999-8999-999999999999"


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


def claims_of(flow: Flow) -> dict[str, Any]:
    """The claims of a valid ID token for the sign-in."""
    return json.loads(base64.urlsafe_b64decode(flow.id_token().split(".")[1] + "=="))


Change = Callable[[Flow, dict[str, Any]], dict[str, Any]]
"""Returns wrong claims, made from a flow and valid claims."""


def without(name: str) -> Change:
    return lambda _, claims: {key: value for key, value in claims.items() if key != name}


def changed(**values: Any) -> Change:
    return lambda _, claims: claims | values


CLAIMS: dict[str, Change] = {
    "issuer of another tenant": changed(iss=f"https://login.microsoftonline.com/{OTHER}/v2.0"),
    "issuer of version 1": changed(iss="https://sts.windows.net/11111111-1111-4111-8111-111111111111/"),
    "no issuer": without("iss"),
    "another audience": changed(aud=OTHER),
    "no audience": without("aud"),
    "another tenant": changed(tid=OTHER),
    "no tenant": without("tid"),
    "another nonce": changed(nonce="A" * 43),
    "no nonce": without("nonce"),
    "expired": lambda flow, claims: claims | {"exp": flow.now - 61},
    "no expiry": without("exp"),
    "expiry that is not a number": changed(exp="tomorrow"),
    "not yet valid": lambda flow, claims: claims | {"nbf": flow.now + 3600},
    "no object id": without("oid"),
    "empty object id": changed(oid=""),
}


@functools.cache
def _other_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "entra", "use": "sig"})


def _unsigned(claims: dict[str, Any], alg: str) -> str:
    parts = ({"alg": alg, "typ": "JWT", "kid": "entra"}, claims)
    return ".".join([*(_base64url(json.dumps(part).encode()) for part in parts), ""])


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _hs256_with_the_public_key(claims: dict[str, Any]) -> str:
    signed = _unsigned(claims, "HS256").rstrip(".")
    secret = signing_key().as_pem(private=False)
    return f"{signed}.{_base64url(hmac.digest(secret, signed.encode(), 'sha256'))}"


def _signed(claims: dict[str, Any], kid: str | None = "entra", key: RSAKey | None = None) -> str:
    header = {"alg": "RS256"} | ({"kid": kid} if kid is not None else {})
    return jwt.encode(header, claims, key or signing_key())


def _other_payload(claims: dict[str, Any]) -> str:
    head, _, signature = _signed(claims).split(".")
    return f"{head}.{_base64url(json.dumps(claims | {'oid': OTHER}).encode())}.{signature}"


SIGNATURES: dict[str, Callable[[dict[str, Any]], str]] = {
    "algorithm none": lambda claims: _unsigned(claims, "none"),
    "algorithm None": lambda claims: _unsigned(claims, "None"),
    "no signature": lambda claims: _unsigned(claims, "RS256"),
    "HS256 with the public key": _hs256_with_the_public_key,
    "another key under Entra's kid": lambda claims: _signed(claims, key=_other_key()),
    "unknown kid": lambda claims: _signed(claims, kid="other", key=_other_key()),
    "signature of other claims": _other_payload,
    "truncated signature": lambda claims: _signed(claims)[:-10],
    "two parts": lambda claims: _signed(claims).rpartition(".")[0],
    "four parts": lambda claims: _signed(claims) + ".x",
    "empty": lambda _: "",
}
BODIES: dict[str, Reply] = {
    "not JSON": reply(200, "<html>AADSTS50001</html>"),
    "a list": reply(200, "[]"),
    "null": reply(200, "null"),
    "no id_token": reply(200, '{"access_token": "x"}'),
    "id_token that is a number": reply(200, '{"id_token": 1}'),
    "id_token that is null": reply(200, '{"id_token": null}'),
}


def answer_for(name: str, flow: Flow) -> Reply:
    """The response of Entra's token endpoint with the wrong claim, signature or body of this name."""
    if name in BODIES:
        return BODIES[name]
    claims = claims_of(flow)
    token = _signed(CLAIMS[name](flow, claims)) if name in CLAIMS else SIGNATURES[name](claims)
    return reply(200, json.dumps({"id_token": token, "refresh_token": "entra"}))


@pytest.mark.parametrize("name", [*CLAIMS, *SIGNATURES, *BODIES])
def test_c7_a_wrong_id_token_results_in_no_code(flow: Flow, name: str) -> None:
    at_entra = flow.at_entra()
    wrong = answer_for(name, flow)
    flow.entra = lambda: wrong
    parameters = parameters_of(flow.callback(at_entra).header("Location") or "")
    assert parameters.pop("error_description")
    assert parameters == {"error": "server_error", "state": "s", "iss": GATEWAY}
    assert list(flow.store.of("grants")) == []
    flow.entra = None
    assert flow.call(flow.token()).status == 200


def test_c7_a_valid_id_token_results_in_a_code(flow: Flow) -> None:
    """So each refusal above is caused by the wrong claim, signature or body. `oid` identifies the user."""
    at_entra = flow.at_entra()
    right = reply(200, json.dumps({"id_token": _signed(claims_of(flow))}))
    flow.entra = lambda: right
    assert parameters_of(flow.callback(at_entra).header("Location") or "")["code"]
    assert flow.store.one("grants")["sub"] == OBJECT_ID


@pytest.mark.parametrize("name", ["another tenant", "no tenant", "no object id", "empty object id"])
def test_d5_an_id_token_of_another_user_revokes_the_grant(flow: Flow, name: str) -> None:
    token = flow.refresh_token()
    wrong = answer_for(name, flow)
    flow.entra = lambda: wrong
    answer = flow.refresh(token)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_grant")
    assert flow.store.one("grants")["status"] == "revoked"


@pytest.mark.parametrize("name", [*BODIES, "empty"])
def test_d5_a_refresh_without_an_id_token_of_entra_keeps_the_grant(flow: Flow, name: str) -> None:
    token = flow.refresh_token()
    wrong = answer_for(name, flow)
    flow.entra = lambda: wrong
    answer = flow.refresh(token)
    assert (answer.status, answer.json()["error"]) == (503, "temporarily_unavailable")
    flow.entra = None
    assert flow.refresh(token).status == 200
