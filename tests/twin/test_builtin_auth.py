"""Built-in authentication of an app, tested over HTTP."""

import base64
import dataclasses
import hmac
import json

import anyio
import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.tokens import ISSUER, TestIssuer
from twin.builtin_auth import BuiltInAuth, BuiltInAuthMiddleware, RejectedCaller, TokenCheck
from twin.clock import Clock

GATEWAY = "11111111-1111-1111-1111-111111111111"


@pytest.fixture(scope="module")
def issuer():
    return TestIssuer()


class ManualClock(Clock):
    """A clock that moves only when a test moves it, so that no test depends on the duration of requests."""

    def now(self) -> float:
        return 1_800_000_000 + self.offset


@pytest.fixture(scope="module")
def clock():
    return ManualClock()


@pytest.fixture
def claims(clock):
    now = int(clock.now())
    return {"iss": ISSUER, "aud": "app", "oid": GATEWAY, "nbf": now, "exp": now + 600}


@pytest.fixture
def auth():
    return BuiltInAuth(
        issuer=ISSUER,
        jwks_url="http://unused.test",
        audiences=frozenset({"app", "api://app"}),
        identities=frozenset({GATEWAY}),
    )


@pytest.fixture(scope="module")
def get(serve, issuer, clock):
    """Sends a request to a protected app, whose response contains the headers that it received."""

    async def echo_headers(request: Request) -> JSONResponse:
        return JSONResponse(dict(request.headers))

    with serve(issuer.app) as keys:
        auth = BuiltInAuth(
            issuer=ISSUER,
            jwks_url=f"{keys}/keys",
            audiences=frozenset({"app", "api://app"}),
            identities=frozenset({GATEWAY}),
        )
        check = TokenCheck(auth, clock=clock)
        check._REFETCH_AFTER = 0.0
        with serve(BuiltInAuthMiddleware(Starlette(routes=[Route("/", echo_headers)]), check=check)) as app:

            def get(token: str | None = None, **headers: str) -> httpx.Response:
                if token is not None:
                    headers["Authorization"] = f"Bearer {token}"
                return httpx.get(app, headers=headers)

            yield get


def test_the_allowed_identity_is_admitted(get, issuer, claims):
    assert get(issuer.sign(claims)).status_code == 200
    assert get(issuer.sign(claims | {"aud": "api://app"})).status_code == 200


def test_a_call_without_a_token_gets_401_with_a_challenge_and_no_redirect(get):
    response = get()
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer ")
    assert "Location" not in response.headers


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Basic YTpi", "Bearer a.b", "Bearer a.b.c", "Bearer ..", "x"]
)
def test_a_value_that_is_not_a_token_gets_401(get, value):
    assert get(Authorization=value).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://login.test/other/v2.0"},
        {"iss": ISSUER + "/"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["app"]},
        {"aud": None},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": 1},
        {"nbf": 9999999999},
        {"nbf": "soon"},
    ],
    ids=str,
)
def test_a_token_with_wrong_claims_or_times_gets_401(get, issuer, claims, change):
    assert get(issuer.sign(claims | change)).status_code == 401


@pytest.mark.parametrize("oid", ["22222222-2222-2222-2222-222222222222", None, "", [GATEWAY]], ids=str)
def test_a_valid_token_of_another_principal_gets_403(get, issuer, claims, oid):
    assert get(issuer.sign(claims | {"oid": oid})).status_code == 403


def test_a_token_expires_by_the_clock_of_the_twin(get, issuer, clock, claims):
    token = issuer.sign(claims)
    clock.advance(599)
    assert get(token).status_code == 200
    clock.advance(1)
    assert get(token).status_code == 401


def test_a_forged_signature_gets_401(get, issuer, claims):
    head, _, signature = issuer.sign(claims).split(".")
    payload = base64.urlsafe_b64encode(json.dumps(claims | {"scp": "more"}).encode()).rstrip(b"=").decode()
    assert get(f"{head}.{payload}.{signature}").status_code == 401


