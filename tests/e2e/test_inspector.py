"""MCP Inspector on the command line, configured with a URL only."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.children import free_port
from tests.e2e.conftest import ROOT, RunningTwin
from tests.e2e.person import Person


class Inspector:
    """Runs MCP Inspector with a storage that all runs of a test share."""

    def __init__(self, home: Path, person: Person) -> None:
        self._person = person
        self._environment = {
            **os.environ,
            "HOME": str(home),
            "MCP_OAUTH_CALLBACK_URL": f"http://127.0.0.1:{free_port()}/oauth/callback",
            "MCP_STORAGE_DIR": str(home / "storage"),
            "MCP_INSPECTOR_SECRET_STORE": "file",
            # Without a terminal it signs in only if it can open a browser.
            "MCP_AUTO_OPEN_ENABLED": "true",
            "BROWSER": "/bin/true",
        }
        self.sign_ins = 0

    def run(self, *arguments: str) -> dict[str, Any]:
        """Runs MCP Inspector, lets the user sign in if necessary, and returns the parsed output."""
        status, errors, printed = self.attempt(*arguments)
        assert status == 0, errors + printed
        return json.loads(printed)

    def attempt(self, *arguments: str) -> tuple[int, str, str]:
        """Runs MCP Inspector, and returns its exit status, its error output and its output."""
        command = [sys.executable, "-m", "twin", "inspector", "--cli", *arguments]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        assert process.stdout is not None
        with process.stderr, process.stdout:
            errors = []
            for line in process.stderr:
                errors.append(line)
                if match := re.search(r"https?://\S+/authorize\?\S+", line):
                    self.sign_ins += 1
                    httpx.get(self._person.sign_in(match[0])).raise_for_status()
            printed = process.stdout.read()
        return process.wait(timeout=30), "".join(errors), printed


@pytest.fixture
def inspector(tmp_path: Path, ada: Person) -> Inspector:
    return Inspector(tmp_path, ada)


@pytest.mark.parametrize(("transport", "path"), [("http", "/mcp"), ("sse", "/mcp/sse")])
def test_the_inspector_lists_and_calls_tools_after_one_sign_in(
    twin: RunningTwin, inspector: Inspector, transport: str, path: str
) -> None:
    server = (f"{twin.gateway}{path}", "--transport", transport)
    listed = inspector.run(*server, "--method", "tools/list")
    assert sorted(tool["name"] for tool in listed["tools"]) == [
        "delete_snippet",
        "get_snippet",
        "hello_mcp",
        "save_snippet",
    ]
    called = inspector.run(*server, "--method", "tools/call", "--tool-name", "hello_mcp")
    assert not called.get("isError")
    assert inspector.sign_ins == 1


@pytest.mark.parametrize("era", ["legacy", "auto"])
def test_the_inspector_lists_tools_in_every_protocol_era_of_the_functions_server(
    twin: RunningTwin, inspector: Inspector, era: str
) -> None:
    listed = inspector.run(
        f"{twin.gateway}/mcp", "--transport", "http", "--protocol-era", era, "--method", "tools/list"
    )
    assert len(listed["tools"]) == 4


def test_a_client_that_supports_only_2026_07_28_receives_an_error_from_the_functions_server(
    twin: RunningTwin, inspector: Inspector
) -> None:
    status, errors, printed = inspector.attempt(
        f"{twin.gateway}/mcp", "--transport", "http", "--protocol-era", "modern", "--method", "tools/list"
    )
    assert status == 1
    assert "the server did not offer pinned protocol version 2026-07-28" in errors + printed
