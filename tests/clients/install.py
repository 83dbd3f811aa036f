"""Installs clients from their locks, one by one: `python -m tests.clients.install [--fast] [name...]`.

With `--lock` it writes the lock files instead.
"""

import argparse
import hashlib
import shutil
import sys
import time
from pathlib import Path

from tests.clients.client import FOLDER, Client, clients
from tests.clients.toolchains import TOOLCHAINS, InstallError

_STAMP = ".installed-from"
_COMPILED = {"go", "rust"}
"""Toolchains whose installation includes the program."""


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file() and file.name != "client.toml")


def _fingerprint(client: Client) -> str:
    """A hash of the files that an installation depends on."""
    files = _files(client.lock) + (_files(client.sources) if client.toolchain in _COMPILED else [])
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def is_installed(client: Client) -> bool:
    """Whether the locked packages are installed, with the current program."""
    stamp = client.environment / _STAMP
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != _fingerprint(client):
        return False
    return all(
        (copy := client.environment / file.name).is_file() and copy.read_bytes() == file.read_bytes()
        for file in _files(client.sources)
    )


def install(client: Client) -> bool:
    """Installs a client, unless it is installed.

    Returns:
        Whether something was installed.

    Raises:
        InstallError: a command failed.
    """
    client.environment.mkdir(parents=True, exist_ok=True)
    for file in _files(client.sources) + _files(client.lock):
        shutil.copy(file, client.environment)
    if is_installed(client):
        return False
    (client.environment / _STAMP).unlink(missing_ok=True)
    TOOLCHAINS[client.toolchain].install(client)
    (client.environment / _STAMP).write_text(_fingerprint(client), encoding="utf-8")
    return True


def require_files(client: Client) -> None:
    """Checks that the requirements of a version exist.

    Raises:
        InstallError: they do not; the message has the file to write.
    """
    required = client.lock / TOOLCHAINS[client.toolchain].requirements
    if not required.is_file():
        raise InstallError(f"write {required.relative_to(FOLDER.parents[1])}, which requires {client.exact}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fast", action="store_true", help="only the clients that `make test` runs")
    parser.add_argument("--lock", action="store_true", help="pin the packages again")
    parser.add_argument("names", nargs="*", help="folders, or folder-version")
    options = parser.parse_args()
    status = 0
    for client in clients():
        chosen = not options.names or {client.folder, client.id} & set(options.names)
        if not chosen or (options.fast and not client.fast):
            continue
        if not client.runs_here and not options.lock:
            continue
        toolchain = TOOLCHAINS[client.toolchain]
        if (missing := toolchain.missing()) is not None:
            print(f"{client.id}: not installed: {missing}", file=sys.stderr)
            continue
        started = time.monotonic()
        try:
            require_files(client)
            if options.lock:
                toolchain.lock(client)
            elif install(client):
                print(f"{client.id}: installed in {time.monotonic() - started:.0f} s", flush=True)
        except InstallError as error:
            print(f"{client.id}: {error}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
