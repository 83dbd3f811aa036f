"""Runs the host as a child process of the twin."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from twin.builtin_auth import BuiltInAuth
from twin.functions.settings import READY
from twin.ports import Address
from twin.process import ChildProcess, base_environment, is_responding

_ROOT = Path(__file__).resolve().parent.parent.parent


def functions_process(
    *,
    app: Path,
    address: Address,
    settings: Mapping[str, str],
    auth: BuiltInAuth | None,
    clock: Path | None = None,
    readings: Path | None = None,
    name: str = "functions",
) -> ChildProcess:
    """The process that serves a function app.

    Args:
        app: the folder with `function_app.py` and `host.json`.
        address: the address at which the host listens.
        settings: the app settings, which the app receives as environment variables, as in Azure.
        auth: the callers to admit; None to admit every caller, like an app without built-in authentication.
        clock: the file of the clock that the twin's processes share.
        readings: the file of the readings that the twin's processes share.
        name: name of the process in logs.
    """
    options = {"host": address.host, "port": str(address.port), "app": str(app)}
    lists = {}
    if auth is not None:
        options |= {"issuer": auth.issuer, "jwks-url": auth.jwks_url}
        lists = {
            "audience": auth.audiences,
            "allowed-identity": auth.identities,
            "allowed-application": auth.applications,
        }
    if clock is not None:
        options["clock"] = str(clock)
    if readings is not None:
        options["readings"] = str(readings)
    return ChildProcess(
        name=name,
        argv=(
            sys.executable,
            "-m",
            "twin.functions",
            *(f"--{option}={value}" for option, value in options.items()),
            *(f"--{option}={value}" for option, values in lists.items() for value in sorted(values)),
            *(("--without-auth",) if auth is None else ()),
        ),
        env=base_environment() | {"PYTHONUNBUFFERED": "1"} | dict(settings),
        cwd=_ROOT,
        ready=partial(is_responding, address, READY),
    )
