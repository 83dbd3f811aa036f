"""Reads secrets of a stack for the twin from the environment or a file, never from the command line.

Every user of a machine can list the arguments of processes, and a shell writes them to its history.
"""

import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

_KEY = re.compile(r"[a-z][A-Za-z0-9]*", re.ASCII)
_OTHER_USERS = stat.S_IRWXG | stat.S_IRWXO


class SecretInputError(Exception):
    """A secret cannot be read; the message has the reason and a command that fixes it, never a value."""


def read_secrets(
    names: Sequence[str], files: Sequence[Path], environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The secrets, by the name of the setting. Those in the environment override those in files.

    Args:
        names: settings whose values are in environment variables.
        files: files with a line `name=value` for each setting.
        environment: the environment variables; None for those of this process.

    Raises:
        SecretInputError: a value is missing, a file cannot be read, or other users can read it.
    """
    variables = os.environ if environment is None else environment
    secrets = {}
    for file in files:
        secrets.update(_read_file(file))
    for name in names:
        if not _KEY.fullmatch(name):
            raise SecretInputError(
                "--secret takes the name of a setting, and its value comes from the environment: "
                "SLACK_BOT_TOKEN for slackBotToken. If a value was on the command line, revoke it: other "
                "users of the machine and the shell's history may have it."
            )
        variable = variable_of(name)
        if not variables.get(variable):
            raise SecretInputError(
                f"--secret {name} needs the environment variable {variable}, which is not set. "
                f"To enter it without showing it: read -rs {variable} && export {variable}"
            )
        secrets[name] = variables[variable]
    return secrets


def variable_of(name: str) -> str:
    """The environment variable for a setting, such as `SLACK_BOT_TOKEN` for `slackBotToken`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def _read_file(file: Path) -> dict[str, str]:
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SecretInputError(f"{file} cannot be read: {type(error).__name__}.") from None
    if os.name == "posix" and mode & _OTHER_USERS:
        raise SecretInputError(f"Other users can read {file}. Run: chmod 600 {file}")
    secrets = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name, equals, value = line.strip().partition("=")
        if not name or name.startswith("#"):
            continue
        if not equals or not _KEY.fullmatch(name.strip()):
            raise SecretInputError(f"{file}, line {number}: write it as slackBotToken=<value>.")
        secrets[name.strip()] = value.strip()
    return secrets
