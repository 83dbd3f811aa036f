"""The credential for publishing code is chosen by the settings and variables of the provider Azure Native."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from backends.deployer import SignIn
from backends.publishing_error import PublishingError
from tests.azure_stand_in import TOKEN, WORKFLOW_TOKEN, AzureStandIn, azure_cli

TENANT = "11111111-1111-1111-1111-111111111111"
CLIENT = "22222222-2222-2222-2222-222222222222"
SECRET = "a-client-secret"
ID_TOKEN = "an-id-token-of-a-pipeline"

APPLICATION = {"clientId": CLIENT, "tenantId": TENANT}
VARIABLES = {
    "clientId": "ARM_CLIENT_ID",
    "tenantId": "ARM_TENANT_ID",
    "clientSecret": "ARM_CLIENT_SECRET",
    "clientCertificatePath": "ARM_CLIENT_CERTIFICATE_PATH",
    "clientCertificatePassword": "ARM_CLIENT_CERTIFICATE_PASSWORD",
    "useOidc": "ARM_USE_OIDC",
    "oidcToken": "ARM_OIDC_TOKEN",
    "oidcTokenFilePath": "ARM_OIDC_TOKEN_FILE_PATH",
    "oidcRequestUrl": "ARM_OIDC_REQUEST_URL",
    "oidcRequestToken": "ARM_OIDC_REQUEST_TOKEN",
    "oidcAudience": "ARM_OIDC_AUDIENCE",
    "useMsi": "ARM_USE_MSI",
    "useDefaultAzureCredential": "ARM_USE_DEFAULT_AZURE_CREDENTIAL",
    "subscriptionId": "ARM_SUBSCRIPTION_ID",
}


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureStandIn]:
    """Azure at its real URLs, with a signed-in Azure CLI."""
    with AzureStandIn() as stand_in:
        for name, value in stand_in.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PATH", str(azure_cli(tmp_path / "bin")))
        yield stand_in


@pytest.fixture(params=["configuration", "environment"])
def sign_in(request: pytest.FixtureRequest):
    """Signs in with settings from the stack's configuration, or from environment variables."""

    def sign_in(settings: dict[str, str]) -> str:
        if request.param == "configuration":
            values = {f"azure-native:{key}": value for key, value in settings.items()}
            return token(SignIn(values.get, {}))
        return token(SignIn(environment={VARIABLES[key]: value for key, value in settings.items()}))

    return sign_in


def token(sign_in: SignIn) -> str:
    return sign_in.credential().get_token("https://management.azure.com/.default").token


def test_an_application_signs_in_with_its_secret(azure, sign_in) -> None:
    assert sign_in({**APPLICATION, "clientSecret": SECRET}) == TOKEN
    (request,) = azure.requests_to(f"/{TENANT}/oauth2/v2.0/token")
    assert request.form["client_id"] == CLIENT
    assert request.form["client_secret"] == SECRET
    assert request.form["scope"].startswith("https://management.azure.com/.default")


def test_an_application_signs_in_with_the_token_of_a_pipeline(azure, sign_in) -> None:
    assert sign_in({**APPLICATION, "useOidc": "true", "oidcToken": ID_TOKEN}) == TOKEN
    (request,) = azure.requests_to(f"/{TENANT}/oauth2/v2.0/token")
    assert request.form["client_id"] == CLIENT
    assert request.form["client_assertion"] == ID_TOKEN


