"""The credential of the deployer: the one with which Pulumi's Azure Native provider signs in.

The program itself, not that provider, publishes the code of the functions, so the same settings are read
here, in the same order: a default credential, a client certificate, a client secret, OpenID Connect, a
managed identity, the Azure CLI. A setting of the stack's configuration (`azure-native:clientId`) takes
precedence over its environment variable (`ARM_CLIENT_ID`). Secrets are read when the code is published, and
not stored.

https://www.pulumi.com/registry/packages/azure-native/installation-configuration/
https://github.com/pulumi/pulumi-azure-native/blob/master/provider/pkg/provider/auth_azidentity.go
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import RetryPolicy
from azure.core.rest import HttpRequest
from azure.identity import (
    AzureCliCredential,
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    ManagedIdentityCredential,
)

from backends.publishing_error import PublishingError

_AUDIENCE = "api://AzureADTokenExchange"

# The environment variables that replace each setting of `azure-native`, in order of precedence.
_VARIABLES = {
    "auxiliaryTenantIds": ("ARM_AUXILIARY_TENANT_IDS",),
    "clientCertificatePassword": ("ARM_CLIENT_CERTIFICATE_PASSWORD",),
    "clientCertificatePath": ("ARM_CLIENT_CERTIFICATE_PATH",),
    "clientId": ("ARM_CLIENT_ID",),
    "clientSecret": ("ARM_CLIENT_SECRET",),
    "disableInstanceDiscovery": ("ARM_DISABLE_INSTANCE_DISCOVERY",),
    "oidcAudience": ("ARM_OIDC_AUDIENCE",),
    "oidcRequestToken": ("ARM_OIDC_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    "oidcRequestUrl": ("ARM_OIDC_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_URL"),
    "oidcToken": ("ARM_OIDC_TOKEN",),
    "oidcTokenFilePath": ("ARM_OIDC_TOKEN_FILE_PATH",),
    "subscriptionId": ("ARM_SUBSCRIPTION_ID",),
    "tenantId": ("ARM_TENANT_ID",),
    "useDefaultAzureCredential": ("ARM_USE_DEFAULT_AZURE_CREDENTIAL",),
    "useMsi": ("ARM_USE_MSI",),
    "useOidc": ("ARM_USE_OIDC",),
}


class SignIn:
    """The settings with which Azure Native signs in.

    Args:
        configured: returns a value of the stack's configuration, decrypted, or None.
        environment: the environment variables.
    """

    def __init__(
        self,
        configured: Callable[[str], object] = lambda _key: None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._configured = configured
        self._environment = environment

    def credential(self) -> TokenCredential:
        """The credential of the identity that deploys.

        Raises:
            PublishingError: the settings of the chosen credential are incomplete.
        """
        common: dict[str, Any] = {
            "additionally_allowed_tenants": self._auxiliary_tenants(),
            "disable_instance_discovery": self._is_true("disableInstanceDiscovery"),
        }
        if self._is_true("useDefaultAzureCredential"):
            return DefaultAzureCredential(**common)
        if self._value("clientCertificatePath"):
            return self._certificate(common)
        if secret := self._value("clientSecret"):
            tenant, client = self._application("clientSecret")
            return ClientSecretCredential(tenant, client, secret, **common)
        if self._is_true("useOidc"):
            tenant, client = self._application("useOidc")
            return ClientAssertionCredential(tenant, client, self._assertion(), **common)
        if self._is_true("useMsi"):
            return ManagedIdentityCredential(client_id=self._value("clientId") or None)
        return AzureCliCredential(
            tenant_id=self._value("tenantId"),
            subscription=self._value("subscriptionId") or None,
            additionally_allowed_tenants=common["additionally_allowed_tenants"],
        )

    def _certificate(self, common: Mapping[str, Any]) -> TokenCredential:
        tenant, client = self._application("clientCertificatePath")
        path = self._value("clientCertificatePath")
        try:
            return CertificateCredential(
                tenant,
                client,
                path,
                password=self._value("clientCertificatePassword") or None,
                **common,
            )
        except (OSError, ValueError) as error:
            # The library's message may contain a part of the file.
            raise PublishingError(
                f"The client certificate {path} cannot be read ({type(error).__name__}). Set "
                f"{_names('clientCertificatePath')} to a PEM or PKCS#12 file with its private key, and "
                f"{_names('clientCertificatePassword')} if it is encrypted."
            ) from None

    def _assertion(self) -> Callable[[], str]:
        """A function that returns another identity provider's token, which is exchanged for one of Azure."""
        if token := self._value("oidcToken"):
            return lambda: token
        if path := self._value("oidcTokenFilePath"):
            return lambda: _read_token(Path(path))
        url, token = self._value("oidcRequestUrl"), self._value("oidcRequestToken")
        if url and token:
            audience = self._value("oidcAudience") or _AUDIENCE
            return lambda: _request_token(url, token, audience)
        raise PublishingError(
            f"{_names('useOidc')} is true, but there is no token to sign in with. Set {_names('oidcToken')}, "
            f"{_names('oidcTokenFilePath')}, or both {_names('oidcRequestUrl')} and "
            f"{_names('oidcRequestToken')}. On GitHub Actions give the job the permission `id-token: write`."
        )

    def _application(self, chosen_by: str) -> tuple[str, str]:
        """Tenant and client ID of the application that signs in."""
        values = {key: self._value(key) for key in ("tenantId", "clientId")}
        missing = [_names(key) for key, value in values.items() if not value]
        if missing:
            raise PublishingError(
                f"{_names(chosen_by)} is set, but {' and '.join(missing)} is not. Set it to sign in to Azure "
                "as an application, or unset the former to use the Azure CLI's login."
            )
        return values["tenantId"], values["clientId"]

    def _auxiliary_tenants(self) -> list[str]:
        text = self._value("auxiliaryTenantIds")
        try:
            tenants = json.loads(text or "[]")
        except ValueError:
            tenants = None
        if not isinstance(tenants, list):
            raise PublishingError(f"{_names('auxiliaryTenantIds')} is not a JSON list of tenant IDs.")
        return [str(tenant) for tenant in tenants]

    def _is_true(self, key: str) -> bool:
        return self._value(key) == "true"

    def _value(self, key: str) -> str:
        configured = self._configured(f"azure-native:{key}")
        if configured is not None:
            return str(configured).strip()
        values = (self._environment.get(variable, "") for variable in _VARIABLES[key])
        return next((value.strip() for value in values if value), "")


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise PublishingError(
            f"The OpenID Connect token in {path} cannot be read ({type(error).__name__}). Set "
            f"{_names('oidcTokenFilePath')} to the file that the identity provider writes."
        ) from None


