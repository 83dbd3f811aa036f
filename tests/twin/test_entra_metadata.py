"""The metadata and the signing keys of the stand-in for Entra ID."""

import base64

from tests.twin.entra_tenant import TENANT, Entra, error_of


def test_discovery_names_endpoints_that_exist(entra: Entra):
    document = entra.http.get(f"/{TENANT}/v2.0/.well-known/openid-configuration").json()
    assert document["issuer"] == f"{entra.authority}/v2.0"
    for name in ("authorization_endpoint", "jwks_uri", "end_session_endpoint"):
        assert entra.http.get(document[name]).status_code in {200, 400}
    assert entra.http.post(document["token_endpoint"]).status_code == 400
    assert document["token_endpoint_auth_methods_supported"] == ["private_key_jwt", "client_secret_post"]


def test_published_keys_have_no_private_part(entra: Entra):
    (key,) = entra.http.get(f"/{TENANT}/discovery/v2.0/keys").json()["keys"]
    assert set(key) == {"kty", "kid", "use", "alg", "n", "e"}
    assert len(base64.urlsafe_b64decode(key["n"] + "==")) == 256


def test_another_tenant_is_not_found(entra: Entra):
    response = entra.http.get("/common/v2.0/.well-known/openid-configuration")
    assert (response.status_code, error_of(response)[1]) == (400, 90002)


def test_a_rotated_signing_key_is_published_and_used(entra: Entra):
    before = entra.assertion()
    entra.keys.rotate()
    assert entra.redeem(entra.code(), client_assertion=before).status_code == 200
    entra.keys.rotate(keep_previous=False)
    assert len(entra.http.get(f"/{TENANT}/discovery/v2.0/keys").json()["keys"]) == 1
    assert error_of(entra.redeem(entra.code(), client_assertion=before))[1] == 700027
    assert entra.redeem(entra.code()).status_code == 200
