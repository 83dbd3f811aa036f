"""Client authentication at the stand-in for Entra ID."""

import pytest

from tests.twin.entra_tenant import CLIENT, IDENTITY, OTHER, OTHER_IDENTITY, TENANT, Entra, error_of
from twin.entra import TOKEN_EXCHANGE, SigningKeys


def test_only_a_client_assertion_authenticates(entra: Entra):
    code = entra.code()
    assert error_of(entra.redeem(code, client_assertion="", client_secret="x")) == ("invalid_client", 7000215)
    bare = entra.http.post(
        f"/{TENANT}/oauth2/v2.0/token",
        data={"grant_type": "authorization_code", "client_id": CLIENT, "code": code},
    )
    assert (bare.status_code, error_of(bare)) == (401, ("invalid_client", 7000218))


def test_a_forged_assertion_is_refused(entra: Entra):
    claims = {
        "iss": f"{entra.authority}/v2.0",
        "sub": IDENTITY.principal_id,
        "aud": TOKEN_EXCHANGE,
        "exp": int(entra.clock.now()) + 60,
    }
    forged = SigningKeys().sign(claims)
    assert error_of(entra.redeem(entra.code(), client_assertion=forged)) == ("invalid_client", 700027)
    assert error_of(entra.redeem(entra.code(), client_assertion="not.a.jwt"))[1] == 700027
    genuine = entra.keys.sign(claims)
    assert entra.redeem(entra.code(), client_assertion=genuine).status_code == 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"iss": "http://evil.example/v2.0"}, 700211),
        ({"sub": OTHER_IDENTITY.principal_id}, 700213),
        ({"sub": IDENTITY.principal_id.upper()}, 7002138),
        ({"aud": "https://cosmos.azure.com"}, 700212),
        ({"aud": TOKEN_EXCHANGE.lower()}, 700212),
        ({"exp": 1}, 700024),
        ({"exp": None}, 700024),
        ({"nbf": 2**40}, 700024),
    ],
)
def test_an_assertion_must_match_its_credential_exactly(entra: Entra, change: dict[str, object], code: int):
    claims = {
        "iss": f"{entra.authority}/v2.0",
        "sub": IDENTITY.principal_id,
        "aud": TOKEN_EXCHANGE,
        "exp": int(entra.clock.now()) + 60,
    } | change
    response = entra.redeem(entra.code(), client_assertion=entra.keys.sign(claims))
    assert (response.status_code, error_of(response)) == (401, ("invalid_client", code))


def test_a_credential_that_differs_in_case_is_not_accepted(entra: Entra):
    token = {"grant_type": "client_credentials", "scope": "api://other/.default", "client_id": OTHER}
    assert error_of(entra.token(**token))[1] == 7002138
    assertion = entra.assertion(host="functions")
    assert error_of(entra.token(**token, client_assertion=assertion))[1] == 700212


def test_a_token_for_another_resource_is_not_accepted_as_assertion(entra: Entra):
    wrong = entra.assertion("https://cosmos.azure.com")
    assert error_of(entra.redeem(entra.code(), client_assertion=wrong))[1] == 700211
