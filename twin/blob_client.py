"""Creates the declared blob containers, and deletes their blobs."""

from collections.abc import Collection

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.storage.blob.aio import BlobServiceClient

from twin.blobs import BlobAccount, BlobError


async def create_containers(account: BlobAccount, names: Collection[str]) -> None:
    """Creates containers in a running account; existing containers are not changed.

    Raises:
        BlobError: a container cannot be created.
    """
    async with BlobServiceClient.from_connection_string(account.connection_string) as client:
        for name in names:
            try:
                await client.create_container(name)
            except ResourceExistsError:
                continue
            except AzureError as error:
                raise BlobError(f"The blob container {name} cannot be created: {error}") from error


async def delete_blobs(account: BlobAccount, names: Collection[str]) -> None:
    """Deletes all blobs in containers of a running account, but not the containers."""
    async with BlobServiceClient.from_connection_string(account.connection_string) as client:
        for name in names:
            container = client.get_container_client(name)
            async for blob in container.list_blobs():
                await container.delete_blob(blob.name, delete_snapshots="include")
