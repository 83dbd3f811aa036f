"""The command line of the official suite, `@modelcontextprotocol/conformance`."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conformance.check import Check
from twin.node import NodeError, environment, node, package_version, script

PACKAGE = "@modelcontextprotocol/conformance"
SERVER_VERSIONS = ("2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28")
_RESULTS = {
    "SUCCESS": "passed",
    "FAILURE": "failed",
    "WARNING": "warning",
    "SKIPPED": "skipped",
    "INFO": "info",
}


def version() -> str:
    return package_version(PACKAGE)


def command() -> list[str]:
    """The start of the suite's command line."""
    try:
        return [str(node()), str(script(PACKAGE, "dist/index.js"))]
    except NodeError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


def run_server_scenarios(url: str, protocol: str, folder: Path, *, only: str | None = None) -> list[Check]:
    """Runs the scenarios of a protocol version, or one of them, against an MCP server.

    The time-outs are much longer than the scenarios, because a busy machine must not change the result: the
    suite's own limit for a scenario is 30 seconds.
    """
    done = subprocess.run(
        [
            *(*command(), "server", "--url", url, "--spec-version", protocol),
            *("--timeout", "120000", "-o", str(folder), *(("--scenario", only) if only else ())),
        ],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    checks = results("server", folder)
    assert checks, done.stdout + done.stderr
    return checks


def results(role: str, folder: Path) -> list[Check]:
    """The results in the suite's output folder for a server in a role, by the names of the scenarios."""
    checks = []
    for file in sorted(folder.glob("*/checks.json")):
        scenario = re.sub(r"-\d{4}-\d\d-\d\dT.*", "", file.parent.name).removeprefix(f"{role}-")
        for check in json.loads(file.read_text(encoding="utf-8")):
            message = check.get("errorMessage") or check.get("description", "")
            checks.append(Check(scenario, check["id"], _RESULTS[check["status"]], message))
    return checks
