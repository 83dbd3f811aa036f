"""MCP Inspector's web page, in a real browser."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.children import free_port_block
from tests.e2e.conftest import ROOT, RunningTwin


@pytest.fixture
def inspector(twin: RunningTwin, tmp_path: Path) -> Iterator[str]:
    """The URL of an Inspector that has only the URL of the MCP server."""
    port = free_port_block()
    environment = os.environ | {
        "HOME": str(tmp_path),
        "MCP_STORAGE_DIR": str(tmp_path / "storage"),
        "MCP_INSPECTOR_SECRET_STORE": "file",
        "MCP_AUTO_OPEN_ENABLED": "false",
        "CLIENT_PORT": str(port),
        "MCP_SANDBOX_PORT": str(port + 1),
    }
    command = [sys.executable, "-m", "twin", "inspector", "--transport", "http"]
    process = subprocess.Popen(
        [*command, "--server-url", f"{twin.gateway}/mcp"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if match := re.search(r"http://127\.0\.0\.1:\d+\?MCP_INSPECTOR_API_TOKEN=\w+", line):
                yield match[0]
                break
        else:
            pytest.fail("".join(lines))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_user_connects_signs_in_and_runs_a_tool(inspector: str, page: Page) -> None:
    page.goto(inspector)
    page.get_by_label("Connect or disconnect").locator("..").click()
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("button", name="Ada Lovelace").click()
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    page.get_by_text("Tools", exact=True).first.click()
    for tool in ("hello_mcp", "get_snippet", "save_snippet", "delete_snippet"):
        expect(page.get_by_text(tool, exact=True).first).to_be_visible()
    page.get_by_text("hello_mcp", exact=True).first.click()
    page.get_by_role("button", name=re.compile("(Run|Execute|Call)")).first.click()
    expect(page.get_by_text("Hello I am MCPTool!").first).to_be_visible()
