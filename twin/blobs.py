"""Blob storage: Azurite with the declared storage accounts.

Azurite accepts tokens only over HTTPS and not from the twin's issuer. In the twin, apps therefore use a
connection string instead of a managed identity.
"""

import base64
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from twin.node import COMPILE_CACHE, node, script
from twin.ports import LOOPBACK, Address
from twin.process import ChildProcess, base_environment, is_listening


class BlobError(Exception):
    """The declared blob containers cannot be created; the message has the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobAccount:
    """A storage account in Azurite.

    Attributes:
        name: name of the declared account.
        key: key of the account, base64; a secret.
        port: Azurite's port on 127.0.0.1.
    """

    name: str
    key: str
    port: int

    def __repr__(self) -> str:
        """The account without its key."""
        return f"BlobAccount({self.name!r}, port={self.port})"

    @property
    def endpoint(self) -> str:
        """The local URL of the account's blob service."""
        return f"http://127.0.0.1:{self.port}/{self.name}"

    @property
    def connection_string(self) -> str:
        """The connection string for clients; a secret."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.name};AccountKey={self.key};"
            f"BlobEndpoint={self.endpoint};"
        )


def account_key(folder: Path, name: str) -> str:
    """The key of an account, created at the first call and stored in a file that only its owner can read.

    Args:
        folder: the folder for the file.
        name: name of the account.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{name}.key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(base64.b64encode(secrets.token_bytes(64)).decode(), encoding="ascii")
    return path.read_text(encoding="ascii")


def azurite(accounts: Collection[BlobAccount], *, folder: Path | None) -> ChildProcess:
    """Creates the Azurite process for storage accounts, all of which must have the same port.

    Args:
        accounts: at least one account.
        folder: the folder in which blobs are stored; None to keep them in memory.

    Raises:
        NodeError: Azurite is not installed.
    """
    (port,) = {account.port for account in accounts}
    if folder is not None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    storage = ("--inMemoryPersistence",) if folder is None else ("--location", str(folder))
    return ChildProcess(
        name="blobs",
        argv=(
            str(node()),
            str(script("azurite", "dist/src/blob/main.js")),
            "--blobHost=127.0.0.1",
            f"--blobPort={port}",
            *storage,
            # The client libraries are newer than Azurite and send API versions that it does not support.
            "--skipApiVersionCheck",
            "--disableTelemetry",
            "--silent",
        ),
        env=base_environment()
        | COMPILE_CACHE
        | {"AZURITE_ACCOUNTS": ";".join(f"{account.name}:{account.key}" for account in accounts)},
        cwd=folder or Path.cwd(),
        ready=partial(is_listening, Address(LOOPBACK, port)),
    )


def local_settings(settings: Mapping[str, str], accounts: Mapping[str, BlobAccount]) -> dict[str, str]:
    """Replaces identity-based connections to storage in an app's settings by connection strings.

    `X__blobServiceUri` (and `X__clientId`, `X__credential` and so on) is replaced by `X`.

    Args:
        settings: the declared settings of the app.
        accounts: accounts, by the host name of their blob service in Azure (`name.blob.core.windows.net`).

    Raises:
        ValueError: a setting refers to an account that the stack does not declare.
    """
    suffix = "__blobServiceUri"
    local: dict[str, str] = {}
    connections = {name.removesuffix(suffix): uri for name, uri in settings.items() if name.endswith(suffix)}
    for name, uri in connections.items():
        host = uri.removeprefix("https://").partition("/")[0]
        if host not in accounts:
            raise ValueError(
                f"app setting {name}{suffix} names {host}, which is not a storage account of this stack"
            )
        local[name] = accounts[host].connection_string
    others = {name: value for name, value in settings.items() if name.partition("__")[0] not in connections}
    return others | local
