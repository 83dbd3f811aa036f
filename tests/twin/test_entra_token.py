"""The token endpoint of the stand-in for Entra ID."""

from dataclasses import replace

import httpx
import pytest

from tests.twin.conftest import ServeBuilt
from tests.twin.entra_tenant import ADA, CLIENT, GRACE, JWT_BEARER, OTHER, TENANT, Entra, error_of
from twin.entra import TEST_GROUPS, Application, AppRole, Directory, RoleAssignment, create_app
from twin.entra.tokens import Principal, TokenIssuer


def test_a_code_is_redeemed_for_tokens_that_a_jose_library_verifies(entra: Entra):
    body = entra.redeem(entra.code()).json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    claims = entra.claims(body["id_token"])
    now = int(entra.clock.now())
    assert claims["iss"] == f"{entra.authority}/v2.0"
    assert (claims["aud"], claims["tid"], claims["ver"]) == (CLIENT, TENANT, "2.0")
    assert (claims["nonce"], claims["oid"]) == ("n-1", ADA.object_id)
    assert (claims["name"], claims["preferred_username"]) == (ADA.name, ADA.principal_name)
    assert now - 5 <= claims["iat"] <= now
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["sub"] != ADA.object_id


def test_the_id_token_has_no_oid_without_the_scope_profile(entra: Entra):
    claims = entra.claims(entra.redeem(entra.code(scope="openid")).json()["id_token"])
    assert not {"oid", "name", "preferred_username", "email"} & set(claims)


def test_subjects_are_pairwise_and_stable(entra: Entra):
    first, again, other = (
        entra.claims(entra.redeem(entra.code(user)).json()["id_token"])["sub"]
        for user in (ADA.object_id, ADA.object_id, GRACE.object_id)
    )
    assert first == again
    assert first != other


def test_the_issued_tokens_depend_on_the_scopes(entra: Entra):
    assert "refresh_token" not in entra.redeem(entra.code(scope="openid")).json()
    assert "id_token" not in entra.redeem(entra.code(scope="offline_access")).json()


def test_the_audience_of_a_token_for_openid_scopes_is_microsoft_graph(entra: Entra):
    claims = entra.claims(entra.redeem(entra.code()).json()["access_token"])
    assert claims["aud"] == "00000003-0000-0000-c000-000000000000"


def test_a_delegated_token_has_scp_and_its_resource(entra: Entra):
    body = entra.redeem(entra.code(scope=f"openid {CLIENT}/access")).json()
    claims = entra.claims(body["access_token"])
    assert (claims["aud"], claims["scp"], claims["azp"]) == (CLIENT, "access", CLIENT)
    assert "idtyp" not in claims


def test_a_code_can_be_redeemed_only_once(entra: Entra):
    code = entra.code()
    assert entra.redeem(code).status_code == 200
    assert error_of(entra.redeem(code)) == ("invalid_grant", 54005)


def test_a_code_expires_after_ten_minutes(entra: Entra):
    early, late = entra.code(), entra.code()
    entra.clock.advance(595)
    assert entra.redeem(early).status_code == 200
    entra.clock.advance(10)
    assert error_of(entra.redeem(late)) == ("invalid_grant", 70008)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": "1.unknown"}, ("invalid_grant", 70000)),
        ({"code": None}, ("invalid_request", 900144)),
        ({"redirect_uri": "http://localhost:8000/with?query=1"}, ("invalid_client", 500112)),
        ({"redirect_uri": None}, ("invalid_client", 500112)),
        ({"code_verifier": "w" * 64}, ("invalid_grant", 501481)),
        ({"code_verifier": None}, ("invalid_grant", 501481)),
        ({"resource": "http://localhost:8000/mcp"}, ("invalid_target", 9010010)),
        ({"grant_type": None}, ("invalid_request", 900144)),
        ({"grant_type": "password"}, ("unsupported_grant_type", 70003)),
        ({"client_id": None}, ("invalid_request", 900144)),
        ({"client_id": "unknown"}, ("unauthorized_client", 700016)),
    ],
)
def test_an_invalid_redemption_is_rejected_and_does_not_use_the_code(
    entra: Entra, changes: dict[str, str | None], error: tuple[str, int]
):
    code = entra.code()
    assert error_of(entra.redeem(code, **changes)) == error
    assert entra.redeem(code).status_code == 200


