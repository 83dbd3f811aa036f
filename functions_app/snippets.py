"""Named text snippets in blob storage, one blob each.

A user's own snippets are below `users/<hash of the user's subject>/`. Shared snippets are at the root of the
container. Earlier versions stored every snippet there, so snippets from earlier versions are shared.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import (
    BlobServiceClient,
    ContainerClient,
    ContentSettings,
    ExponentialRetry,
    StorageErrorCode,
)

MAX_NAME = 128
"""The longest name of a snippet, in characters."""
MAX_BYTES = 500 * 1024
"""The largest snippet, in bytes of UTF-8 (500 KiB).

A snippet is sent to the client as one event, in which each quotation mark and line end takes two bytes, and
clients refuse events above 1 MiB (the default of the official Python SDK).
"""

# No slash, no backslash, no control character; no dot at the beginning or end, which excludes `..` and blob
# names that Azure discourages.
_NAME = re.compile(rf"[A-Za-z0-9_-](?:[A-Za-z0-9_. -]{{0,{MAX_NAME - 2}}}[A-Za-z0-9_-])?")
_NAME_RULE = (
    f"A name has 1 to {MAX_NAME} letters (a-z, A-Z), digits, '-', '_', and inside it also '.' and spaces."
)

# Two retries, after one and two seconds; with the SDK's defaults a call waits 15 seconds and longer.
_RETRY = ExponentialRetry(initial_backoff=1, increment_base=1, retry_total=2, random_jitter_range=0)
_UNAVAILABLE = "The storage of snippets is not available at the moment. Try again."


class SnippetError(Exception):
    """A request that cannot be served; the message is meant for the client."""


@dataclass(frozen=True, slots=True)
class SnippetStore:
    """The snippets in one blob container.

    Args:
        container: the client of a container that exists.
    """

    container: ContainerClient

    def save(self, name: object, content: object, owner: str | None) -> bool:
        """Stores a snippet under a name, completely or not at all.

        Args:
            name: what the client sent as the name.
            content: what the client sent as the text; stored as UTF-8, unchanged.
            owner: the owner's hash; None for a shared snippet.

        Returns:
            Whether the new snippet replaces one with this name.

        Raises:
            SnippetError: name or content is not acceptable, or the storage does not answer.
        """
        blob = self.container.get_blob_client(_blob_name(check_name(name), owner))
        data = check_content(content)
        text = ContentSettings(content_type="text/plain; charset=utf-8")
        try:
            # One Put Blob request each: a blob never contains an incomplete snippet.
            try:
                blob.upload_blob(data, overwrite=False, content_settings=text)
            except ResourceExistsError:
                blob.upload_blob(data, overwrite=True, content_settings=text)
                return True
        except AzureError as error:
            raise SnippetError(_UNAVAILABLE) from error
        return False

    def get(self, name: object, owner: str | None) -> str:
        """The text of a snippet, exactly as it was saved.

        Raises:
            SnippetError: the name is not acceptable, unknown, or the storage does not answer.
        """
        name = check_name(name)
        try:
            data = self.container.download_blob(_blob_name(name, owner)).readall()
        except ResourceNotFoundError as error:
            raise _not_found(name, owner, error) from error
        except AzureError as error:
            raise SnippetError(_UNAVAILABLE) from error
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise SnippetError(f"The stored snippet '{name}' is not valid UTF-8.") from error

    def delete(self, name: object, owner: str | None) -> None:
        """Deletes a snippet.

        Raises:
            SnippetError: the name is not acceptable, unknown, or the storage does not answer.
        """
        name = check_name(name)
        try:
            self.container.delete_blob(_blob_name(name, owner))
        except ResourceNotFoundError as error:
            raise _not_found(name, owner, error) from error
        except AzureError as error:
            raise SnippetError(_UNAVAILABLE) from error


def _blob_name(name: str, owner: str | None) -> str:
    """The names of snippets contain no slash, so a shared one is never within a user's folder."""
    return name if owner is None else f"users/{owner}/{name}"


