"""Child processes start or report an error, and always end with the twin."""

import logging
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import anyio
import pytest

from tests.children import free_port, running
from twin.ports import LOOPBACK, Address
from twin.process import ChildProcess, ProcessError, RunningProcess, base_environment, is_listening

ROOT = Path(__file__).parent.parent.parent
SERVE = (
    "import http.server, sys; http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), None).serve_forever()"
)


def python(code, *arguments, ready=None, name="child"):
    async def immediately():
        return True

    return ChildProcess(
        name=name,
        argv=(sys.executable, "-c", code, *map(str, arguments)),
        env=base_environment(),
        cwd=ROOT,
        ready=ready or immediately,
    )


def start(child, **options):
    async def run():
        process = await RunningProcess.start(child, **options)
        await process.stop()

    anyio.run(run)


def is_alive(pid):
    """Whether a process runs; a zombie process does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid):
    deadline = time.monotonic() + 60
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


def wait_until_written(file):
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < deadline, f"{file} is not written"
        time.sleep(0.01)


def test_a_child_is_ready_when_it_listens_and_has_ended_after_a_stop():
    port = free_port()
    with running(python(SERVE, port, ready=partial(is_listening, Address(LOOPBACK, port)))) as process:
        assert anyio.run(is_listening, Address(LOOPBACK, port))
        pid = process.pid
    assert not is_alive(pid)
    with pytest.raises(OSError, match=r"refused|[Cc]onnect"):
        anyio.run(is_listening, Address(LOOPBACK, port))


def test_a_child_that_ends_before_it_is_ready_is_an_error_with_its_last_lines():
    async def never():
        return False

    with pytest.raises(ProcessError, match=r"child ended with status 3. Its last lines:\n  no configuration"):
        start(python("import sys; print('no configuration'); sys.exit(3)", ready=never))


def test_a_child_that_is_never_ready_is_an_error_and_is_stopped(tmp_path):
    note = tmp_path / "pid"
    code = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"

    async def runs_and_is_not_ready():
        # Blocks the event loop, so that the timeout is noticed only after the child has started.
        wait_until_written(note)
        return False

    with pytest.raises(ProcessError, match=r"was not ready within 0\.5 s"):
        start(python(code, note, ready=runs_and_is_not_ready), timeout=0.5)
    assert not is_alive(int(note.read_text()))


def test_a_program_that_does_not_exist_is_an_error():
    async def never():
        return False

    child = ChildProcess(name="child", argv=("/no/such/program",), env={}, cwd=ROOT, ready=never)
    with pytest.raises(ProcessError, match="/no/such/program"):
        start(child)


def test_the_output_of_a_child_is_logged_under_its_name(caplog):
    caplog.set_level(logging.INFO)
    port = free_port()
    code = (
        "import sys; print('to out', flush=True); print('to err', file=sys.stderr); print('x' * 3_000_000);"
    )
    with running(
        python(code + SERVE, port, ready=partial(is_listening, Address(LOOPBACK, port)), name="printer")
    ):
        pass
    logged = [record.message for record in caplog.records if record.name == "twin.process.printer"]
    assert {"to out", "to err"} <= set(logged)


def test_a_child_that_ignores_sigterm_is_killed():
    port = free_port()
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    with running(python(code + SERVE, port, ready=partial(is_listening, Address(LOOPBACK, port)))) as process:
        pid = process.pid
    assert not is_alive(pid)


def test_the_children_of_a_child_end_with_it(tmp_path):
    note, port = tmp_path / "pid", free_port()
    code = (
        "import pathlib, subprocess, sys;"
        "inner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "pathlib.Path(sys.argv[2]).write_text(str(inner.pid));"
    )
    with running(python(code + SERVE, port, note, ready=partial(is_listening, Address(LOOPBACK, port)))):
        inner = int(note.read_text())
        assert is_alive(inner)
    wait_until_gone(inner)


def test_a_second_stop_or_a_stop_after_the_end_has_no_effect():
    async def run():
        process = await RunningProcess.start(python("pass"))
        assert await process.wait() == 0
        await process.stop()
        await process.stop()

    anyio.run(run)


def test_a_child_does_not_inherit_settings_or_secrets(monkeypatch):
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "secret")
    assert "PULUMI_CONFIG_PASSPHRASE" not in base_environment()
    assert base_environment()["PATH"] == os.environ["PATH"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can end a child when its parent ends")
def test_children_end_when_the_parent_is_killed():
    port = free_port()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(port), SERVE], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        wait_until_gone(child)


PARENT = """
import asyncio, sys
from functools import partial
from pathlib import Path
from twin.ports import LOOPBACK, Address
from twin.process import ChildProcess, RunningProcess, is_listening

async def run():
    port = sys.argv[1]
    child = ChildProcess(name="child", argv=(sys.executable, "-c", sys.argv[2], port), env={}, cwd=Path.cwd(),
                         ready=partial(is_listening, Address(LOOPBACK, int(port))))
    print((await RunningProcess.start(child)).pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(run())
"""
