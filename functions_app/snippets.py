"""Stores named text snippets in blob storage, each in one blob.

The snippets of a user are below `users/<hash of the user's subject>/`. Shared snippets are at the root of the
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
"""The maximum length of the name of a snippet, in characters."""
MAX_BYTES = 500 * 1024
"""The maximum size of a snippet, in bytes of UTF-8 (500 KiB).

A snippet is sent to the client as one event, in which each quotation mark and line end takes two bytes, and
clients reject events above 1 MiB (the default of the official Python SDK).
"""

# Names have no slashes, backslashes and control characters, and no dot at the beginning or end, because Azure
# advises against such blob names and `..` must be impossible.
_NAME = re.compile(rf"[A-Za-z0-9_-](?:[A-Za-z0-9_. -]{{0,{MAX_NAME - 2}}}[A-Za-z0-9_-])?")
_NAME_RULE = (
    f"A name has 1 to {MAX_NAME} letters (a-z, A-Z), digits, '-', '_', and inside it also '.' and spaces."
)

# Two retries, after one and two seconds. With the defaults of the SDK, a call would wait 15 seconds or
# longer.
_RETRY = ExponentialRetry(initial_backoff=1, increment_base=1, retry_total=2, random_jitter_range=0)
_UNAVAILABLE = "The storage of snippets is not available at the moment. Try again."


class SnippetError(Exception):
    """A request cannot be served; the message is sent to the client."""


@dataclass(frozen=True, slots=True)
class SnippetStore:
    """The snippets in one blob container.

    Args:
        container: a client for an existing container.
    """

    container: ContainerClient

    def save(self, name: object, content: object, owner: str | None) -> bool:
        """Stores a snippet under a name. If it fails, nothing is stored.

        Args:
            name: the name that the client sent.
            content: the text that the client sent; it is stored as UTF-8.
            owner: the hash of the owner; None for a shared snippet.

        Returns:
            Whether a snippet with this name was replaced.

        Raises:
            SnippetError: name or content is not valid, or the storage is not available.
        """
        blob = self.container.get_blob_client(_blob_name(check_name(name), owner))
        data = check_content(content)
        text = ContentSettings(content_type="text/plain; charset=utf-8")
        try:
            # Each upload is one Put Blob request, so a blob never contains an incomplete snippet.
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
            SnippetError: the name is not valid, there is no such snippet, or the storage is not available.
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
            SnippetError: the name is not valid, there is no such snippet, or the storage is not available.
        """
        name = check_name(name)
        try:
            self.container.delete_blob(_blob_name(name, owner))
        except ResourceNotFoundError as error:
            raise _not_found(name, owner, error) from error
        except AzureError as error:
            raise SnippetError(_UNAVAILABLE) from error


def _blob_name(name: str, owner: str | None) -> str:
    """The blob's name. Snippet names contain no slash, so a shared snippet is never in a user's folder."""
    return name if owner is None else f"users/{owner}/{name}"


def _not_found(name: str, owner: str | None, error: ResourceNotFoundError) -> SnippetError:
    """The error for a blob or a container that does not exist."""
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
    """The store in the app settings; it is created at the first call and then cached.

    Raises:
        ValueError: a setting is missing; the message names it.
    """
    return SnippetStore(_container(os.environ))


def _container(settings: Mapping[str, str]) -> ContainerClient:
    """The client of the container, from the settings of an identity-based connection or a connection string.

    In Azure, `SNIPPETS_STORAGE__blobServiceUri` is the account, and `SNIPPETS_STORAGE__clientId` a
    user-assigned identity (by default, the system-assigned identity is used). Locally, `SNIPPETS_STORAGE` is
    a connection string. `SNIPPETS_CONTAINER` is the name of the container, by default `snippets`.
    """
    container = settings.get("SNIPPETS_CONTAINER") or "snippets"
    # A tool call should fail within seconds if the storage does not respond.
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
