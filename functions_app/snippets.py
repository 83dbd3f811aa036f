"""Named text snippets in blob storage, one blob each.

A user's own snippets are below `users/<hash of the user's subject>/`. Those that all users share are at the
root of the container, where earlier versions kept every snippet: what was saved with them is shared.
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

A snippet goes back to the client as one event, in which quotes and line ends take two bytes each, and
clients refuse events above 1 MiB (the default of the official Python SDK).
"""

# No slash, no backslash, no control character; no dot at either end, so neither `..` nor a blob name
# that Azure discourages can be spelt.
_NAME = re.compile(rf"[A-Za-z0-9_-](?:[A-Za-z0-9_. -]{{0,{MAX_NAME - 2}}}[A-Za-z0-9_-])?")
_NAME_RULE = (
    f"A name has 1 to {MAX_NAME} letters (a-z, A-Z), digits, '-', '_', and inside it also '.' and spaces."
)

# Twice more, after one second and after two; the SDK's default waits a quarter of a minute and longer.
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
        """Stores a snippet under a name, whole or not at all.

        Args:
            name: what the client sent as the name.
            content: what the client sent as the text; stored as UTF-8, unchanged.
            owner: whose it is, a hash; None for one that all users share.

        Returns:
            Whether there was a snippet of this name, which the new one now replaces.

        Raises:
            SnippetError: name or content is not acceptable, or the storage does not answer.
        """
        blob = self.container.get_blob_client(_blob_name(check_name(name), owner))
        data = check_content(content)
        text = ContentSettings(content_type="text/plain; charset=utf-8")
        try:
            # One Put Blob request each: a blob never holds half a snippet.
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
            raise SnippetError(f"What is stored as '{name}' is not text in UTF-8.") from error

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
    """No name of a snippet has a slash, so a shared one is never within a user's folder."""
    return name if owner is None else f"users/{owner}/{name}"


def _not_found(name: str, owner: str | None, error: ResourceNotFoundError) -> SnippetError:
    """What a client is told when there is no such blob, or no container."""
    if getattr(error, "error_code", None) == StorageErrorCode.CONTAINER_NOT_FOUND:
        return SnippetError(_UNAVAILABLE)
    if owner is None:
        return SnippetError(f"There is no snippet named '{name}' among the shared ones.")
    return SnippetError(
        f"There is no snippet named '{name}' among your own. Save it first with save_snippet; set 'shared' "
        "for one that all users share."
    )


def check_name(name: object) -> str:
    """The name itself, if it may be one.

    Raises:
        SnippetError: says what is wrong with it.
    """
    if name is None or name == "":
        raise SnippetError(f"The name of the snippet is missing: give it as 'snippetname'. {_NAME_RULE}")
    if not isinstance(name, str):
        raise SnippetError(f"The name of a snippet is a text. {_NAME_RULE}")
    if len(name) > MAX_NAME:
        raise SnippetError(f"The name of the snippet has {len(name)} characters. {_NAME_RULE}")
    if _NAME.fullmatch(name) is None:
        raise SnippetError(f"{name!a} cannot be the name of a snippet. {_NAME_RULE}")
    return name


def check_content(content: object) -> bytes:
    """The bytes to store for a snippet, if it may be one.

    Raises:
        SnippetError: says what is wrong with it.
    """
    if content is None or content == "":
        raise SnippetError("The snippet is missing: give its text as 'snippet'. Nothing was saved.")
    if not isinstance(content, str):
        raise SnippetError("A snippet is a text. Nothing was saved.")
    try:
        data = content.encode()
    except UnicodeEncodeError as error:
        raise SnippetError(
            "The snippet is not valid Unicode: it holds half a character. Nothing was saved."
        ) from error
    if len(data) > MAX_BYTES:
        raise SnippetError(
            f"The snippet has {len(data):,} bytes of UTF-8; the limit is {MAX_BYTES:,}. Nothing was saved."
        )
    return data


@cache
def snippet_store() -> SnippetStore:
    """The store that the app settings name; made at the first call, then kept.

    Raises:
        ValueError: a setting is missing; the message says which.
    """
    return SnippetStore(_container(os.environ))


def _container(settings: Mapping[str, str]) -> ContainerClient:
    """The client of the container, from the settings of an identity-based connection or a connection string.

    In Azure `SNIPPETS_STORAGE__blobServiceUri` and `SNIPPETS_STORAGE__clientId` (of a user-assigned
    identity; without it the system-assigned one), locally the connection string `SNIPPETS_STORAGE`;
    `SNIPPETS_CONTAINER` names the container (`snippets` if unset).
    """
    container = settings.get("SNIPPETS_CONTAINER") or "snippets"
    # A tool call should fail within seconds when the storage is away.
    patience: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 15, "retry_policy": _RETRY}
    if connection := settings.get("SNIPPETS_STORAGE"):
        return BlobServiceClient.from_connection_string(connection, **patience).get_container_client(
            container
        )
    if not (account := settings.get("SNIPPETS_STORAGE__blobServiceUri")):
        raise ValueError(
            "No storage for snippets: set SNIPPETS_STORAGE__blobServiceUri (and SNIPPETS_STORAGE__clientId) "
            "to use a managed identity, or SNIPPETS_STORAGE to a connection string."
        )
    from azure.identity import ManagedIdentityCredential  # noqa: PLC0415 - slow to import, and not needed locally

    credential = ManagedIdentityCredential(client_id=settings.get("SNIPPETS_STORAGE__clientId") or None)
    return BlobServiceClient(account, credential=credential, **patience).get_container_client(container)
