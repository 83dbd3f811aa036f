"""Blob storage of the twin, through the official client."""

import stat

import anyio
import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient

from tests.children import running
from tests.storage import azurite_process, storage_account
from twin.blob_client import create_containers
from twin.blobs import BlobAccount, account_key, azurite, local_settings


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with storage_account(tmp_path_factory.mktemp("keys")) as account:
        yield account


@pytest.fixture
def service(account):
    with BlobServiceClient.from_connection_string(account.connection_string, retry_total=0) as service:
        yield service


def test_declared_containers_are_created_unless_they_exist(account, service):
    anyio.run(create_containers, account, ["one", "two"])
    service.get_blob_client("one", "kept").upload_blob(b"x")
    anyio.run(create_containers, account, ["two", "one", "three"])
    assert {"one", "two", "three"} <= {container.name for container in service.list_containers()}
    assert service.get_blob_client("one", "kept").download_blob().readall() == b"x"


def test_blobs_keep_their_content_and_support_conditions(account, service):
    anyio.run(create_containers, account, ["bytes"])
    blob = service.get_blob_client("bytes", "a b.txt")
    blob.upload_blob(bytes(range(256)), overwrite=False)
    with pytest.raises(ResourceExistsError):
        blob.upload_blob(b"other", overwrite=False)
    assert blob.download_blob().readall() == bytes(range(256))
    with pytest.raises(ResourceNotFoundError):
        service.get_blob_client("bytes", "absent").download_blob()


def test_only_the_key_of_an_account_is_accepted(account, tmp_path):
    other = BlobAccount(name=account.name, key=account_key(tmp_path, account.name), port=account.port)
    with (
        BlobServiceClient.from_connection_string(other.connection_string, retry_total=0) as service,
        pytest.raises(HttpResponseError, match="AuthorizationFailure"),
    ):
        service.create_container("stolen")


def test_blobs_survive_a_restart_in_a_folder(tmp_path):
    folder = tmp_path / "blobs"
    with storage_account(tmp_path, folder=folder) as account:
        anyio.run(create_containers, account, ["kept"])
        with BlobServiceClient.from_connection_string(account.connection_string) as service:
            service.get_blob_client("kept", "note").upload_blob("écrit".encode())
    with (
        running(azurite_process(account, folder=folder)),
        BlobServiceClient.from_connection_string(account.connection_string) as service,
    ):
        assert service.get_blob_client("kept", "note").download_blob().readall() == "écrit".encode()


def test_a_key_is_created_once_and_only_its_owner_can_read_it(tmp_path):
    folder = tmp_path / "state"
    key = account_key(folder, "stone")
    assert account_key(folder, "stone") == key
    assert account_key(folder, "sttwo") != key
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_the_command_line_and_the_repr_do_not_contain_the_key(tmp_path):
    account = BlobAccount(name="stone", key=account_key(tmp_path, "stone"), port=10000)
    assert account.key not in repr(account)
    child = azurite_process(account, folder=tmp_path / "blobs")
    assert not any(account.key in argument for argument in child.argv)
    assert "--disableTelemetry" in child.argv


def test_accounts_share_one_process(tmp_path):
    accounts = [
        BlobAccount(name=name, key=account_key(tmp_path, name), port=10000) for name in ("stone", "sttwo")
    ]
    azurite_process(accounts[0])
    served = azurite(accounts, folder=None).env["AZURITE_ACCOUNTS"]
    assert [entry.partition(":")[0] for entry in served.split(";")] == ["stone", "sttwo"]


def test_connections_by_identity_become_connection_strings(tmp_path):
    account = BlobAccount(name="stone", key=account_key(tmp_path, "stone"), port=10000)
    settings = {
        "SNIPPETS_STORAGE__blobServiceUri": "https://stone.blob.core.windows.net/",
        "SNIPPETS_STORAGE__clientId": "an id",
        "SNIPPETS_STORAGE__credential": "managedidentity",
        "SNIPPETS_CONTAINER": "snippets",
        "OTHER__clientId": "kept",
    }
    assert local_settings(settings, {"stone.blob.core.windows.net": account}) == {
        "SNIPPETS_STORAGE": account.connection_string,
        "SNIPPETS_CONTAINER": "snippets",
        "OTHER__clientId": "kept",
    }


def test_a_connection_to_an_undeclared_account_is_refused():
    settings = {"SNIPPETS_STORAGE__blobServiceUri": "https://elsewhere.blob.core.windows.net"}
    with pytest.raises(ValueError, match=r"SNIPPETS_STORAGE__blobServiceUri names elsewhere\.blob"):
        local_settings(settings, {})
