"""Reads from Azure Resource Manager, or from the twin's control port, which has the same API."""

import asyncio
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol

import httpx2

from verify.check import FailedError, SkippedError

_SCOPE = "https://management.azure.com/.default"
# https://learn.microsoft.com/azure/templates/. These versions have all properties that the checks read.
_VERSIONS = {
    "microsoft.apimanagement": "2024-05-01",
    "microsoft.app": "2025-07-01",
    "microsoft.web": "2023-12-01",
}
_SUBSCRIPTIONS_VERSION = "2022-12-01"
_ATTEMPTS = 4
_MAX_PARALLEL = 8
_SIGN_IN = "Run `az login`, and `az account set --subscription <id>` if you have several subscriptions."


class Credential(Protocol):
    """A source of tokens for Azure Resource Manager."""

    async def token(self) -> str:
        """An access token.

        Raises:
            SkippedError: the user is not signed in to Azure.
        """
        ...


class AzureCredential:
    """The credential of the Azure CLI, of environment variables or of a managed identity."""

    @cached_property
    def _credential(self) -> Any:
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 -- slow to import, and not needed locally

        return DefaultAzureCredential()

    async def token(self) -> str:
        """An access token of the user or workload that runs the verification.

        Raises:
            SkippedError: the user is not signed in to Azure.
        """
        from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 -- see above

        try:
            return (await asyncio.to_thread(self._credential.get_token, _SCOPE)).token
        except ClientAuthenticationError as error:
            raise SkippedError("Not signed in to Azure.", _SIGN_IN) from error


class LocalCredential:
    """A credential for a local twin, which accepts any token."""

    async def token(self) -> str:
        """A string that replaces a token."""
        return "local"


class ResourceManager:
    """Azure Resource Manager for one credential.

    Args:
        url: origin of Azure Resource Manager or of the twin's control port.
        credential: provides the access tokens.
        http: sends the requests.
    """

    def __init__(self, url: str, credential: Credential, http: httpx2.AsyncClient) -> None:
        self._url = url.rstrip("/")
        self._credential = credential
        self._http = http
        self._token: asyncio.Task[str] | None = None
        self._semaphore = asyncio.Semaphore(_MAX_PARALLEL)

    async def get(self, path: str, **query: str) -> Mapping[str, Any] | None:
        """A resource by its id; None if it does not exist.

        Raises:
            SkippedError: the user is not signed in to Azure, or may not read the resource.
            FailedError: Azure Resource Manager does not respond, or returns an error.
        """
        return await self._read(f"{self._url}{path}", {"api-version": _version(path), **query})

    async def list(self, path: str) -> tuple[Mapping[str, Any], ...]:
        """The resources of a collection.

        Raises:
            SkippedError, FailedError: see `get`.
        """
        items: list[Mapping[str, Any]] = []
        page = await self.get(path)
        while page is not None:
            items += page.get("value") or ()
            link = page.get("nextLink")
            page = await self._read(self._same_origin(link), {}) if link else None
        return tuple(items)

    async def _read(self, url: str, query: Mapping[str, str]) -> Mapping[str, Any] | None:
        # All requests of a run share one sign-in.
        if self._token is None:
            self._token = asyncio.create_task(self._credential.token())
        # Policies are also available as XML; without this header Azure chooses the format.
        headers = {"Authorization": f"Bearer {await self._token}", "Accept": "application/json"}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self._semaphore:
                    answer = await self._http.get(url, params=query or None, headers=headers)
            except httpx2.HTTPError as error:
                raise FailedError(f"{self._url} does not respond: {type(error).__name__}") from error
            if answer.status_code != 429 or attempt == _ATTEMPTS:  # noqa: PLR2004 -- HTTP: Too Many Requests
                break
            await asyncio.sleep(_seconds(answer.headers.get("retry-after"), attempt))
        return _content(answer)

    def _same_origin(self, link: str) -> str:
        """Returns a link of a response, if the token may be sent to it.

        Raises:
            FailedError: the link is to another host.
        """
        if not link.startswith(f"{self._url}/"):
            raise FailedError("The next page of a list is at another host.")
        return link


def _content(answer: httpx2.Response) -> Mapping[str, Any] | None:
    path = answer.request.url.path
    match answer.status_code:
        case 200:
            content = answer.json()
            return content if isinstance(content, dict) else None
        case 404:
            return None
        case 401 | 403:
            raise SkippedError(
                f"HTTP {answer.status_code} for {path}: the signed-in account may not read it.",
                f"It needs the role Reader on the resource group. {_SIGN_IN}",
            )
        case status:
            raise FailedError(f"Azure Resource Manager returned HTTP {status} for {path}")


def _version(path: str) -> str:
    provider = path.rpartition("/providers/")[2].partition("/")[0].lower() if "/providers/" in path else ""
    return _VERSIONS.get(provider, _SUBSCRIPTIONS_VERSION)


def _seconds(value: str | None, attempt: int) -> float:
    return min(float(value), 30.0) if value and value.isdigit() else float(2**attempt)
