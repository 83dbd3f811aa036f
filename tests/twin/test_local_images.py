"""The program that replaces a container image, with its arguments and environment."""

import hashlib
import os
import platform
import shutil
import sys
from pathlib import Path

import anyio
import pytest

from configuration.presets.jira import REPOSITORY as JIRA_IMAGE
from configuration.presets.slack import REPOSITORY as SLACK_IMAGE
from tests.children import free_port
from twin import mcp_atlassian
from twin.local_images import local_command
from twin.mcp_atlassian import EnvironmentSetupError
from twin.ports import Address
from twin.process import ChildProcess, ProcessError, RunningProcess
from twin.stand_in import LocalImageError

ADDRESS = Address("127.4.5.6", 4711)
SLACK = f"{SLACK_IMAGE}:v1.3.0"
JIRA = f"{JIRA_IMAGE}:0.23.1"
DIGEST = "sha256:" + "0" * 64


@pytest.fixture(scope="module", autouse=True)
def installed():
    mcp_atlassian.install()


def local(image, folder, *, command=(), args=(), env=None):
    return local_command(image, command, args, env or {}, address=ADDRESS, folder=folder / "private")


def test_an_unknown_image_has_no_local_command(tmp_path):
    assert local("ghcr.io/somebody/else:1", tmp_path) is None
    assert not (tmp_path / "private").exists()


def test_the_slack_image_is_replaced_by_the_program_of_the_npm_package_at_a_port(tmp_path):
    replacement = local(SLACK, tmp_path, args=["--transport", "http"])
    assert Path(replacement.argv[0]).name.startswith("slack-mcp-server-")
    assert os.access(replacement.argv[0], os.X_OK)
    assert replacement.argv[1:] == ("--transport", "http")
    assert (replacement.env["SLACK_MCP_HOST"], replacement.env["SLACK_MCP_PORT"]) == (ADDRESS.host, "4711")


def test_the_jira_image_is_replaced_by_the_program_of_a_separate_environment_at_a_port(tmp_path):
    replacement = local(JIRA, tmp_path, env={"HOST": "0.0.0.0", "PORT": "8000"})
    assert replacement.argv[0].endswith(".venv-mcp-atlassian/bin/python")
    assert replacement.argv[-4:] == ("--host", ADDRESS.host, "--port", "4711")


@pytest.mark.parametrize(
    ("image", "env", "stand_in"),
    [
        (SLACK, {}, "slack"),
        (SLACK, {"SLACK_MCP_XOXB_TOKEN": "xoxb-twin"}, "slack"),
        (SLACK, {"SLACK_MCP_XOXB_TOKEN": "xoxb-1-real"}, None),
        (JIRA, {}, "jira"),
        (JIRA, {"JIRA_API_TOKEN": "twin"}, "jira"),
        (JIRA, {"JIRA_API_TOKEN": "real"}, None),
    ],
)
def test_a_stand_in_is_used_only_without_real_credentials(tmp_path, image, env, stand_in):
    assert local(image, tmp_path, env=env).stand_in == stand_in


def test_the_process_has_its_own_home_and_no_other_environment_variables(tmp_path, monkeypatch):
    monkeypatch.setenv("SLACK_MCP_XOXP_TOKEN", "the-developers-own")
    replacement = local(SLACK, tmp_path, env={"GREETING": "ahoy"})
    assert replacement.env["HOME"] == str(tmp_path / "private")
    assert replacement.env["GREETING"] == "ahoy"
    assert "SLACK_MCP_XOXP_TOKEN" not in replacement.env
    assert replacement.folder.stat().st_mode & 0o777 == 0o700


def test_no_env_file_overrides_what_is_declared(tmp_path):
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / ".env").write_text("JIRA_URL=https://elsewhere.example\n")
    assert not (local(JIRA, tmp_path).folder / ".env").exists()


def test_secrets_are_not_shown(tmp_path):
    replacement = local(SLACK, tmp_path, env={"SLACK_MCP_XOXB_TOKEN": "xoxb-1-real"})
    assert "xoxb-1-real" not in repr(replacement)


@pytest.mark.parametrize("image", [f"{SLACK_IMAGE}@{DIGEST}", f"{SLACK}@{DIGEST}", SLACK_IMAGE])
def test_a_digest_may_pin_the_image(tmp_path, image):
    assert local(image, tmp_path) is not None


