"""Installs the programs of each language from their lock files, outside the project's own environment.

A lock file pins every package with a hash and names no registry. The program in `Client.sources` is copied to
the folder in which the packages are installed.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tests.clients.client import ENVIRONMENTS, Client
from twin import node


class InstallError(Exception):
    """A client cannot be installed; the message has the output of the command that failed."""


class Toolchain(Protocol):
    """One language.

    Attributes:
        requirements: the file with the required packages, in the folder of a version.
    """

    requirements: str

    def missing(self) -> str | None:
        """What is missing on this machine; None if nothing is."""
        ...

    def lock(self, client: Client) -> None:
        """Writes the lock file for the versions that are required in the client's folder."""
        ...

    def install(self, client: Client) -> None:
        """Installs the locked packages into `client.environment`, which has the program and the lock."""
        ...

    def command(self, client: Client) -> Sequence[str]:
        """The command that starts the program in `client.environment`."""
        ...


class Python:
    """Packages from `requirements.txt`; the program is `program.py`."""

    requirements = "requirements.in"
    _uv = Path(sys.executable).parent / "uv"

    def missing(self) -> str | None:
        return None

    def lock(self, client: Client) -> None:
        options = ("--universal", "--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate")
        _run(
            [
                *(str(self._uv), "pip", "compile", "--quiet", *options, "--python-version", "3.11"),
                *("requirements.in", "--output-file", "requirements.txt", "--upgrade"),
            ],
            client.lock,
        )

    def install(self, client: Client) -> None:
        environment = client.environment / ".venv"
        _run(
            [str(self._uv), "venv", "--quiet", "--clear", "--python", sys.executable, str(environment)],
            client.environment,
        )
        _run(
            [
                *(str(self._uv), "pip", "sync", "--quiet", "--require-hashes"),
                *("--python", str(environment), "requirements.txt"),
            ],
            client.environment,
        )

    def command(self, client: Client) -> Sequence[str]:
        return (str(client.environment / ".venv" / "bin" / "python"), str(client.environment / "program.py"))


class Node:
    """Packages from `package-lock.json`, with the Node.js of the project; the program is `program.mjs`."""

    requirements = "package.json"

    def missing(self) -> str | None:
        return None

    def lock(self, client: Client) -> None:
        (client.lock / "package-lock.json").unlink(missing_ok=True)
        options = (
            "--package-lock-only",
            "--ignore-scripts",
            "--omit-lockfile-registry-resolved",
            "--loglevel=error",
        )
        _run([*node.npm(), "install", *options], client.lock, node.environment())

    def install(self, client: Client) -> None:
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        _run([*node.npm(), "ci", *options], client.environment, node.environment())

    def command(self, client: Client) -> Sequence[str]:
        return (str(node.node()), str(client.environment / "program.mjs"))


class Go:
    """Modules from `go.sum`; the program is `main.go`."""

    requirements = "go.mod"

    def missing(self) -> str | None:
        return None if shutil.which("go") else "needs Go: install it from https://go.dev/dl"

    def lock(self, client: Client) -> None:
        shutil.copy(client.sources / "main.go", client.lock)
        try:
            # `go mod tidy` reads files under every build tag.
            _run(["go", "mod", "tidy"], client.lock, self._environment())
        finally:
            (client.lock / "main.go").unlink()

    def install(self, client: Client) -> None:
        _run(
            ["go", "build", "-mod=readonly", *client.build, "-o", "program", "."],
            client.environment,
            self._environment(),
        )

    def command(self, client: Client) -> Sequence[str]:
        return (str(client.environment / "program"),)

    @staticmethod
    def _environment() -> Mapping[str, str]:
        return {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "CGO_ENABLED": "0"}


class Rust:
    """Crates from `Cargo.lock`; the program is `main.rs`.

    Cargo writes the address of the registry next to every crate. The committed lock file omits the address
    but keeps the checksum of each crate; the address that Cargo uses on this machine is added before a build.
    The versions of a client share compiled crates.
    """

    requirements = "Cargo.toml"
    _SOURCE = re.compile(r'^source = "registry\+.*"\n', re.MULTILINE)

    def missing(self) -> str | None:
        return None if shutil.which("cargo") else "needs Cargo: install Rust from https://rustup.rs"

    def lock(self, client: Client) -> None:
        shutil.copy(client.sources / "main.rs", client.lock)
        lock = client.lock / "Cargo.lock"
        lock.unlink(missing_ok=True)
        try:
            _run(["cargo", "generate-lockfile"], client.lock)
        finally:
            (client.lock / "main.rs").unlink()
        lock.write_text(self._SOURCE.sub("", lock.read_text(encoding="utf-8")), encoding="utf-8")

    def install(self, client: Client) -> None:
        lock = client.environment / "Cargo.lock"
        pinned = lock.read_text(encoding="utf-8")
        lock.unlink()
        _run(["cargo", "generate-lockfile", "--quiet"], client.environment)
        match = self._SOURCE.search(lock.read_text(encoding="utf-8"))
        if match is None:
            raise InstallError(f"{client.id}: Cargo.lock names no registry")
        source = match[0]
        restored = re.sub(r"^(?=checksum = )", lambda _: source, pinned, flags=re.MULTILINE)
        lock.write_text(restored, encoding="utf-8")
        target = ENVIRONMENTS / ".cargo"
        environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
        _run(["cargo", "build", "--locked", "--quiet"], client.environment, environment)
        shutil.copy(target / "debug" / "program", client.environment)

    def command(self, client: Client) -> Sequence[str]:
        return (str(client.environment / "program"),)


class Java:
    """Jars from `jars.sha256`, of the dependencies in `pom.xml`; the program is `Program.java`."""

    requirements = "pom.xml"
    _MAVEN = ("mvn", "--batch-mode", "--quiet", "dependency:copy-dependencies", "-DoutputDirectory=jars")

    def missing(self) -> str | None:
        absent = [name for name in ("java", "mvn") if shutil.which(name) is None]
        return f"needs a JDK (17 or newer) and Maven: {' and '.join(absent)} not on PATH" if absent else None

    def lock(self, client: Client) -> None:
        try:
            _run(self._MAVEN, client.lock)
            (client.lock / "jars.sha256").write_text(self._hashes(client.lock / "jars"), encoding="utf-8")
        finally:
            shutil.rmtree(client.lock / "jars", ignore_errors=True)

    def install(self, client: Client) -> None:
        jars = client.environment / "jars"
        shutil.rmtree(jars, ignore_errors=True)
        _run(self._MAVEN, client.environment)
        if self._hashes(jars) != (client.environment / "jars.sha256").read_text(encoding="utf-8"):
            raise InstallError(f"{client.id}: the jars are not those of jars.sha256")

    def command(self, client: Client) -> Sequence[str]:
        jars, program = client.environment / "jars" / "*", client.environment / "Program.java"
        return ("java", "-XX:TieredStopAtLevel=1", "-cp", str(jars), str(program))

    @staticmethod
    def _hashes(jars: Path) -> str:
        return "".join(
            f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}\n"
            for jar in sorted(jars.glob("*.jar"))
        )


TOOLCHAINS: Mapping[str, Toolchain] = {
    "python": Python(),
    "node": Node(),
    "go": Go(),
    "rust": Rust(),
    "java": Java(),
}


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise InstallError(f"`{' '.join(command)}` failed with status {done.returncode}:\n{done.stdout}")
