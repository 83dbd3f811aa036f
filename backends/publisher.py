"""Puts a package into a Function App on Flex Consumption, without the Azure CLI.

The package is posted to the app's deployment service, which installs the requirements (remote build) and
stores the result in the app's deployment container. Success is what the app then has: its functions.
https://learn.microsoft.com/azure/azure-functions/functions-deployment-technologies#one-deploy
"""

import os
import re
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy
from azure.core.rest import HttpRequest, HttpResponse
from azure.identity import ClientAssertionCredential, ClientSecretCredential, DefaultAzureCredential

ARM = "https://management.azure.com"
_FUNCTIONS_VERSION = "2024-04-01"

# What the deployment service reports: 0 pending, 1 building, 2 deploying, and
_SUCCEEDED = 4
_ENDED_OTHERWISE = {
    -1: "was cancelled",
    3: "failed",
    5: "ran into another one",
    6: "succeeded only in part",
}

_PATIENCE = 900.0  # seconds for one step; a remote build takes some minutes
_PAUSE = 5.0  # seconds between two looks

T = TypeVar("T")


class PublishingError(Exception):
    """The code did not get into the app; the message says where it stopped and what to do."""


def publish(*, app_id: str, app_name: str, content: bytes) -> list[str]:
    """Publishes as whoever runs the deployment and returns the names of the app's functions.

    Raises:
        PublishingError: nobody is signed in, the package was refused, its build failed, or no
            function came up.
    """
    policies = [RetryPolicy(), BearerTokenCredentialPolicy(credential(os.environ), f"{ARM}/.default")]
    with PipelineClient(ARM, policies=policies) as client:
        return Publisher(client).publish(app_id=app_id, app_name=app_name, content=content)


def credential(environment: Mapping[str, str]) -> TokenCredential:
    """Who publishes: the identity that Pulumi's Azure provider deploys as.

    https://www.pulumi.com/registry/packages/azure-native/installation-configuration/
    """
    client, tenant = environment.get("ARM_CLIENT_ID"), environment.get("ARM_TENANT_ID")
    if client and tenant and (secret := environment.get("ARM_CLIENT_SECRET")):
        return ClientSecretCredential(tenant, client, secret)
    if client and tenant and (token := environment.get("ARM_OIDC_TOKEN")):
        return ClientAssertionCredential(tenant, client, lambda: token)
    return DefaultAzureCredential()


class Publisher:
    """Puts a package into a Function App and waits until its functions are there.

    Args:
        client: sends requests with a token for Azure Resource Manager.
        sleep: waits for some seconds.
        now: seconds on a clock that does not jump.
    """

    def __init__(
        self,
        client: PipelineClient,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._sleep = sleep
        self._now = now

    def publish(self, *, app_id: str, app_name: str, content: bytes) -> list[str]:
        """Publishes a package and returns the names of the functions that the app has loaded.

        Raises:
            PublishingError: it was refused, its build failed, or no function came up.
        """
        deployments = f"https://{app_name}.scm.azurewebsites.net/api"
        identifier = self._patiently(
            "accept the package", app_name, lambda: self._upload(deployments, app_name, content)
        )
        self._patiently(
            "finish the deployment", app_name, lambda: self._deployed(deployments, app_name, identifier)
        )
        return self._patiently("load a function", app_name, lambda: self._loaded(app_id))

    def _upload(self, deployments: str, app_name: str, content: bytes) -> str | None:
        """The deployment's id, or None while the service of a new app is not reachable yet."""
        response = self._send(
            HttpRequest(
                "POST",
                f"{deployments}/publish",
                params={"RemoteBuild": "true"},
                headers={"Content-Type": "application/zip"},
                content=content,
            )
        )
        if response is None or response.status_code in (404, 409, 429, 500, 502, 503, 504):
            return None
        if response.status_code in (401, 403):
            raise PublishingError(
                f"You may not publish to {app_name} ({response.status_code}). Give yourself the role Website "
                f"Contributor on it, or sign in as somebody who has it: az login"
            )
        if response.status_code not in (200, 202):
            raise PublishingError(
                f"{app_name} refused the package ({response.status_code}): {_excerpt(response.text())}"
            )
        identifier = response.text().strip().strip('"')
        return identifier if re.fullmatch(r"[0-9A-Za-z-]{1,64}", identifier) else "latest"

    def _deployed(self, deployments: str, app_name: str, identifier: str) -> bool | None:
        """True when the deployment has succeeded, None while it is under way."""
        response = self._send(HttpRequest("GET", f"{deployments}/deployments/{identifier}"))
        if response is None or response.status_code != 200:  # noqa: PLR2004 -- HTTP's OK
            return None
        status = response.json().get("status")
        if status in _ENDED_OTHERWISE:
            raise PublishingError(
                f"Deployment {identifier} to {app_name} {_ENDED_OTHERWISE[status]}. "
                f"Its log ends: {self._log(deployments, identifier)}"
            )
        return True if status == _SUCCEEDED else None

    def _loaded(self, app_id: str) -> list[str] | None:
        """Names of the app's functions, or None while there are none.

        The deployment service reports success for code that the host cannot load; this does not.
        """
        response = self._send(
            HttpRequest("GET", f"{ARM}{app_id}/functions", params={"api-version": _FUNCTIONS_VERSION})
        )
        if response is None or response.status_code != 200:  # noqa: PLR2004 -- HTTP's OK
            return None
        return sorted(function["name"].rpartition("/")[2] for function in response.json()["value"]) or None

    def _log(self, deployments: str, identifier: str) -> str:
        response = self._send(HttpRequest("GET", f"{deployments}/deployments/{identifier}/log"))
        if response is None or response.status_code != 200:  # noqa: PLR2004 -- HTTP's OK
            return "(no log)"
        return _excerpt(" | ".join(str(entry.get("message", "")) for entry in response.json()[-10:]))

    def _send(self, request: HttpRequest) -> HttpResponse | None:
        """The answer, or None when the host could not be reached."""
        try:
            return self._client.send_request(request)
        except (ServiceRequestError, ServiceResponseError):
            return None
        except ClientAuthenticationError as error:
            raise PublishingError(
                "There is no way to sign in to Azure for publishing. Run `az login`, or set ARM_CLIENT_ID, "
                f"ARM_TENANT_ID and ARM_CLIENT_SECRET (or ARM_OIDC_TOKEN). {_excerpt(error.message)}"
            ) from error

    def _patiently(self, goal: str, app_name: str, look: Callable[[], T | None]) -> T:
        """What `look` finds, asked again and again."""
        deadline = self._now() + _PATIENCE
        while (found := look()) is None:
            if self._now() >= deadline:
                raise PublishingError(
                    f"{app_name} did not {goal} within {_PATIENCE / 60:.0f} minutes. Its log stream says "
                    f"why: az webapp log tail --name {app_name}. Then run `pulumi up` again."
                )
            self._sleep(_PAUSE)
        return found


def _excerpt(text: str) -> str:
    return " ".join(text.split())[-800:]
