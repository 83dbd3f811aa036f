"""A storage account for tests: the real Azurite."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.children import free_port, running
from twin.blobs import BlobAccount, account_key, azurite
from twin.node import NodeError
from twin.process import ChildProcess


@contextmanager
def storage_account(keys: Path, *, folder: Path | None = None) -> Generator[BlobAccount]:
    """An account in a new Azurite, in memory unless a folder is given."""
    account = BlobAccount(name="stsnippets", key=account_key(keys, "stsnippets"), port=free_port())
    with running(azurite_process(account, folder=folder)):
        yield account


def azurite_process(account: BlobAccount, *, folder: Path | None = None) -> ChildProcess:
    """Azurite for one account. If Azurite is not installed, the test is skipped, or fails in CI."""
    try:
        return azurite([account], folder=folder)
    except NodeError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
