"""The queries of alerts and the workbook, checked by the language service of Azure Data Explorer."""

import functools
import json
import re
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway import alerts, kql, workbook
from tests.policies.oauth import test_audit
from twin import node

_HERE = Path(__file__).parent
_QUERIES = Path(kql.__file__).resolve().parent.parent / "kql"
NAMES = sorted(file.relative_to(_QUERIES).with_suffix("").as_posix() for file in _QUERIES.rglob("*.kql"))

# One query for each kind of mistake, which the check must report.
MISTAKES = {
    "syntax": "AppTraces | wher Message == 'audit'",
    "table": "AppTrace | count",
    "column": "AppTraces | where Msg == 'audit'",
    "function": "AppTraces | summarize percentil(1, 2)",
    "types": "AppRequests | summarize sum(OperationName)",
}


@functools.cache
def _problems() -> Mapping[str, list[str]]:
    tables = tomllib.loads((_HERE / "tables.toml").read_text(encoding="utf-8"))
    schemas = {
        name: "(" + ", ".join(f"{column}: {type_}" for column, type_ in columns.items()) + ")"
        for name, columns in tables.items()
    }
    queries = {name: kql.query(name) for name in NAMES} | MISTAKES
    completed = subprocess.run(
        [node.node(), _HERE / "parse.js"],
        input=json.dumps({"tables": schemas, "queries": queries}),
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    return json.loads(completed.stdout)


@pytest.mark.parametrize("name", NAMES)
def test_a_query_is_valid_for_the_tables_of_a_workspace(name: str) -> None:
    assert _problems()[name] == []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_query_is_found(mistake: str) -> None:
    assert _problems()[mistake]


@pytest.mark.parametrize("name", NAMES)
def test_a_query_states_what_it_shows_and_reads_members_of_audit_records_only(name: str) -> None:
    text = kql.query(name)
    assert text.startswith("// ")
    assert set(re.findall(r"Properties\.(\w+)", text)) <= test_audit.MEMBERS


def test_every_query_is_used_once() -> None:
    used = [f"alerts/{alert.name}" for alert in alerts.LOG_ALERTS]
    used += [f"workbook/{name}" for name, _ in workbook.CHARTS]
    assert sorted(used) == NAMES
