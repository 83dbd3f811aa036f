"""The verification's command, and its report when a sign-in fails or the gateway does not answer."""

import asyncio
import json
import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import httpx2
import pytest

from tests.e2e.client import parameters_of
from tests.e2e.conftest import RunningTwin
from tests.e2e.person import Person
from tests.e2e.verification import CONFIG, SHORT, ids, target, verify
from verify.check import SkippedError
from verify.report import succeeded
from verify.resource_manager import ResourceManager
from verify.run import all_checks, run
from verify.session import Session
from verify.stack import PROJECT
from verify.target import Target

__all__ = ["target"]

pytestmark = pytest.mark.usefixtures("twin")


def test_a_sign_in_that_times_out_fails_with_the_remedy(target: Target) -> None:
    opened = []
    _, rows = verify(
        target,
        open_page=lambda _purpose, url: opened.append(url),
        durations=replace(SHORT, sign_in=0.2),
    )
    (row,) = [row for row in rows if row.check.id == "sign-in:functions"]
    assert row.outcome.result == "failed"
    assert "--sign-in-seconds" in row.outcome.remedy
    assert len(opened) == 1
    skipped = ids(rows, "skipped")
    assert {"tool:functions:http", "snippet", "bad-tokens", "stream", "slow-call", "used-code"} <= skipped
    assert {"direct-calls", "policies"} <= ids(rows, "ok")


def test_a_sign_in_that_is_denied_is_a_failure(twin: RunningTwin, target: Target) -> None:
    def deny(_purpose: str, url: str) -> None:
        def use_browser() -> None:
            person = twin.person()
            httpx.get(person.press(person.open(url), "Deny").url)

        threading.Thread(target=use_browser).start()

    _, rows = verify(target, open_page=deny)
    (row,) = [row for row in rows if row.check.id == "sign-in:functions"]
    assert row.outcome.details.startswith("the gateway returned access_denied")


def test_an_answer_of_another_authorization_server_is_refused(twin: RunningTwin, target: Target) -> None:
    def return_from_another_issuer(_purpose: str, url: str) -> None:
        def use_browser() -> None:
            httpx.get(httpx.URL(twin.person().sign_in(url)).copy_set_param("iss", "https://evil.example"))

        threading.Thread(target=use_browser).start()

    _, rows = verify(target, open_page=return_from_another_issuer)
    (row,) = [row for row in rows if row.check.id == "sign-in:functions"]
    assert "RFC 9207" in row.outcome.details
    assert ids(rows, "failed") == {"sign-in:functions"}


def test_a_gateway_that_does_not_answer_is_one_failure(target: Target) -> None:
    def change(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if str(request.url).startswith(f"{target.url}/"):
            raise httpx2.ConnectError("refused", request=request)
        return answer

    _, rows = verify(target, change=change)
    assert ids(rows, "failed") == {"gateway"}
    (row,) = [row for row in rows if row.check.id == "gateway"]
    assert "make up" in row.outcome.remedy


def test_without_a_sign_in_to_azure_its_rows_are_skipped_with_the_command(target: Target) -> None:
    class NoCredential:
        async def token(self) -> str:
            raise SkippedError("Not signed in to Azure.", "Run `az login`.")

    session = Session(target=target, durations=SHORT, open_browser=None)
    manager = ResourceManager(target.azure.url, NoCredential(), session.http)
    rows = asyncio.run(run(all_checks(target.expected, manager), session, lambda _check, _outcome: None))
    azure = {row.check.id: row.outcome for row in rows if row.check.section == "Azure"}
    assert {outcome.result for outcome in azure.values()} == {"skipped"}
    assert "az login" in azure["service"].remedy
    assert succeeded(rows)


# The command.


@dataclass
class Command:
    """A run of `python -m verify`, with Ada as the user of the browser."""

    status: int
    output: str
    errors: str
    codes: list[str] = field(default_factory=list)


def command(twin: RunningTwin, person: Person | None, *arguments: str) -> Command:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "verify", twin.gateway, "--no-browser"),
            *(f"--config={key}={value}" for key, value in CONFIG.items()),
            *("--stream-seconds=1", "--call-seconds=1", "--sign-in-seconds=30", *arguments),
        ],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    errors, codes = "", []
    assert process.stderr is not None
    for line in process.stderr:
        errors += line
        if person is not None and "/authorize?" in line:
            end = person.sign_in(line.strip())
            codes.append(parameters_of(end)["code"])
            httpx.get(end)
    output, _ = process.communicate(timeout=60)
    return Command(process.returncode, output, errors, codes)


def test_the_command_prints_a_table_without_secrets(twin: RunningTwin) -> None:
    done = command(twin, twin.person())
    assert done.status == 0, done.output + done.errors
    assert re.search(r"^\d+ ok, 0 failed, 1 skipped$", done.output, re.MULTILINE), done.output
    row = r"^ok +Deployed policies are the rendered ones +\d+ policies are equal"
    assert re.search(row, done.output, re.MULTILINE), done.output
    assert max(map(len, done.output.splitlines())) <= 100
    assert len(done.codes) == 1
    assert done.codes[0] not in done.output + done.errors
    assert "Bearer ey" not in done.output + done.errors


def test_the_command_fails_and_prints_json(twin: RunningTwin) -> None:
    # The running gateway has another limit than the verified configuration.
    twin.control.post("/deployment", json={"config": {"callsPerMinute": "77"}}).raise_for_status()
    done = command(twin, None, "--json", "--no-sign-in")
    assert done.status == 1
    report: dict[str, Any] = json.loads(done.output)
    assert (report["url"], report["stack"], report["ok"]) == (twin.gateway, "dev", False)
    checks = {check["id"]: check for check in report["checks"]}
    assert {name for name, check in checks.items() if check["result"] == "failed"} == {"policies"}
    assert "functions-mcp differs from policies/mcp/" in checks["policies"]["details"]
    assert "pulumi refresh" in checks["policies"]["remedy"]
    assert checks["sign-in:functions"]["result"] == "skipped"
