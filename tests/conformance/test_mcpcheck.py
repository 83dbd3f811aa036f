"""`jbt-mcpcheck` checks a server of protocol version 2026-07-28, directly and through the gateway."""

import json
import os
import subprocess
import sys

from tests.conformance.check import Check
from tests.conformance.report import not_passed, reasons, record
from tests.e2e.conftest import RunningTwin

_RESULTS = {"pass": "passed", "fail": "failed", "warn": "warning"}


def check(url: str, **variables: str) -> list[Check]:
    """Runs the suite against a server.

    The token is in an environment variable, because other users of the machine can read a command line.
    """
    done = subprocess.run(
        [*(sys.executable, "-m", "mcpcheck", url), "--json", "--probe", "all", "--timeout", "60"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [
        Check(check["title"], check["name"], _RESULTS.get(check["status"], "skipped"), check["summary"])
        for check in json.loads(done.stdout)["checks"]
    ]


def test_the_gateway_causes_no_additional_findings(direct: str, twin: RunningTwin, token: str) -> None:
    at_server = check(direct)
    at_gateway = check(f"{twin.gateway}/suite-mcp", MCPCHECK_TOKEN=token)
    record("mcpcheck-direct", at_server)
    record("mcpcheck-gateway", at_gateway)
    assert at_gateway == at_server
    assert not_passed(at_gateway) <= set(reasons("jbt-mcpcheck"))
