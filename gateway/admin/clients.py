"""Registered and blocked clients."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from azure.core import MatchConditions
from azure.cosmos import ContainerProxy, DatabaseProxy, exceptions

from gateway.admin.grants import document_id, without_prefix
from gateway.admin.problem import AdminError

_CONFLICTS = (exceptions.CosmosResourceExistsError, exceptions.CosmosAccessConditionFailedError)
_ATTEMPTS = 10
_FOREVER = -1
_DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A registered or a blocked client.

    Attributes:
        document: id of its document.
        name: the name that the client chose.
        redirect_uris: its redirect URIs.
        registration: how it was registered, such as `dynamic`; empty for a client that was blocked before
            it was registered.
        blocked: when it was blocked, in POSIX seconds; None when it is not blocked.
    """

    document: str
    name: str
    redirect_uris: tuple[str, ...]
    registration: str
    blocked: int | None


class Clients:
    """The clients of a store.

    Args:
        database: the store.
    """

    def __init__(self, database: DatabaseProxy) -> None:
        self._container: ContainerProxy = database.get_container_client("clients")

    def all(self, *, blocked: bool = False) -> list[Client]:
        """The clients, sorted by name.

        Args:
            blocked: whether to return only blocked clients.
        """
        items = self._container.query_items(
            "SELECT * FROM c", enable_cross_partition_query=True, enable_scan_in_query=True
        )
        clients = [_client(document) for document in items]
        return sorted(
            (client for client in clients if client.blocked is not None or not blocked),
            key=lambda client: (client.name.lower(), client.document),
        )

    def block(self, client: str) -> Client:
        """Blocks a client, registered or not, until it is unblocked: users cannot sign in with it.

        Args:
            client: client id, or id of the client's document.

        Raises:
            AdminError: other requests changed the client's document at the same time, in every attempt.
        """
        name = document_id(client)
        for _ in range(_ATTEMPTS):
            with suppress(*_CONFLICTS):
                try:
                    document = self._container.read_item(name, name)
                except exceptions.CosmosResourceNotFoundError:
                    return _client(self._container.create_item(_blocked({"id": name})))
                return self._replace(document, _blocked(document))
        raise AdminError(
            f"The document {name} was changed by other requests {_ATTEMPTS} times. Run the command again."
        )

    def unblock(self, client: str) -> Client | None:
        """Unblocks a client; None when the client is not blocked.

        Args:
            client: client id, or id of the client's document.
        """
        name = document_id(client)
        try:
            document = self._container.read_item(name, name)
        except exceptions.CosmosResourceNotFoundError:
            return None
        if "blocked" not in document:
            return None
        if "redirectUris" not in document:
            # The client was blocked, but never registered here.
            self._container.delete_item(name, name)
            return _client(document)
        return self._replace(document, _unblocked(document))

    def _replace(self, document: Mapping[str, Any], changed: dict[str, Any]) -> Client:
        replaced = self._container.replace_item(
            document["id"], changed, etag=document["_etag"], match_condition=MatchConditions.IfNotModified
        )
        return _client(replaced)


def _blocked(document: Mapping[str, Any]) -> dict[str, Any]:
    mark = {"at": int(time.time()), "ttl": document.get("ttl", _DAY)}
    # The document must not expire, because the client would then no longer be blocked.
    return {"blocked": mark} | {**document, "ttl": _FOREVER}


def _unblocked(document: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in document.items() if name != "blocked"}
    return kept | {"ttl": document["blocked"]["ttl"]}


def _client(document: Mapping[str, Any]) -> Client:
    blocked = document.get("blocked")
    return Client(
        document=document["id"],
        name=without_prefix(document.get("name")),
        redirect_uris=tuple(document.get("redirectUris") or ()),
        registration=str(document.get("registration", "")),
        blocked=int(blocked["at"]) if blocked else None,
    )
