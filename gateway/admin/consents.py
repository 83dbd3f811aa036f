"""Consents that the gateway remembers, and how they are forgotten."""

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
        """Deletes the consents behind what was revoked, so that the consent page is shown again.

        A consent names its user by object id only. A user's name is resolved by the grants that were revoked.

        Args:
            selection: what was to be revoked.
            revoked: the grants that were.

        Returns:
            how many consents were deleted.
        """
        pairs = {(each.object_id, each.client_document) for each in revoked}
        client = None if selection.client is None else document_id(selection.client)
        deleted = 0
        # Consents are found by id only and have no index: the store looks at each of them.
        for document in self._container.query_items(
            "SELECT * FROM c", enable_cross_partition_query=True, enable_scan_in_query=True
        ):
            user = str(document.get("sub", ""))
            of = str(document.get("clientDocumentId", ""))
            chosen = (
                selection.grant is None
                and client in (None, of)
                and (selection.user is None or selection.user.lower() == user.lower())
            )
            if chosen or (user, of) in pairs:
                deleted += self._delete(document["id"])
        return deleted

    def _delete(self, name: str) -> int:
        try:
            self._container.delete_item(name, name)
        except exceptions.CosmosResourceNotFoundError:
            return 0
        return 1
