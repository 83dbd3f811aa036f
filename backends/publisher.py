"""Publishes a package to a Function App on Flex Consumption, without the Azure CLI.

The package is posted to the app's deployment service, which installs the requirements (remote build) and
stores the result in the app's deployment container. It is published when the app has loaded its functions.
https://learn.microsoft.com/azure/azure-functions/functions-deployment-technologies#one-deploy
"""

import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest, HttpResponse

from backends.publishing_error import PublishingError

ARM = "https://management.azure.com"
_FUNCTIONS_VERSION = "2024-04-01"
_OK = 200

# Final statuses of the deployment service. The others are 0 (pending), 1 (building) and 2 (deploying).
_FAILED = 3
_SUCCEEDED = 4
_ENDINGS = {
    -1: "was cancelled",
    _FAILED: "failed",
    5: "conflicted with another deployment",
    6: "succeeded only in part",
}

# The app's identity may still lack access to its deployment container: Azure takes up to ten minutes to
# apply a role assignment. https://github.com/Azure/azure-dev/issues/8026
_STORAGE_REFUSED = re.compile(
    r"InaccessibleStorage|BlobUploadFailed|AuthorizationPermissionMismatch|"
    r"Azure Storage responded with (?:Forbidden|403)"
)

_TIMEOUT = 900.0  # seconds for an upload, with its repetitions, or for a build
_LOADING_TIMEOUT = 600.0  # seconds until a host has loaded its functions
_PAUSE = 5.0  # seconds between two requests of a poll
_FIRST_WAIT, _LONGEST_WAIT = 10.0, 60.0  # seconds until a package is uploaded again
_PROGRESS = 30.0  # seconds between two lines of progress

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The Function App to which the package is published.

    Attributes:
        app_id: its resource ID.
        name: its name.
        deployments: URL of its deployment service's API.
        arm: URL of Azure Resource Manager.
    """

    app_id: str
    name: str
    deployments: str
    arm: str = ARM

    @classmethod
    def of(cls, app_id: str, name: str) -> "Target":
        """The app in the public cloud."""
        return cls(app_id=app_id, name=name, deployments=f"https://{name}.scm.azurewebsites.net/api")

    def log(self, deployment: str) -> str:
        """The location of the log of a deployment, for messages."""
        group = re.search(r"/resourceGroups/([^/]+)/", self.app_id, re.IGNORECASE)
        return (
            f"{self.deployments}/deployments/{deployment}/log, or: az functionapp log deployment show --name "
            f"{self.name} --resource-group {group[1] if group else '<resource group>'}"
        )


def publish(target: Target, content: bytes, credential: TokenCredential) -> list[str]:
    """Publishes a package and returns the names of the functions that the app has loaded.

    Raises:
        PublishingError: the sign-in failed, the package was refused, its build failed, or no function was
            loaded.
    """
    with PipelineClient(
        target.arm, policies=[BearerTokenCredentialPolicy(credential, f"{ARM}/.default")]
    ) as client:
        return Publisher(client, target).publish(content)


class Publisher:
    """Publishes a package to a Function App and waits until its functions are loaded.

    Args:
        client: sends requests with a token for Azure Resource Manager.
        target: the Function App.
        sleep: waits for some seconds.
        now: returns the seconds of a monotonic clock.
        report: is called with each line of progress for the deployer.
    """

    def __init__(
        self,
        client: PipelineClient[HttpRequest, HttpResponse],
        target: Target,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
        report: Callable[[str], object] = lambda line: sys.stdout.write(f"{line}\n"),
    ) -> None:
        self._client = client
        self._target = target
        self._sleep = sleep
        self._now = now
        self._report = report

    def publish(self, content: bytes) -> list[str]:
        """Publishes a package and returns the names of the functions that the app has loaded.

        Raises:
            PublishingError: it was refused, its build failed, or no function was loaded.
        """
        deadline = self._now() + _TIMEOUT
        wait = _FIRST_WAIT
        while (refusal := self._deploy(content, deadline)) is not None:
            if self._now() + wait > deadline:
                raise PublishingError(
                    f"{self._target.name} could not store the package in its deployment container: after "
                    f"{_TIMEOUT / 60:.0f} minutes Azure Storage still refuses the app's identity. Check "
                    "that the identity has the role Storage Blob Data Owner on the storage account and that "
                    "the account's public network access is enabled (an Azure policy may disable it), then "
                    f"run `pulumi up` again. {refusal}"
                )
            self._report(
                f"{self._target.name}: Azure Storage does not accept the app's identity yet; a new role "
                f"assignment takes up to ten minutes. Uploading the package again in {wait:.0f} seconds."
            )
            self._sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
        return self._wait_until_loaded()

    def _deploy(self, content: bytes, deadline: float) -> str | None:
        """Uploads and builds the package once.

        Returns:
            None when it was deployed; the location of the log when Azure Storage refused the app's identity.
        """
        deployment = self._upload(content, deadline)
        self._report(f"{self._target.name}: the package is uploaded; deployment {deployment} is building it.")
        status, details = self._wait_until_finished(deployment)
        if status == _SUCCEEDED:
            return None
        log = self._log(deployment)
        where = (
            f"The end of the log of deployment {deployment}: {_excerpt(log or details) or '(empty)'} "
            f"The complete log: {self._target.log(deployment)}"
        )
        if status == _FAILED and _STORAGE_REFUSED.search(f"{details} {log}"):
            return where
        raise PublishingError(
            f"The deployment of the package to {self._target.name} {_ENDINGS[status]}. {where}"
        )

    def _upload(self, content: bytes, deadline: float) -> str:
        """Posts the package until the service accepts it, and returns the deployment's ID."""
        name, request_url = self._target.name, f"{self._target.deployments}/publish"

        def upload() -> str | None:
            response = self._send(
                HttpRequest(
                    "POST",
                    request_url,
                    params={"RemoteBuild": "true"},
                    headers={"Content-Type": "application/zip"},
                    content=content,
                )
            )
            if response is None or response.status_code in (404, 409, 429, 500, 502, 503, 504):
                return None
            if response.status_code in (401, 403):
                raise PublishingError(
                    f"You are not allowed to publish to {name} (status {response.status_code} from "
                    f"{request_url}). Assign the role Website Contributor to yourself and run `pulumi up` "
                    "again: az role assignment create --role 'Website Contributor' "
                    "--assignee <your object ID> --scope "
                    f"{self._target.app_id}"
                )
            if response.status_code not in (200, 202):
                raise PublishingError(
                    f"The deployment service of {name} refused the package (status {response.status_code} "
                    f"from {request_url}): {_excerpt(response.text())}"
                )
            identifier = response.text().strip().strip('"')
            return identifier if re.fullmatch(r"[0-9A-Za-z-]{1,64}", identifier) else "latest"

        return self._poll(
            upload,
            progress="its deployment service does not accept the package yet",
            failure=f"its deployment service at {request_url} did not accept the package",
            deadline=deadline,
        )

    def _wait_until_finished(self, deployment: str) -> tuple[int, str]:
        """The final status of a deployment, and the service's message about it."""
        url = f"{self._target.deployments}/deployments/{deployment}"

        def final_status() -> tuple[int, str] | None:
            answer = self._json(self._send(HttpRequest("GET", url)))
            status = answer.get("status") if isinstance(answer, dict) else None
            if not isinstance(answer, dict) or status not in (_SUCCEEDED, *_ENDINGS):
                return None
            return status, " ".join(str(answer.get(key) or "") for key in ("status_text", "message"))

        return self._poll(
            final_status,
            progress=f"deployment {deployment} is being built",
            failure=f"deployment {deployment} did not finish; its log: {self._target.log(deployment)}",
            deadline=self._now() + _TIMEOUT,
        )

    def _wait_until_loaded(self) -> list[str]:
        """Names of the app's functions.

        The deployment service reports success even for code that the host cannot load. Resource Manager lists
        only functions that the host has loaded.
        """
        url = f"{self._target.arm}{self._target.app_id}/functions"

        def loaded_functions() -> list[str] | None:
            answer = self._json(
                self._send(HttpRequest("GET", url, params={"api-version": _FUNCTIONS_VERSION}))
            )
            functions = answer.get("value") if isinstance(answer, dict) else None
            if not isinstance(functions, list):
                return None
            return sorted(str(function["name"]).rpartition("/")[2] for function in functions) or None

        return self._poll(
            loaded_functions,
            progress="the package is deployed; the host has not loaded its functions yet",
            failure=(
                "the package was deployed, but the host loaded no functions; the exception is in the app's "
                f"Application Insights, see Log stream at https://portal.azure.com/#resource{self._target.app_id}"
            ),
            deadline=self._now() + _LOADING_TIMEOUT,
        )

    def _log(self, deployment: str) -> str:
        """The last messages of a deployment's log, with their details."""
        log = f"{self._target.deployments}/deployments/{deployment}/log"
        entries = self._json(self._send(HttpRequest("GET", log)))
        messages: list[str] = []
        for entry in (
            [record for record in entries if isinstance(record, dict)][-10:]
            if isinstance(entries, list)
            else []
        ):
            messages.append(str(entry.get("message") or ""))
            details = entry.get("details_url")
            # The request contains the deployer's token, so it is sent only to this service.
            if isinstance(details, str) and details.startswith(f"{log}/"):
                inner = self._json(self._send(HttpRequest("GET", details)))
                if isinstance(inner, list):
                    messages += [
                        str(entry.get("message") or "") for entry in inner if isinstance(entry, dict)
                    ]
        return " | ".join(message.strip() for message in messages if message.strip())

    def _send(self, request: HttpRequest) -> HttpResponse | None:
        """The response, or None when the host could not be reached."""
        try:
            return self._client.send_request(request)
        except (ServiceRequestError, ServiceResponseError):
            return None
        except ClientAuthenticationError as error:
            raise PublishingError(
                f"Publishing to {self._target.name} needs a sign-in to Azure, which failed: "
                f"{_excerpt(error.message)} Sign in as for azure-native: `az login`, or set ARM_CLIENT_ID, "
                "ARM_TENANT_ID and ARM_CLIENT_SECRET, or ARM_USE_OIDC with its token."
            ) from error

    @staticmethod
    def _json(response: HttpResponse | None) -> Any:
        """The parsed body of a successful response, or None; a service that is starting may send a page."""
        if response is None or response.status_code != _OK:
            return None
        try:
            return response.json()
        except ValueError:
            return None

    def _poll(self, attempt: Callable[[], T | None], *, progress: str, failure: str, deadline: float) -> T:
        """Calls `attempt` until it returns a result or the deadline has passed."""
        begin = reported = self._now()
        while (result := attempt()) is None:
            now = self._now()
            if now >= deadline:
                raise PublishingError(
                    f"{self._target.name} is not published: after {(now - begin) / 60:.0f} minutes "
                    f"{failure}. Run `pulumi up` to publish again."
                )
            if now - reported >= _PROGRESS:
                reported = now
                self._report(f"{self._target.name}: {progress}.")
            self._sleep(_PAUSE)
        return result


def _excerpt(text: str) -> str:
    return " ".join(text.split())[-800:]