def _not_found(name: str, owner: str | None, error: ResourceNotFoundError) -> SnippetError:
    """The error if the blob or the container does not exist."""
    if getattr(error, "error_code", None) == StorageErrorCode.CONTAINER_NOT_FOUND:
        return SnippetError(_UNAVAILABLE)
    if owner is None:
        return SnippetError(f"There is no shared snippet named '{name}'.")
    return SnippetError(
        f"You have no snippet named '{name}'. Save it first with save_snippet; set 'shared' to use a snippet "
        "that all users share."
    )


def check_name(name: object) -> str:
    """Returns the name if it is valid.

    Raises:
        SnippetError: the name is not valid; the message has the reason.
    """
    if name is None or name == "":
        raise SnippetError(f"The name of the snippet is missing: give it as 'snippetname'. {_NAME_RULE}")
    if not isinstance(name, str):
        raise SnippetError(f"The name of a snippet must be a string. {_NAME_RULE}")
    if len(name) > MAX_NAME:
        raise SnippetError(f"The name of the snippet has {len(name)} characters. {_NAME_RULE}")
    if _NAME.fullmatch(name) is None:
        raise SnippetError(f"{name!a} cannot be the name of a snippet. {_NAME_RULE}")
    return name


def check_content(content: object) -> bytes:
    """Returns the bytes to store for a snippet if it is valid.

    Raises:
        SnippetError: the snippet is not valid; the message has the reason.
    """
    if content is None or content == "":
        raise SnippetError("The snippet is missing: give its text as 'snippet'. Nothing was saved.")
    if not isinstance(content, str):
        raise SnippetError("A snippet must be a string. Nothing was saved.")
    try:
        data = content.encode()
    except UnicodeEncodeError as error:
        raise SnippetError(
            "The snippet is not valid Unicode: it contains an unpaired surrogate. Nothing was saved."
        ) from error
    if len(data) > MAX_BYTES:
        raise SnippetError(
            f"The snippet has {len(data):,} bytes of UTF-8; the limit is {MAX_BYTES:,}. Nothing was saved."
        )
    return data


@cache
def snippet_store() -> SnippetStore:
    """The store that the app settings configure; created at the first call, then cached.

    Raises:
        ValueError: a setting is missing; the message names it.
    """
    return SnippetStore(_container(os.environ))


def _container(settings: Mapping[str, str]) -> ContainerClient:
    """The client of the container, from the settings of an identity-based connection or a connection string.

    In Azure `SNIPPETS_STORAGE__blobServiceUri` and `SNIPPETS_STORAGE__clientId` (of a user-assigned
    identity; without it the system-assigned one), locally the connection string `SNIPPETS_STORAGE`;
    `SNIPPETS_CONTAINER` names the container (`snippets` if unset).
    """
    container = settings.get("SNIPPETS_CONTAINER") or "snippets"
    # A tool call should fail within seconds when the storage does not answer.
    timeouts: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 15, "retry_policy": _RETRY}
    if connection := settings.get("SNIPPETS_STORAGE"):
        return BlobServiceClient.from_connection_string(connection, **timeouts).get_container_client(
            container
        )
    if not (account := settings.get("SNIPPETS_STORAGE__blobServiceUri")):
        raise ValueError(
            "No storage for snippets: set SNIPPETS_STORAGE__blobServiceUri (and SNIPPETS_STORAGE__clientId) "
            "to use a managed identity, or SNIPPETS_STORAGE to a connection string."
        )
    from azure.identity import ManagedIdentityCredential  # noqa: PLC0415 - slow to import, and not needed locally

    credential = ManagedIdentityCredential(client_id=settings.get("SNIPPETS_STORAGE__clientId") or None)
    return BlobServiceClient(account, credential=credential, **timeouts).get_container_client(container)
