"""The function app as the Python worker imports it, on a real storage emulator."""

import importlib
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from tests.storage import storage_account
from twin.blobs import BlobAccount

FOLDER = Path(__file__).parent.parent.parent / "functions_app"


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Generator[BlobAccount]:
    with storage_account(tmp_path_factory.mktemp("keys")) as account:
        yield account


@pytest.fixture
def container(account: BlobAccount, request: pytest.FixtureRequest) -> Generator[ContainerClient]:
    """An empty container."""
    with BlobServiceClient.from_connection_string(account.connection_string) as service:
        name = f"test-{abs(hash(request.node.nodeid))}"
        with service.create_container(name) as container:
            yield container
            container.delete_container()


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Imports a module of the function app again: a `FunctionApp` can be indexed only once."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def load(name: str) -> Any:
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load