@pytest.mark.parametrize(
    ("image", "command", "message"),
    [
        (f"{SLACK_IMAGE}:v1.2.0", (), "version v1.3.0 is installed: declare that tag, or"),
        (f"{JIRA_IMAGE}:latest", (), "version 0.23.1 is installed: declare that tag, or"),
        (SLACK, ("sh", "-c"), "declares the command .* remove it"),
        ("not an image", (), "is not an image reference"),
    ],
)  # fmt: skip
def test_a_declaration_that_differs_from_the_local_program_is_rejected(tmp_path, image, command, message):
    with pytest.raises(LocalImageError, match=message):
        local(image, tmp_path, command=command)


def test_the_error_on_a_platform_without_slacks_server_has_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalImageError) as refused:
        local(SLACK, tmp_path)
    message = str(refused.value)
    assert f"Slack's server for linux on amd64 only, not for {sys.platform} on riscv64" in message
    assert "put the program slack-mcp-server 1.3.0 for this machine on your PATH" in message
    program = tmp_path / "slack-mcp-server"
    program.touch(mode=0o755)
    assert local(SLACK, tmp_path).argv[0] == str(program)


def test_the_images_entry_point_can_be_declared(tmp_path):
    assert local(SLACK, tmp_path, command=["mcp-server"]) is not None


def test_a_wrong_token_ends_the_server_with_an_error(tmp_path):
    """The target is a closed port, so no token leaves this machine."""
    port = free_port()
    env = {"SLACK_MCP_XOXB_TOKEN": "xoxb-1-real", "SLACK_MCP_PROXY": f"http://127.0.0.1:{port}"}
    replacement = local(SLACK, tmp_path, env=env)
    child = ChildProcess(
        name="slack",
        argv=replacement.argv,
        env=replacement.env,
        cwd=replacement.folder,
        ready=replacement.ready,
    )
    with pytest.raises(ProcessError, match=r"slack ended with status 1\. Its last lines"):
        anyio.run(RunningProcess.start, child)


def test_the_error_of_a_missing_environment_has_the_command(tmp_path):
    shutil.copy(mcp_atlassian.ROOT / mcp_atlassian.LOCK, tmp_path)
    with pytest.raises(EnvironmentSetupError, match=r"python -m twin\.mcp_atlassian"):
        mcp_atlassian.command(tmp_path)


def test_the_error_of_a_failed_installation_has_the_reason(tmp_path):
    (tmp_path / mcp_atlassian.LOCK).write_text("mcp-atlassian==0.23.1\n")  # without hashes
    reports = []
    with pytest.raises(EnvironmentSetupError, match="hash"):
        mcp_atlassian.install(tmp_path, report=reports.append)
    assert reports == ["Installing mcp-atlassian 0.23.1 into .venv-mcp-atlassian (once)"]


def installed_environment(root):
    """Creates the files of a complete installation of Jira's server, without its packages."""
    lock = "mcp-atlassian==0.23.1 \\\n"
    (root / mcp_atlassian.LOCK).write_text(lock)
    folder = root / ".venv-mcp-atlassian"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    stamp = f"{hashlib.sha256(lock.encode()).hexdigest()} {sys.implementation.cache_tag}"
    (folder / ".installed-from").write_text(stamp)
    return folder


def test_a_current_environment_is_not_changed(tmp_path):
    installed_environment(tmp_path)
    assert mcp_atlassian.install(tmp_path) is False


def test_an_environment_whose_python_was_removed_is_installed_again(tmp_path, monkeypatch):
    folder = installed_environment(tmp_path)
    (folder / "bin" / "python").unlink()
    (folder / "bin" / "python").symlink_to(tmp_path / "gone")
    commands = []
    monkeypatch.setattr(mcp_atlassian, "_run", lambda *command: commands.append(command))
    assert mcp_atlassian.install(tmp_path, report=lambda _line: None) is True
    assert "--clear" in commands[0]


def test_the_lock_pins_every_package_with_hashes_and_names_no_registry():
    text = (mcp_atlassian.ROOT / mcp_atlassian.LOCK).read_text()
    pinned = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert pinned
    assert all("==" in line and line.endswith("\\") for line in pinned)
    assert "://" not in text
    wanted = (mcp_atlassian.ROOT / "requirements-mcp-atlassian.in").read_text().splitlines()
    assert f"mcp-atlassian=={mcp_atlassian.version()}" in wanted
