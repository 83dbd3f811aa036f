"""The preparation of the first start evaluates the same stack as `make up`."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from twin import cli, first_start, session
from twin.plan import Options
from twin.stack import PROJECT
from twin.state import StateFolder


def test_the_options_are_those_of_make_up(monkeypatch: pytest.MonkeyPatch) -> None:
    makefile = (PROJECT / "Makefile").read_text()
    port = re.search(r"^PORT \?= (\d+)$", makefile, re.MULTILINE)
    command = re.search(r"-m twin (up .*) --port \$\(PORT\) \$\(ARGS\)$", makefile, re.MULTILINE)
    assert port is not None
    assert command is not None
    started: list[Options] = []
    prepared: list[Options] = []

    def run_foreground(options: Options, **_more: Mapping[str, object]) -> None:
        started.append(options)

    def create_plan(options: Options, state: StateFolder) -> None:
        assert options.state == state.path
        prepared.append(replace(options, state=Path(".twin")))

    monkeypatch.setattr(session, "run_foreground", run_foreground)
    monkeypatch.setattr(first_start, "create_plan", create_plan)
    result = CliRunner().invoke(cli.app, [*command[1].split(), "--port", port[1]])
    assert result.exit_code == 0, result.output
    first_start.prepare()
    assert prepared == started