def test_an_application_signs_in_with_a_token_in_a_file(azure, sign_in, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{ID_TOKEN}\n")
    settings = {**APPLICATION, "useOidc": "true", "oidcTokenFilePath": str(tmp_path / "token")}
    assert sign_in(settings) == TOKEN
    assert azure.requests_to("/oauth2/v2.0/token")[0].form["client_assertion"] == ID_TOKEN


def test_an_application_signs_in_with_a_token_that_the_workflow_requests(azure, sign_in) -> None:
    url = f"{azure.url}/workflow/token?api-version=2.0"
    settings = {**APPLICATION, "useOidc": "true", "oidcRequestUrl": url, "oidcRequestToken": "job-token"}
    assert sign_in(settings) == TOKEN
    (request,) = azure.requests_to("/workflow/token")
    assert request.headers["Authorization"] == "Bearer job-token"
    assert request.query == {"api-version": "2.0", "audience": "api://AzureADTokenExchange"}
    assert azure.requests_to("/oauth2/v2.0/token")[0].form["client_assertion"] == WORKFLOW_TOKEN


def test_the_audience_of_a_workflows_token_can_be_set(azure, sign_in) -> None:
    url = f"{azure.url}/workflow/token?audience=other"
    settings = {**APPLICATION, "useOidc": "true", "oidcRequestUrl": url, "oidcRequestToken": "job-token"}
    sign_in({**settings, "oidcAudience": "api://MyExchange"})
    assert azure.requests_to("/workflow/token")[0].query == {"audience": "api://MyExchange"}


def test_a_job_on_github_actions_needs_no_settings_for_its_token(azure) -> None:
    environment = {
        "ARM_CLIENT_ID": CLIENT,
        "ARM_TENANT_ID": TENANT,
        "ARM_USE_OIDC": "true",
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{azure.url}/workflow/token",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "job-token",
    }
    assert token(SignIn(environment=environment)) == TOKEN
    assert azure.requests_to("/oauth2/v2.0/token")[0].form["client_assertion"] == WORKFLOW_TOKEN


@pytest.mark.parametrize("password", [None, "a-password"])
def test_an_application_signs_in_with_a_certificate(azure, sign_in, tmp_path: Path, password) -> None:
    path = certificate(tmp_path / "certificate.pem", password)
    settings = {**APPLICATION, "clientCertificatePath": str(path)}
    if password:
        settings["clientCertificatePassword"] = password
    assert sign_in(settings) == TOKEN
    (request,) = azure.requests_to(f"/{TENANT}/oauth2/v2.0/token")
    assertion = jwt.decode(request.form["client_assertion"], options={"verify_signature": False})
    assert assertion["iss"] == assertion["sub"] == CLIENT


def test_a_managed_identity_signs_in(azure, sign_in, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{azure.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    assert sign_in({"useMsi": "true", "clientId": CLIENT}) == TOKEN
    assert azure.requests_to("/msi/token")[0].query["client_id"] == CLIENT


def test_the_default_credential_of_the_sdk_can_be_chosen(
    azure, sign_in, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_ID", "33333333-3333-3333-3333-333333333333")
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "another-secret")
    # It has priority over all other settings.
    assert sign_in({**APPLICATION, "clientSecret": SECRET, "useDefaultAzureCredential": "true"}) == TOKEN
    assert azure.requests_to("/oauth2/v2.0/token")[0].form["client_secret"] == "another-secret"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        # An ID token alone does not choose OpenID Connect, and neither does a value that is not "true".
        {**APPLICATION, "oidcToken": ID_TOKEN},
        {**APPLICATION, "oidcToken": ID_TOKEN, "useOidc": "1"},
        {"useMsi": "false"},
    ],
)
def test_without_another_choice_the_azure_cli_signs_in(azure, sign_in, tmp_path: Path, settings) -> None:
    assert sign_in(settings) == TOKEN
    assert azure.requests == []
    assert "account get-access-token" in (tmp_path / "bin" / "az.txt").read_text()


@pytest.mark.usefixtures("azure")
def test_the_azure_cli_is_called_with_the_tenant_and_the_subscription(sign_in, tmp_path: Path) -> None:
    sign_in({"tenantId": TENANT, "subscriptionId": "my subscription"})
    arguments = (tmp_path / "bin" / "az.txt").read_text()
    assert f"--tenant {TENANT}" in arguments
    assert "--subscription my subscription" in arguments


def test_sign_in_methods_are_tried_in_the_order_of_azure_native(azure, sign_in, tmp_path: Path) -> None:
    """A certificate, then a client secret, then OpenID Connect, then a managed identity."""
    path = certificate(tmp_path / "certificate.pem", None)
    settings = {
        **APPLICATION,
        "clientCertificatePath": str(path),
        "clientSecret": SECRET,
        "useOidc": "true",
        "oidcToken": ID_TOKEN,
        "useMsi": "true",
    }
    sign_in(settings)
    assert "client_assertion" in azure.requests_to("/oauth2/v2.0/token")[-1].form
    del settings["clientCertificatePath"]
    sign_in(settings)
    assert azure.requests_to("/oauth2/v2.0/token")[-1].form["client_secret"] == SECRET
    del settings["clientSecret"]
    sign_in(settings)
    assert azure.requests_to("/oauth2/v2.0/token")[-1].form["client_assertion"] == ID_TOKEN


def test_a_setting_of_the_stack_overrides_the_environment(azure) -> None:
    configured = {f"azure-native:{key}": value for key, value in APPLICATION.items()}
    environment = {
        "ARM_CLIENT_ID": "overridden",
        "ARM_TENANT_ID": "overridden",
        "ARM_CLIENT_SECRET": SECRET,
    }
    token(SignIn(configured.get, environment))
    assert azure.requests_to(f"/{TENANT}/oauth2/v2.0/token")[0].form["client_id"] == CLIENT


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"clientSecret": SECRET}, ["ARM_CLIENT_ID", "ARM_TENANT_ID"]),
        ({"clientSecret": SECRET, "clientId": CLIENT}, ["ARM_TENANT_ID"]),
        ({"clientCertificatePath": "/nowhere"}, ["ARM_CLIENT_ID", "ARM_TENANT_ID"]),
        ({**APPLICATION, "clientCertificatePath": "/nowhere"}, ["ARM_CLIENT_CERTIFICATE_PATH", "/nowhere"]),
        ({"useOidc": "true", "oidcToken": ID_TOKEN}, ["ARM_CLIENT_ID", "ARM_TENANT_ID"]),
        (
            {**APPLICATION, "useOidc": "true"},
            ["ARM_OIDC_TOKEN", "ARM_OIDC_TOKEN_FILE_PATH", "ACTIONS_ID_TOKEN_REQUEST_URL", "id-token: write"],
        ),
        ({**APPLICATION, "useOidc": "true", "oidcTokenFilePath": "/nowhere"}, ["/nowhere"]),
        (
            {**APPLICATION, "useOidc": "true", "oidcRequestUrl": "https://x.example"},
            ["ARM_OIDC_REQUEST_TOKEN"],
        ),
    ],
)
def test_incomplete_settings_are_an_error_that_names_the_missing_settings(
    azure, sign_in, settings, expected
) -> None:
    with pytest.raises(PublishingError) as failure:
        sign_in(settings)
    message = str(failure.value)
    assert [name for name in expected if name not in message] == []
    assert "azure-native:" in message
    assert azure.requests == []