def _request_token(url: str, token: str, audience: str) -> str:
    """Requests a token from the identity provider of a workflow, as GitHub's documentation describes."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "audience"]
    request = HttpRequest(
        "GET",
        urlunsplit(parts._replace(query=urlencode([*query, ("audience", audience)]))),
        headers={"Accept": "application/json", "Authorization": f"Bearer {token}"},
    )
    origin = f"{parts.scheme}://{parts.netloc}"
    try:
        with PipelineClient(origin, policies=[RetryPolicy(retry_total=3)]) as client:
            response = client.send_request(request)
            value = response.json().get("value") if response.status_code == 200 else None  # noqa: PLR2004 - OK
            status = f"status {response.status_code}"
    except (AzureError, ValueError, AttributeError) as error:
        value, status = None, type(error).__name__
    if not value:
        # Neither the answer nor the query is shown: they may contain tokens.
        raise PublishingError(
            f"The identity provider at {origin} returned no OpenID Connect token ({status}). Check "
            f"{_names('oidcRequestUrl')} and {_names('oidcRequestToken')}; on GitHub Actions the job needs "
            "the permission `id-token: write`."
        )
    return str(value)


def _names(key: str) -> str:
    """The key of a setting and its environment variables, for messages."""
    return f"azure-native:{key} ({' or '.join(_VARIABLES[key])})"
