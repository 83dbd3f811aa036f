"""Writes the tables of docs/conformance.md from a run of the suites: `python -m tests.conformance.report`.

Each test records the results of its suite; `make test-conformance` writes the tables from these results.
With `CI=true`, a page that differs from the results is an error.
"""

import json
import os
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from apim.page import part, replace_part
from tests.conformance.check import Check
from tests.conformance.official import SERVER_VERSIONS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "conformance.md"
RESULTS = ROOT / ".clients" / "conformance"


def reasons(suite: str) -> Mapping[str, str]:
    """The reasons why checks of a suite do not pass, by the check's id."""
    text = (Path(__file__).parent / "reasons.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)[suite]


def not_passed(checks: Iterable[Check]) -> set[str]:
    """The ids of checks that failed, were skipped or caused a warning."""
    return {check.id for check in checks if check.result not in {"passed", "info"}}


def differences(direct: Iterable[Check], gateway: Iterable[Check]) -> list[tuple[str, list[str]]]:
    """The checks with different results directly and through the gateway, with both results."""
    checks_by_name: dict[str, tuple[list[Check], list[Check]]] = {}
    for side, checks in enumerate((direct, gateway)):
        for check in checks:
            checks_by_name.setdefault(f"{check.scenario}: {check.id}", ([], []))[side].append(check)
    return [
        (
            name,
            [
                f"{place}: {check.result}: {check.message}"
                for place, checks in zip(("directly", "gateway"), sides, strict=True)
                for check in checks
            ],
        )
        for name, sides in checks_by_name.items()
        if [check.result for check in sides[0]] != [check.result for check in sides[1]]
    ]


def record(name: str, checks: Sequence[Check]) -> None:
    """Records the results of a run."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(check) for check in checks], indent=1)
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")


def recorded(name: str) -> list[Check]:
    """The results of the latest run with this name.

    Raises:
        FileNotFoundError: there was no run with this name.
    """
    text = (RESULTS / f"{name}.json").read_text(encoding="utf-8")
    return [Check(**check) for check in json.loads(text)]


def authorization_table() -> str:
    """The results of the official suite for the authorization server."""
    rows = ["| scenario | check | result |", "|---|---|---|"]
    rows += [
        f"| {check.scenario} | {_cell(check.message)} | {check.result} |"
        for check in recorded("authorization")
    ]
    return "\n".join(rows)


def server_table(versions: Sequence[str]) -> str:
    """The results of the official suite's server scenarios, directly and through the gateway."""
    rows = [
        "| version | scenarios | checks | passed directly | passed through the gateway | difference |",
        "|---|---|---|---|---|---|",
    ]
    for version in versions:
        direct, gateway = recorded(f"server-{version}-direct"), recorded(f"server-{version}-gateway")
        scenarios = len({check.scenario for check in direct})
        counted = sum(check.result != "info" for check in direct)
        passed = [sum(check.result == "passed" for check in checks) for checks in (direct, gateway)]
        difference = len(differences(direct, gateway)) or "none"
        rows.append(f"| {version} | {scenarios} | {counted} | {passed[0]} | {passed[1]} | {difference} |")
    return "\n".join(rows)


def server_failures(versions: Sequence[str]) -> str:
    """The server scenarios that do not pass, with the reasons."""
    rows = ["| check | versions | reason |", "|---|---|---|"]
    failing: dict[str, list[str]] = {}
    for version in versions:
        for name in sorted(not_passed(recorded(f"server-{version}-gateway"))):
            failing.setdefault(name, []).append(version)
    why = reasons("server")
    rows += [f"| {name} | {', '.join(failing[name])} | {why[name]} |" for name in sorted(failing)]
    return "\n".join(rows) if failing else "Every check passes."


def side_by_side(columns: Mapping[str, str], suite: str) -> str:
    """The results of several runs of a suite, with the reason for what does not pass.

    Args:
        columns: the title of each run, by its name.
        suite: its part of `reasons.toml`.
    """
    results = {name: {check.id: check for check in recorded(name)} for name in columns}
    why = reasons(suite)
    rows = [
        f"| check | what | {' | '.join(columns.values())} | reason |",
        f"|---|---|{'---|' * len(columns)}---|",
    ]
    for check in next(iter(results.values())).values():
        shown = " | ".join(results[name][check.id].result for name in columns)
        rows.append(f"| {check.id} | {_cell(check.scenario)} | {shown} | {why.get(check.id, '')} |")
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def tables() -> dict[str, str]:
    """Every generated part of the page, by its name."""
    return {
        "authorization": authorization_table(),
        "server": server_table(SERVER_VERSIONS),
        "server-failures": server_failures(SERVER_VERSIONS),
        "authlab": side_by_side(
            {"authlab-suite": "server on the Python SDK", "authlab-functions": "Functions"}, "mcp-authlab"
        ),
        "mcpcheck": side_by_side(
            {"mcpcheck-direct": "directly", "mcpcheck-gateway": "through the gateway"}, "jbt-mcpcheck"
        ),
    }


def main() -> int:
    try:
        generated = tables()
    except FileNotFoundError as error:
        print(f"docs/conformance.md is unchanged, because a suite did not run: {error.filename}")
        return 1 if os.environ.get("CI") == "true" else 0
    stale = [name for name, table in generated.items() if part(name, PAGE) != table]
    for name in stale:
        replace_part(name, generated[name], PAGE)
    if stale and os.environ.get("CI") == "true":
        print(
            f"docs/conformance.md was not current ({', '.join(stale)}): "
            "run `make test-conformance` and commit the page"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
