"""Remembered consents."""

from collections.abc import Collection

from azure.cosmos import ContainerProxy, DatabaseProxy, exceptions

from gateway.admin.grants import Grant, Selection, document_id


class Consents:
    """The remembered consents of a store.

    Args:
        database: the store.
    """

    def __init__(self, database: DatabaseProxy) -> None:
        self._container: ContainerProxy = database.get_container_client("consents")

    def forget(self, selection: Selection, revoked: Collection[Grant]) -> int:
        """Deletes the consents of revoked grants, so that the consent page is shown again.

        A consent contains only its user's object id; the revoked grants map a user's name to object ids.

        Args:
            selection: the selected grants.
            revoked: the grants that were revoked.

        Returns:
            The number of deleted consents.
        """
        pairs = {(grant.object_id, grant.client_document) for grant in revoked}
        client = None if selection.client is None else document_id(selection.client)
        deleted = 0
        # The container has no index, because the gateway reads documents by id only: this query is a scan.
        for document in self._container.query_items(
            "SELECT * FROM c", enable_cross_partition_query=True, enable_scan_in_query=True
        ):
            user = str(document.get("sub", ""))
            client_of_consent = str(document.get("clientDocumentId", ""))
            chosen = (
                selection.grant is None
                and client in (None, client_of_consent)
                and (selection.user is None or selection.user.lower() == user.lower())
            )
            if chosen or (user, client_of_consent) in pairs:
                deleted += self._delete(document["id"])
        return deleted

    def _delete(self, name: str) -> int:
        try:
            self._container.delete_item(name, name)
        except exceptions.CosmosResourceNotFoundError:
            return 0
        return 1
