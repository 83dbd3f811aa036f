"""The scenarios of the official suite for authorization servers, with a simulated user in a real browser.

The other scenarios about authorization are for clients: the suite is the server there.
"""

import re
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.children import free_port
from tests.conformance import official
from tests.conformance.report import record
from tests.e2e.conftest import RunningTwin
from twin.node import environment

SCENARIOS = {"authorization-server-metadata-endpoint", "authorization-code-grant"}


@contextmanager
def suite(*arguments: str) -> Generator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*official.command(), "authorization", *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("protocol", official.SERVER_VERSIONS)
def test_the_suite_signs_in_at_the_authorization_server(
    twin: RunningTwin, page: Page, tmp_path: Path, protocol: str
) -> None:
    port = free_port()
    client = twin.client(redirect_uri=f"http://127.0.0.1:{port}/callback", path="suite-mcp")
    assert client.register().status_code == 201
    arguments = (
        *("--url", twin.gateway, "--client-id", client.client_id, "--resource", client.resource),
        *("--port", str(port), "--spec-version", protocol, "-o", str(tmp_path)),
    )
    with suite(*arguments) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith(f"{twin.gateway}/authorize?"):
                break
        else:
            pytest.fail("".join(lines))
        page.goto(line.strip())
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name="Allow").click()
        page.get_by_role("button", name="Ada Lovelace").click()
        expect(page.get_by_text("OK. You can close this page.")).to_be_visible()
        lines.append(process.stdout.read())
        assert process.wait(timeout=30) == 0, "".join(lines)
    checks = official.results("authorization-server", tmp_path)
    assert {check.scenario for check in checks} == SCENARIOS
    assert [check for check in checks if check.result != "passed"] == []
    record("authorization", checks)


def test_the_suite_has_no_other_scenario_for_an_authorization_server() -> None:
    """A new version of the suite may have another scenario, which must then be run."""
    listed = subprocess.run(
        [*official.command(), "list", "--authorization"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert set(re.findall(r"^  - (\S+)", listed.stdout, re.MULTILINE)) == SCENARIOS
