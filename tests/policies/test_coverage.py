"""The coverage of policies: how it is recorded, compared with the templates, and reported."""

from functools import cache
from pathlib import Path

import pytest

from apim import compiler
from apim.coverage import Coverage, Recorder
from apim.gateway import Gateway
from apim.service import Api, Operation, Service
from apim.source_map import SourceLocation
from gateway import policy
from tests.policies.engine.harness import Harness, document
from tests.policy_coverage import report
from tests.policy_coverage.result import Result, Template, compare

NAME = "policies/example.xml.j2"
TEXT = """<policies>
    <inbound>
        <choose>
            <when condition="@(context.Request.Method == "POST" && context.Request.Headers.ContainsKey("X"))">
                <return-response />
            </when>
        </choose>
        <set-variable name="kind" value="@(context.Request.Method == "GET" ? "read" : "write")" />
    </inbound>
    <backend />
    <outbound />
    <on-error />
</policies>"""
ALL = frozenset(range(1, TEXT.count("\n") + 2))


@pytest.fixture(autouse=True)
def compile_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled documents and expressions are cached with their counts; each test starts with empty caches."""
    for name in ("known", "_compiled"):
        monkeypatch.setattr(compiler, name, cache(getattr(compiler, name).__wrapped__))


class _LineByLine:
    """The source map of a document whose lines and columns are those of the template."""

    def find(self, line: int, column: int) -> SourceLocation | None:
        return SourceLocation(NAME, line, column)

    def lines(self) -> frozenset[tuple[str, int]]:
        return frozenset((NAME, line) for line in ALL)


def ran(folder: Path, *requests: tuple[str, str], text: str = TEXT) -> Coverage:
    """The coverage after a process handled these requests: each a method, and `X` to send that header."""
    methods = ("GET", "POST")
    operations = tuple(
        Operation(id=method, name=method, method=method, url_template="/items") for method in methods
    )
    api = Api(
        id="api",
        name="api",
        path="api",
        service_url="https://items.example",
        operations=operations,
        policy=document(text, source_map=_LineByLine() if text == TEXT else None),
    )
    service = Service(name="apim", gateway_url="https://gateway", sku="BasicV2", apis=(api,))
    harness = Harness(service)
    harness.gateway = Gateway(
        service, network=harness.network, identity=harness.tokens, clock=harness.clock, counted=True
    )
    recorder = Recorder(folder)
    recorder.watch(harness.gateway)
    for method, header in requests:
        harness.send(method, X="1") if header else harness.send(method)
    recorder.save()
    return Coverage.load(folder)


def result_of(coverage: Coverage, text: str = TEXT, written: frozenset[int] = ALL) -> Result:
    return compare(coverage, [Template(NAME, text, written)])


def test_uncovered_policies_are_reported_with_their_lines(tmp_path: Path) -> None:
    result = result_of(ran(tmp_path, ("GET", "")))
    assert result.missed() == [
        f"{NAME}:4: when never ran",
        f"{NAME}:4: `&&` at column 65 never had the outcome yes",
        f"{NAME}:5: return-response never ran",
        f"{NAME}:8: `?:` at column 67 never had the outcome no",
    ]
    assert not result.sufficient
    assert (result.elements.done, result.elements.total) == (2, 4)
    assert (result.branches.done, result.branches.total) == (2, 4)


def test_the_counts_of_several_processes_are_combined(tmp_path: Path) -> None:
    ran(tmp_path, ("GET", ""))
    result = result_of(ran(tmp_path, ("POST", "X"), ("POST", "")))
    assert result.missed() == []
    assert result.sufficient


def test_a_line_that_no_document_contains_is_not_covered(tmp_path: Path) -> None:
    coverage = ran(tmp_path, ("GET", ""), ("POST", "X"), ("POST", ""))
    last = len(ALL) + 1
    result = result_of(coverage, TEXT + "\n<trace />", ALL | {last})
    assert result.missed() == [f"{NAME}:{last}: no tested stack renders this line"]
    assert not result.sufficient


def test_policies_without_a_template_are_not_counted(tmp_path: Path) -> None:
    assert ran(tmp_path, ("GET", ""), text=TEXT.replace("kind", "sort")) == Coverage()


def excluded(reason: str) -> str:
    """The template, with comments that exclude the `when` and its response from coverage."""
    inner = f"<return-response /> [# not covered:{reason}#]"
    return TEXT.replace("<return-response />", inner).replace('X"))">', f'X"))"> [# not covered:{reason}#]')


def test_an_exclusion_with_a_reason_is_accepted(tmp_path: Path) -> None:
    result = result_of(
        ran(tmp_path, ("GET", ""), ("POST", "")), excluded(" only an operator's stack has it ")
    )
    assert result.missed() == []
    assert result.sufficient
    assert (result.elements.done, result.elements.total) == (2, 2)


@pytest.mark.parametrize(
    ("reason", "requests", "expected"),
    [
        (" ", [("GET", ""), ("POST", "")], "say why"),
        (" because ", [("GET", ""), ("POST", "X"), ("POST", "")], "is covered: remove"),
    ],
)
def test_an_exclusion_without_a_reason_or_for_covered_code_is_rejected(
    tmp_path: Path, reason: str, requests: list[tuple[str, str]], expected: str
) -> None:
    result = result_of(ran(tmp_path, *requests), excluded(reason))
    assert not result.sufficient
    assert [problem.partition(": ")[0] for problem in result.problems] == [f"{NAME}:4", f"{NAME}:5"]
    assert all(expected in problem for problem in result.problems)


def test_an_exclusion_on_its_own_line_applies_to_the_next_line_with_code() -> None:
    text = "[# not covered: why #]\n\n<trace />"
    assert Template(NAME, text, frozenset({3})).exclusions() == {3: "why"}


def test_the_report_shows_each_line_with_its_missing_coverage(tmp_path: Path) -> None:
    result = result_of(ran(tmp_path, ("GET", "")))
    report.write(result, tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text()
    assert "<em>return-response never ran</em>" in page
    assert "&lt;return-response /&gt;" in page
    assert "2 of 4 (50.0 %)" in (tmp_path / "report" / "report.txt").read_text()


def test_the_written_lines_of_a_template_exclude_jinja_blocks_and_comments() -> None:
    text = (Path(policy.__file__).parents[1] / "policies/oauth/api.xml.j2").read_text()
    written = policy.written_lines("oauth/api.xml.j2")
    lines = text.split("\n")
    assert {lines[number - 1].strip() for number in written} >= {"<policies>", "<base />"}
    assert not [number for number in written if lines[number - 1].startswith(("[#", "[%"))]