def test_a_verifier_without_a_challenge_is_refused(entra: Entra):
    code = entra.code(code_challenge=None, code_challenge_method=None)
    assert error_of(entra.redeem(code))[1] == 501481
    assert entra.redeem(code, code_verifier=None).status_code == 200


def test_a_token_request_must_be_a_form(entra: Entra):
    response = entra.http.post(f"/{TENANT}/oauth2/v2.0/token", json={"grant_type": "authorization_code"})
    assert (response.status_code, error_of(response)[0]) == (400, "invalid_request")


def test_a_refresh_token_stays_valid_after_use(entra: Entra):
    refresh = entra.redeem(entra.code()).json()["refresh_token"]
    for _ in range(2):
        body = entra.token(grant_type="refresh_token", refresh_token=refresh).json()
        assert entra.claims(body["id_token"])["oid"] == ADA.object_id
        assert "nonce" not in entra.claims(body["id_token"])
    assert entra.token(grant_type="refresh_token", refresh_token=body["refresh_token"]).status_code == 200


def test_a_disabled_user_cannot_refresh_redeem_or_sign_in(entra: Entra):
    refresh = entra.redeem(entra.code()).json()["refresh_token"]
    code = entra.code()
    entra.app.state.accounts.disable(ADA.principal_name)
    assert error_of(entra.token(grant_type="refresh_token", refresh_token=refresh)) == (
        "invalid_grant",
        50057,
    )
    assert error_of(entra.redeem(code)) == ("invalid_grant", 50057)
    page = entra.authorize()
    assert page.status_code == 200, "the session must not sign a disabled user in"
    refused = entra.submit(page, user=ADA.object_id)
    assert refused.status_code == 403
    assert "AADSTS50057" in refused.text
    entra.app.state.accounts.enable(ADA.object_id)
    assert entra.token(grant_type="refresh_token", refresh_token=refresh).status_code == 200


def test_revoked_sessions_end_refresh_tokens_but_not_the_next_sign_in(entra: Entra):
    refresh = entra.redeem(entra.code()).json()["refresh_token"]
    entra.app.state.accounts.revoke_sessions(ADA.object_id)
    assert error_of(entra.token(grant_type="refresh_token", refresh_token=refresh)) == (
        "invalid_grant",
        50173,
    )
    assert entra.authorize().status_code == 200
    assert entra.redeem(entra.code()).status_code == 200


def test_a_refresh_token_expires_after_ninety_days(entra: Entra):
    refresh = entra.redeem(entra.code()).json()["refresh_token"]
    entra.clock.advance(90 * 86400 - 10)
    assert entra.token(grant_type="refresh_token", refresh_token=refresh).status_code == 200
    entra.clock.advance(20)
    assert error_of(entra.token(grant_type="refresh_token", refresh_token=refresh))[1] == 700082


def test_a_refresh_cannot_add_scopes(entra: Entra):
    refresh = entra.redeem(entra.code(scope="openid offline_access")).json()["refresh_token"]
    wider = entra.token(grant_type="refresh_token", refresh_token=refresh, scope="openid profile")
    assert error_of(wider) == ("invalid_grant", 65001)
    narrower = entra.token(grant_type="refresh_token", refresh_token=refresh, scope="openid")
    assert narrower.status_code == 200
    assert "refresh_token" not in narrower.json()


def test_a_value_that_is_not_a_refresh_token_is_rejected(entra: Entra):
    for text in ("", "1.abc", entra.code()):
        assert entra.token(grant_type="refresh_token", refresh_token=text).status_code == 400
    entra.submit(entra.authorize(prompt="login"), user=ADA.object_id)
    cookie = entra.http.cookies["twin-entra-session"]
    assert error_of(entra.token(grant_type="refresh_token", refresh_token=f"1.{cookie}"))[1] == 9002313


