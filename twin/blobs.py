"""Blob storage: Azurite, and what a declared storage account becomes in it.

Azurite takes tokens only over https and from another issuer, so in the twin programs open their account with
a connection string where in Azure they use a managed identity.
"""

import base64
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from twin.node import node, script
from twin.process import ChildProcess, base_environment, listening


class BlobError(Exception):
    """The declared containers cannot be created; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobAccount:
    """A storage account in Azurite.

    Attributes:
        name: of the declared account.
        key: its key, base64; a secret.
        port: where Azurite serves on 127.0.0.1.
    """

    name: str
    key: str
    port: int

    def __repr__(self) -> str:
        """Without the key."""
        return f"BlobAccount({self.name!r}, port={self.port})"

    @property
    def endpoint(self) -> str:
        """The local URL of the account's blob service."""
        return f"http://127.0.0.1:{self.port}/{self.name}"

    @property
    def connection_string(self) -> str:
        """What clients open the account with; a secret."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.name};AccountKey={self.key};"
            f"BlobEndpoint={self.endpoint};"
        )


def account_key(folder: Path, name: str) -> str:
    """The key of an account, made at the first call and kept in a folder as a file that only its owner reads.

    Args:
        folder: where the twin keeps its state.
        name: of the account.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{name}.key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(base64.b64encode(secrets.token_bytes(64)).decode(), encoding="ascii")
    return path.read_text(encoding="ascii")


def azurite(accounts: Collection[BlobAccount], *, folder: Path | None) -> ChildProcess:
    """The process that serves accounts, all of which name the same port.

    Args:
        accounts: at least one.
        folder: where blobs live from run to run; None keeps them in memory.

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
            # The client libraries are newer than Azurite and name API versions that it has not heard of.
            "--skipApiVersionCheck",
            "--disableTelemetry",
            "--silent",
        ),
        env=base_environment()
        | {"AZURITE_ACCOUNTS": ";".join(f"{account.name}:{account.key}" for account in accounts)},
        cwd=folder or Path.cwd(),
        ready=partial(listening, port),
    )


def local_settings(settings: Mapping[str, str], accounts: Mapping[str, BlobAccount]) -> dict[str, str]:
    """An app's settings with its identity-based connections to storage turned into connection strings.

    `X__blobServiceUri` (with `X__clientId`, `X__credential` and the like) becomes `X`.

    Args:
        settings: as declared for the app.
        accounts: by the host name of their blob service in Azure (`name.blob.core.windows.net`).

    Raises:
        ValueError: a setting names an account that the stack does not declare.
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
