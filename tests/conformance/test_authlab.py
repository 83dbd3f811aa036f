"""`mcp-authlab` signs in and scans the gateway as protected resource and authorization server."""

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from tests.conformance.check import Check
from tests.conformance.report import not_passed, reasons, record
from tests.e2e.conftest import RunningTwin

COMMAND = [sys.executable, "-m", "mcp_authlab"]
_RESULTS = {"pass": "passed", "fail": "failed", "warn": "warning", "skip": "skipped", "error": "failed"}
FOREIGN_RESOURCES = {"suite-mcp": "mcp", "mcp": "suite-mcp"}
"""For each scanned server, the server whose token the scan sends as a token for another resource."""


def sign_in(twin: RunningTwin, path: str, environment: dict[str, str]) -> None:
    """Runs `mcp-authlab login`, and uses its pages like a user."""
    process = subprocess.Popen(
        [
            *(*COMMAND, "login", f"{twin.gateway}/{path}", "--thorough", "--http-timeout", "60"),
            *("--foreign-resource", f"{twin.gateway}/{FOREIGN_RESOURCES[path]}"),
        ],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    person = twin.person()
    lines = []
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            lines.append(line)
            if match := re.match(rf"\s*({re.escape(twin.gateway)}/authorize\?\S+)", line):
                end = person.sign_in(match[1])
                threading.Thread(target=httpx.get, args=(end,), kwargs={"timeout": 60}).start()
    assert process.wait(timeout=30) == 0, "".join(lines)


@pytest.mark.parametrize(
    ("path", "name", "tool"), [("suite-mcp", "suite", "test_simple_text"), ("mcp", "functions", "hello_mcp")]
)
def test_the_scan_has_no_findings_without_a_documented_reason(
    twin: RunningTwin, tmp_path: Path, path: str, name: str, tool: str
) -> None:
    tokens = str(tmp_path / "tokens.json")
    environment = {**os.environ, "MCP_AUTHLAB_TOKENS": tokens, "BROWSER": "true"}
    sign_in(twin, path, environment)
    scan = subprocess.run(
        [
            *(*COMMAND, "scan", f"{twin.gateway}/{path}", "--tool", tool),
            *("--format", "json", "--timeout", "60"),
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    report = json.loads(scan.stdout)
    checks = [
        Check(result["title"], result["id"], _RESULTS[result["status"]], result["message"])
        for result in report["results"]
    ]
    assert report["coverage"]["ran"] == len(checks)
    assert report["counts"]["fail"] == report["counts"]["error"] == 0, checks
    assert report["grade"] == "A"
    assert not_passed(checks) <= set(reasons("mcp-authlab"))
    record(f"authlab-{name}", checks)