def test_a_refresh_token_survives_a_restart(entra: Entra, serve_built: ServeBuilt):
    refresh = entra.redeem(entra.code()).json()["refresh_token"]
    restarted = create_app(entra.directory, entra.clock, entra.keys)
    with serve_built(lambda _base_url: restarted) as base_url:
        form = {
            "grant_type": "refresh_token",
            "client_id": CLIENT,
            "client_assertion_type": JWT_BEARER,
            "client_assertion": entra.assertion(),
            "refresh_token": refresh,
        }
        assert httpx.post(f"{base_url}/{TENANT}/oauth2/v2.0/token", data=form).status_code == 200


def test_client_credentials_return_an_app_only_token(entra: Entra):
    body = entra.token(grant_type="client_credentials", scope=f"{CLIENT}/.default").json()
    claims = entra.claims(body["access_token"])
    assert (claims["aud"], claims["azp"], claims["idtyp"]) == (CLIENT, CLIENT, "app")
    assert claims["oid"] == claims["sub"] == "88888888-8888-4888-8888-888888888888"
    assert "scp" not in claims
    assert set(body) == {"token_type", "expires_in", "ext_expires_in", "access_token"}


def test_a_token_for_a_client_secret_states_the_method(entra: Entra):
    form = {
        "grant_type": "client_credentials",
        "scope": f"{CLIENT}/.default",
        "client_id": OTHER,
        "client_secret": "the secret of the other",
    }
    claims = entra.claims(entra.http.post(f"/{TENANT}/oauth2/v2.0/token", data=form).json()["access_token"])
    assert (claims["azp"], claims["azpacr"], claims["idtyp"]) == (OTHER, "1", "app")
    assert "roles" not in claims
    refused = entra.http.post(f"/{TENANT}/oauth2/v2.0/token", data=form | {"client_secret": "another"})
    assert error_of(refused) == ("invalid_client", 7000215)


def test_app_only_tokens_have_idtyp_only_if_the_resource_requests_it(entra: Entra):
    body = entra.token(grant_type="client_credentials", scope="https://management.azure.com/.default").json()
    assert entra.claims(body["access_token"])["idtyp"] == "app"
    other = next(app for app in entra.directory.applications if app.client_id == OTHER)
    open_to_all = replace(other, assignment_required=False)
    directory = replace(entra.directory, applications=(open_to_all,))
    issuer = TokenIssuer(directory, entra.clock, entra.keys)
    token = issuer.app_token(Principal(client_id=CLIENT, object_id="x"), "api://other")
    assert "idtyp" not in entra.claims(token)


def test_members_of_a_group_have_its_roles():
    roles = RoleAssignment(principal_id=TEST_GROUPS[0].object_id, client_id=CLIENT, role_id="role-1")
    app = Application(
        client_id=CLIENT,
        object_id="x",
        display_name="x",
        app_roles=(AppRole(id="role-1", value="Functions.Call"),),
    )
    directory = Directory(tenant_id=TENANT, base_url="http://entra.invalid", role_assignments=(roles,))
    assert directory.roles(ADA.object_id, app) == ["Functions.Call"]
    assert directory.roles(GRACE.object_id, app) == []


@pytest.mark.parametrize(
    ("scope", "error"),
    [
        (None, ("invalid_request", 900144)),
        ("api://other/read", ("invalid_scope", 1002012)),
        ("api://unknown/.default", ("invalid_resource", 500011)),
        ("api://other/.default", ("invalid_grant", 501051)),
    ],
)
def test_client_credentials_need_a_default_scope_of_a_known_resource(
    entra: Entra, scope: str | None, error: tuple[str, int]
):
    assert error_of(entra.token(grant_type="client_credentials", scope=scope)) == error