def test_a_failed_token_request_is_an_error_without_the_response(azure, sign_in) -> None:
    url = f"{azure.url}/refused?state=private"
    settings = {**APPLICATION, "useOidc": "true", "oidcRequestUrl": url, "oidcRequestToken": "job-token"}
    with pytest.raises(PublishingError) as failure:
        sign_in(settings)
    message = str(failure.value)
    assert f"{azure.url} returned no OpenID Connect token (status 404)" in message
    assert "private" not in message
    assert "job-token" not in message


@pytest.mark.usefixtures("azure")
def test_no_error_contains_a_secret(sign_in, tmp_path: Path) -> None:
    (tmp_path / "broken.pem").write_text("-----BEGIN PRIVATE KEY-----\nprivate-key-material\n")
    for settings in (
        {"clientSecret": SECRET},
        {**APPLICATION, "clientCertificatePath": str(tmp_path / "broken.pem")},
        {"useOidc": "true", "oidcToken": ID_TOKEN},
    ):
        with pytest.raises(PublishingError) as failure:
            sign_in(settings)
        assert [
            secret for secret in (SECRET, ID_TOKEN, "key-material") if secret in repr(failure.value)
        ] == []
        assert failure.value.__cause__ is None


@pytest.mark.usefixtures("azure")
def test_the_error_without_an_azure_cli_is_that_of_the_azure_sdk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClientAuthenticationError, match="Azure CLI not found"):
        token(SignIn(environment={}))


def certificate(path: Path, password: str | None) -> Path:
    """A PEM file with a certificate and its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "deployer")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    encryption = (
        serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    )
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path
