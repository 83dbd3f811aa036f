"""Managed-identity tokens, fetched as Azure's own libraries fetch them."""

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError, ManagedIdentityCredential

from tests.twin.entra_tenant import CLIENT, IDENTITY, OTHER, OTHER_IDENTITY, TENANT, Entra
from twin.entra import TOKEN_EXCHANGE, InvalidTokenError, TokenVerifier

PATH = "/twin/managed-identity/token"


@pytest.fixture
def app_service(entra: Entra, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment variables that App Service sets for the gateway."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{entra.base_url}{PATH}")
    monkeypatch.setenv("IDENTITY_HEADER", entra.app.state.identity_headers["gateway"])
    return monkeypatch


@pytest.mark.usefixtures("app_service")
def test_azure_identity_gets_a_token_of_a_user_assigned_identity(entra: Entra):
    with ManagedIdentityCredential(client_id=IDENTITY.client_id) as credential:
        token = credential.get_token("https://storage.azure.com/.default")
    claims = entra.claims(token.token)
    assert claims["aud"] == "https://storage.azure.com"
    assert claims["oid"] == claims["sub"] == IDENTITY.principal_id
    assert (claims["appid"], claims["tid"], claims["idtyp"]) == (IDENTITY.client_id, TENANT, "app")
    assert claims["exp"] == pytest.approx(token.expires_on, abs=5)


def test_azure_identity_gets_a_token_of_a_system_assigned_identity(
    entra: Entra, app_service: pytest.MonkeyPatch
):
    app_service.setenv("IDENTITY_HEADER", entra.app.state.identity_headers["functions"])
    with ManagedIdentityCredential() as credential:
        token = credential.get_token("https://storage.azure.com/.default")
    assert entra.claims(token.token)["oid"] == OTHER_IDENTITY.principal_id


@pytest.mark.usefixtures("app_service")
def test_azure_identity_reports_an_unknown_resource():
    with (
        ManagedIdentityCredential(client_id=IDENTITY.client_id) as credential,
        pytest.raises((ClientAuthenticationError, CredentialUnavailableError), match="AADSTS500011"),
    ):
        credential.get_token("api://unknown/.default")


def test_the_secret_header_is_required(entra: Entra):
    params = {"api-version": "2019-08-01", "resource": TOKEN_EXCHANGE, "client_id": IDENTITY.client_id}
    assert entra.http.get(PATH, params=params).status_code == 401
    assert entra.http.get(PATH, params=params, headers={"X-IDENTITY-HEADER": "guess"}).status_code == 401


def test_a_service_receives_no_token_of_an_identity_that_is_not_attached_to_it(entra: Entra):
    assert entra.identity_token(TOKEN_EXCHANGE, "functions", IDENTITY.client_id).status_code == 400
    assert entra.identity_token(TOKEN_EXCHANGE, "gateway", OTHER_IDENTITY.client_id).status_code == 400


def test_without_a_system_assigned_identity_the_client_id_is_required(entra: Entra):
    response = entra.http.get(
        PATH,
        params={"api-version": "2019-08-01", "resource": TOKEN_EXCHANGE},
        headers={"X-IDENTITY-HEADER": entra.app.state.identity_headers["gateway"]},
    )
    assert response.status_code == 400
    assert "system-assigned" in response.json()["message"]


@pytest.mark.parametrize(
    "query", ["resource=x", "api-version=2019-08-01", "api-version=2018-02-01&resource=x"]
)
def test_a_malformed_request_is_refused(entra: Entra, query: str):
    headers = {"X-IDENTITY-HEADER": entra.app.state.identity_headers["gateway"]}
    response = entra.http.get(f"{PATH}?{query}&client_id={IDENTITY.client_id}", headers=headers)
    assert response.status_code == 400
    assert set(response.json()) == {"statusCode", "message"}


def test_the_token_for_token_exchange_matches_the_federated_credential(entra: Entra):
    claims = entra.claims(entra.assertion())
    assert claims["iss"] == f"{entra.authority}/v2.0"
    assert (claims["sub"], claims["aud"]) == (IDENTITY.principal_id, "api://AzureADTokenExchange")


def test_a_token_for_an_application_contains_its_roles(entra: Entra):
    claims = entra.claims(entra.identity_token(CLIENT).json()["access_token"])
    assert (claims["aud"], claims["azp"], claims["ver"]) == (CLIENT, IDENTITY.client_id, "2.0")
    assert claims["iss"] == f"{entra.authority}/v2.0"
    assert claims["roles"] == ["Functions.Call"]
    other = entra.claims(entra.identity_token(CLIENT, "functions").json()["access_token"])
    assert "roles" not in other


def test_an_application_that_requires_assignment_gets_no_tokens_without_a_role(entra: Entra):
    response = entra.identity_token(OTHER)
    assert response.status_code == 400
    assert "AADSTS501051" in response.json()["message"]


@pytest.mark.parametrize(
    "resource", ["api://no-principal", "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "api://unknown"]
)
def test_no_token_is_issued_for_a_resource_without_a_service_principal(entra: Entra, resource: str):
    response = entra.identity_token(resource)
    assert response.status_code == 400
    assert "AADSTS500011" in response.json()["message"]


def test_the_verifier_checks_issuer_tenant_audience_and_times(entra: Entra):
    verifier = TokenVerifier(entra.directory, entra.clock, entra.keys)
    token = entra.identity_token("https://cosmos.azure.com/").json()["access_token"]
    assert verifier.verify(token, audience="https://cosmos.azure.com")["oid"] == IDENTITY.principal_id
    claims = entra.claims(token)
    wrong_tokens = [
        "x",
        f"{token[:-4]}AAAA",
        *(
            entra.keys.sign({**claims, **change})
            for change in (
                {"iss": "https://login.example/"},
                {"tid": "another-tenant"},
                {"aud": "https://storage.azure.com"},
                {"nbf": claims["exp"]},
                {"exp": None},
            )
        ),
    ]
    assert verifier.verify(entra.keys.sign(claims), audience="https://cosmos.azure.com") == claims
    for wrong in wrong_tokens:
        with pytest.raises(InvalidTokenError):
            verifier.verify(wrong, audience="https://cosmos.azure.com")
    entra.clock.advance(86400)
    with pytest.raises(InvalidTokenError, match="expired"):
        verifier.verify(token, audience="https://cosmos.azure.com")


def test_a_token_without_a_signature_is_not_accepted(entra: Entra):
    header, payload, _ = entra.assertion().split(".")
    unsigned = f"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}."
    verifier = TokenVerifier(entra.directory, entra.clock, entra.keys)
    for token in (unsigned, f"{header}.{payload}."):
        with pytest.raises(InvalidTokenError):
            verifier.verify(token, audience=TOKEN_EXCHANGE)


def test_responses_are_never_cached(entra: Entra):
    response = entra.identity_token(TOKEN_EXCHANGE)
    assert response.headers["cache-control"] == "no-store"
