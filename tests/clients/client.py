"""The clients that the tests run: a folder each, with a manifest, a program and a lock for each version."""

import platform
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FOLDER = Path(__file__).resolve().parent
ENVIRONMENTS = FOLDER.parents[1] / ".clients"

Transport = Literal["http", "sse", "discovery"]


@dataclass(frozen=True)
class Client:
    """One version of a client.

    Attributes:
        folder: name of the folder with the manifest `client.toml` and the program.
        version: name of the folder in it that has the lock.
        exact: the exact version that the lock pins.
        name: its name in the table of docs/clients.md.
        toolchain: one of `toolchains.TOOLCHAINS`.
        transports: the transports of the client; `discovery` for a client that only reads the metadata.
        sign_in: `own`: the client registers and opens a page; `bearer`: its host passes it a token; `none`.
        refresh: when the client refreshes, if not at each expiry.
        stays: whether it stays connected when its access token has expired; if not, `refresh` has the reason.
        build: additional command-line arguments of the program's build.
        fast: whether it also runs in `make test`.
        machine: the only platform with a package, such as `Linux x86_64`; None for all platforms.
    """

    folder: str
    version: str
    exact: str
    name: str
    toolchain: str
    transports: tuple[Transport, ...]
    sign_in: Literal["own", "bearer", "none"] = "own"
    refresh: str | None = None
    stays: bool = True
    build: tuple[str, ...] = ()
    fast: bool = False
    machine: str | None = None

    @property
    def id(self) -> str:
        return f"{self.folder}-{self.version}"

    @property
    def runs_here(self) -> bool:
        """Whether there is a package for this platform."""
        return self.machine in {None, f"{platform.system()} {platform.machine()}"}

    @property
    def sources(self) -> Path:
        """The folder with the program, which all versions share."""
        return FOLDER / self.folder

    @property
    def lock(self) -> Path:
        """The folder with the lock."""
        return self.sources / self.version

    @property
    def environment(self) -> Path:
        """The folder in which it is installed, outside the project's own environment."""
        return ENVIRONMENTS / self.id


def clients() -> tuple[Client, ...]:
    """Every version of every client, in the order of their folders."""
    return tuple(_clients())


def _clients() -> Iterator[Client]:
    for manifest in sorted(FOLDER.glob("*/client.toml")):
        data = tomllib.loads(manifest.read_text(encoding="utf-8"))
        for version, own in data.pop("versions").items():
            values = data | own
            values |= {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
            yield Client(folder=manifest.parent.name, version=version, **values)
