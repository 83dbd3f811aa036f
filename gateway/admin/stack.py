"""Reads a stack's store URL from the Pulumi CLI, and sets its key version."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from gateway.admin.problem import AdminError

PROJECT = Path(__file__).resolve().parents[2]
"""The folder of `Pulumi.yaml`."""

_ACCOUNT = "azure-native:cosmosdb:DatabaseAccount"
_KEY_VERSION = "keyVersion"
_MAX_VERSION = 99


def store_url(stack: str) -> str:
    """The endpoint of the stack's Cosmos DB account, from the stack's state.

    Raises:
        AdminError: the state does not have it, or the CLI failed.
    """
    state = json.loads(_pulumi("stack", "export", "--stack", stack) or "{}")
    resources = (state.get("deployment") or {}).get("resources") or []
    for resource in resources:
        if resource.get("type") == _ACCOUNT and (url := _endpoint(resource)):
            return url
    raise AdminError(
        f"The state of the stack {stack} has no Cosmos DB account. Run `pulumi up --stack {stack}`, or "
        "name the account: --store https://<account>.documents.azure.com"
    )


def rotate_keys(stack: str, *, by: int) -> tuple[int, int]:
    """Increases the key version in the stack's configuration.

    Args:
        stack: name of the stack.
        by: the number of versions to add.

    Returns:
        The version that was set before, and the new one.

    Raises:
        AdminError: the CLI failed, or the version would be too large.
    """
    # The default of a setting is in `Pulumi.yaml`, which `pulumi config` reads too.
    before = int(_pulumi("config", "get", _KEY_VERSION, "--stack", stack).strip() or 1)
    after = before + by
    if after > _MAX_VERSION:
        raise AdminError(f"keyVersion cannot be {after}: the largest version is {_MAX_VERSION}.")
    _pulumi("config", "set", _KEY_VERSION, str(after), "--stack", stack)
    return before, after


def _endpoint(resource: Any) -> str:
    return str((resource.get("outputs") or {}).get("documentEndpoint") or "").rstrip("/")


def _pulumi(*arguments: str) -> str:
    cli = shutil.which("pulumi")
    if cli is None:
        raise AdminError(
            "The Pulumi CLI is not on PATH. Install it, or name the store: --store "
            "https://<account>.documents.azure.com, or --store http://localhost:8000 for a local twin."
        )
    done = subprocess.run(  # noqa: S603 -- the Pulumi CLI of the user
        [cli, *arguments, "--non-interactive"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        reason = " ".join(done.stderr.split())
        raise AdminError(f"`pulumi {' '.join(arguments)}` failed: {reason}")
    return done.stdout
