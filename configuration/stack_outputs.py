"""Reads the outputs of a deployed stack with the Pulumi CLI, for programs that use a running stack."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROJECT = Path(__file__).resolve().parents[1]
"""The folder of `Pulumi.yaml`."""


class StackOutputsError(Exception):
    """The outputs cannot be read; the message has the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedies:
    """The remedies in the error messages, which depend on the program.

    Attributes:
        no_cli: follows "The Pulumi CLI is not on PATH.".
        failed_call: the line after the error of the CLI.
        no_output: follows the command that deploys the stack; begins with a punctuation mark.
    """

    no_cli: str
    failed_call: str
    no_output: str


def read(stack: str, required: str, remedies: Remedies) -> Mapping[str, Any]:
    """The outputs of a stack; secret outputs are not decrypted.

    Args:
        stack: name of the stack.
        required: name of an output that the program needs.
        remedies: the remedies in the error messages.

    Raises:
        StackOutputsError: the CLI is not installed or fails, or the stack does not have the required output.
    """
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        raise StackOutputsError(f"The Pulumi CLI is not on PATH. {remedies.no_cli}")
    done = subprocess.run(  # noqa: S603 -- the Pulumi CLI of the user
        [pulumi, "stack", "output", "--json", "--stack", stack, "--non-interactive"],
        cwd=_PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = " ".join(done.stderr.split())
        raise StackOutputsError(
            f"`pulumi stack output --stack {stack}` failed: {reason}\n{remedies.failed_call}"
        )
    outputs = json.loads(done.stdout or "{}")
    if not isinstance(outputs, dict) or not outputs.get(required):
        raise StackOutputsError(
            f"The stack {stack} has no output {required}: run `pulumi up --stack {stack}`{remedies.no_output}"
        )
    return outputs