def test_a_signature_of_another_key_with_the_issuers_key_id_gets_401(get, issuer, claims):
    header = json.loads(base64.urlsafe_b64decode(issuer.sign(claims).split(".")[0] + "=="))
    other = RSAKey.generate_key(2048)
    assert get(jwt.encode(header, claims, other)).status_code == 401


def test_an_unsigned_token_and_one_signed_with_the_public_key_get_401(get, issuer, claims):
    unsigned = _signing_input({"alg": "none", "kid": issuer._key.kid}, claims)
    assert get(f"{unsigned}.").status_code == 401
    symmetric = _signing_input({"alg": "HS256", "kid": issuer._key.kid}, claims)
    signature = hmac.digest(issuer._key.as_pem(private=False), symmetric.encode(), "sha256")
    assert get(f"{symmetric}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}").status_code == 401


def _signing_input(*parts: dict[str, object]) -> str:
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts
    )


def test_a_rotated_key_is_used_and_the_old_one_is_rejected(get, issuer, claims):
    old = issuer.sign(claims)
    assert get(old).status_code == 200
    issuer.rotate()
    assert get(issuer.sign(claims)).status_code == 200
    assert get(old).status_code == 401


def test_keys_are_fetched_once_for_many_requests(get, issuer, claims):
    assert get(issuer.sign(claims)).status_code == 200
    before = issuer.fetched
    for _ in range(3):
        assert get(issuer.sign(claims)).status_code == 200
    assert issuer.fetched == before


def test_unknown_key_ids_do_not_cause_repeated_requests_to_the_issuer(serve, issuer, clock, claims, auth):
    async def send_many(url: str) -> None:
        check = TokenCheck(
            BuiltInAuth(issuer=ISSUER, jwks_url=url, audiences=auth.audiences, identities=auth.identities),
            clock=clock,
        )
        for number in range(5):
            result = await check.authenticate(f"Bearer {issuer.sign(claims, kid=f'made-up-{number}')}")
            assert isinstance(result, RejectedCaller)
            assert result.status == 401

    before = issuer.fetched
    with serve(issuer.app) as base:
        anyio.run(send_many, f"{base}/keys")
    assert issuer.fetched == before + 1


def test_requests_get_503_if_the_issuer_is_unreachable(serve, issuer, clock, claims, auth):
    with serve(issuer.app) as base:
        stopped = f"{base}/keys"
    check = TokenCheck(
        BuiltInAuth(issuer=ISSUER, jwks_url=stopped, audiences=auth.audiences, identities=auth.identities),
        clock=clock,
    )
    result = anyio.run(check.authenticate, f"Bearer {issuer.sign(claims)}")
    assert isinstance(result, RejectedCaller)
    assert result.status == 503


def test_the_app_receives_the_callers_identity_and_no_identity_headers_of_the_client(get, issuer, claims):
    seen = get(
        issuer.sign(claims),
        **{
            "X-MS-CLIENT-PRINCIPAL-ID": "forged",
            "X-MS-CLIENT-PRINCIPAL-NAME": "forged",
            "X-Ms-Client-Principal": "forged",
            "X-MS-TOKEN-AAD-ID-TOKEN": "forged",
        },
    ).json()
    assert "forged" not in seen.values()
    assert seen["x-ms-client-principal-id"] == GATEWAY
    assert seen["x-ms-client-principal-idp"] == "aad"
    principal = json.loads(base64.b64decode(seen["x-ms-client-principal"]))
    assert {"typ": "oid", "val": GATEWAY} in principal["claims"]


@pytest.mark.parametrize(
    "empty",
    [{"audiences": frozenset()}, {"identities": frozenset()}, {"issuer": ""}, {"jwks_url": ""}],
    ids=str,
)
def test_settings_that_would_admit_all_callers_are_rejected(auth, empty):
    with pytest.raises(ValueError, match="needs an"):
        dataclasses.replace(auth, **empty)


@pytest.mark.parametrize(("application", "status"), [("gateway", None), ("another", 403), (None, 403)])
def test_only_listed_applications_are_admitted(auth, clock, claims, application, status):
    check = TokenCheck(dataclasses.replace(auth, applications=frozenset({"gateway"})), clock=clock)
    result = check._check_claims(claims | {"azp": application})
    assert getattr(result, "status", None) == status
