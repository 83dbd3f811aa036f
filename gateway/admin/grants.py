"""Lists and revokes grants."""

import base64
import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from azure.core import MatchConditions
from azure.cosmos import ContainerProxy, DatabaseProxy, exceptions

from gateway.admin.problem import AdminError

_ATTEMPTS = 10
_REMOVED_WHEN_REVOKED = ("entraToken", "refreshSecret")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The result of one sign-in for one client, without its secrets.

    Attributes:
        id: its id, which access tokens contain.
        status: `issued` until the code is redeemed, then `redeemed`, or `revoked`.
        user: the user's sign-in name in Entra.
        object_id: the user's object id in Entra.
        client: the name that the client chose.
        client_document: id of the client's document.
        resource: the MCP server, or the gateway.
        scope: scopes, separated by spaces.
        issued: when the user signed in, in POSIX seconds.
        expires: when it expires, in POSIX seconds.
        refreshes: the number of refreshes so far.
    """

    id: str
    status: str
    user: str
    object_id: str
    client: str
    client_document: str
    resource: str
    scope: str
    issued: int
    expires: int
    refreshes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The conditions of a search for grants.

    Attributes:
        user: object id, or sign-in name in Entra; None for every user.
        client: client id, or id of the client's document; None for every client.
        grant: id of the grant; None for every grant.
    """

    user: str | None = None
    client: str | None = None
    grant: str | None = None

    def matches(self, grant: Grant) -> bool:
        """Whether a grant meets every condition."""
        users = (grant.object_id.lower(), grant.user.lower())
        return (
            (self.user is None or self.user.lower() in users)
            and (self.client is None or document_id(self.client) == grant.client_document)
            and (self.grant is None or self.grant == grant.id)
        )


class Grants:
    """The grants of a store.

    Args:
        database: the store.
    """

    def __init__(self, database: DatabaseProxy) -> None:
        self._container: ContainerProxy = database.get_container_client("grants")

    def select(self, selection: Selection, *, revoked: bool = False) -> list[Grant]:
        """The selected grants, the newest first.

        Args:
            selection: the conditions.
            revoked: whether to include revoked grants.
        """
        # The container has no index, because the gateway reads documents by id only: this query is a scan.
        items = self._container.query_items(
            "SELECT * FROM c", enable_cross_partition_query=True, enable_scan_in_query=True
        )
        grants = [_grant(document) for document in items]
        chosen = [
            grant for grant in grants if selection.matches(grant) and (revoked or grant.status != "revoked")
        ]
        return sorted(chosen, key=lambda grant: grant.issued, reverse=True)

    def revoke(self, selection: Selection) -> Iterator[Grant]:
        """Revokes the selected grants, and yields each grant that was not yet revoked.

        Its tokens are rejected after at most 30 seconds, the time for which the gateway caches its status.

        Raises:
            AdminError: other requests changed a grant at the same time, in every attempt.
        """
        for grant in self.select(selection):
            if self._revoke(grant.id):
                yield grant

    def _revoke(self, name: str) -> bool:
        """Revokes a grant; false when it no longer exists or was already revoked."""
        for _ in range(_ATTEMPTS):
            try:
                document = self._container.read_item(name, name)
                if document["status"] == "revoked":
                    return False
                self._container.replace_item(
                    name,
                    _revoked(document),
                    etag=document["_etag"],
                    match_condition=MatchConditions.IfNotModified,
                )
            except exceptions.CosmosResourceNotFoundError:
                return False
            except exceptions.CosmosAccessConditionFailedError:
                # The client refreshed its tokens in the meantime.
                continue
            return True
        raise AdminError(
            f"The grant {name} was changed by other requests {_ATTEMPTS} times. Run the command again."
        )


def document_id(client: str) -> str:
    """The id of a client's document: SHA-256 of the client id. A document id is returned as is."""
    if len(client) == 43 and "/" not in client:  # noqa: PLR2004 -- length of such a hash; client ids have 22
        return client
    digest = hashlib.sha256(client.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def without_prefix(text: object) -> str:
    """A string that a client or a user chose, without the "=" with which it is stored."""
    return str(text or "").removeprefix("=")


def _grant(document: Mapping[str, Any]) -> Grant:
    return Grant(
        id=document["id"],
        status=str(document.get("status", "")),
        user=without_prefix(document.get("userName")),
        object_id=str(document.get("sub", "")),
        client=without_prefix(document.get("clientName")),
        client_document=str(document.get("clientDocumentId", "")),
        resource=str(document.get("resource", "")),
        scope=str(document.get("scope", "")),
        issued=int(document.get("issued", 0)),
        expires=int(document.get("expires", 0)),
        refreshes=max(0, int(document.get("counter", 1)) - 1),
    )


def _revoked(document: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in document.items() if name not in _REMOVED_WHEN_REVOKED}
    left = int(document.get("expires", 0)) - int(time.time())
    return kept | {"status": "revoked", "ttl": max(1, left)}
