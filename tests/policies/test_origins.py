"""A mistake in a policy is reported where it was written."""

from pathlib import Path

import pytest

from apim import origins
from apim.findings import PolicyError
from apim.service import Service
from gateway import policy
from tests.policies.engine import stage

ROOT = Path(__file__).resolve().parents[2]


def written(template: str, text: str) -> int:
    """The line of a template that holds a text."""
    lines = (ROOT / "policies" / template).read_text().split("\n")
    return next(number for number, line in enumerate(lines, 1) if text in line)


def rendered(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.split("\n"), 1) if part in line)


def service(inbound: str) -> Service:
    document = stage.document(
        f"<policies><inbound>{inbound}</inbound><backend /><outbound /><on-error /></policies>"
    )
    return Service(name="apim", gateway_url="https://gateway", sku="BasicV2", apis=(), policy=document)


@pytest.fixture
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    class Made:
        def find(self, text: str, line: int, column: int) -> origins.Place | None:
            return ("policies/made.xml.j2", line + 10, column) if "wrong" in text else None

        def lines(self, _text: str) -> frozenset[tuple[str, int]]:
            return frozenset()

    monkeypatch.setattr(origins, "_told", [Made()])


def test_a_rendered_policy_holds_no_marks() -> None:
    assert not {"\ue000", "\ue001"} & set(policy.render("oauth/api.xml.j2"))


def test_a_line_knows_the_line_of_its_template() -> None:
    text = policy.render("oauth/api.xml.j2")
    origin = policy.origin(text, rendered(text, "<inbound>"))
    assert origin is not None
    assert origin.template == "oauth/api.xml.j2"
    assert origin.line == written("oauth/api.xml.j2", "<inbound>")


def test_a_check_has_the_line_that_states_it() -> None:
    """The macro that makes a `choose` element of it has no place of its own."""
    text = policy.render("global.xml.j2")
    line = written("global.xml.j2", "guard.when(")
    for element in ("<choose>", "<when"):
        origin = policy.origin(text, rendered(text, element))
        assert origin is not None
        assert (origin.template, origin.line) == ("global.xml.j2", line)
    assert policy.written_lines("guards.xml.j2") == frozenset()
    assert line in policy.written_lines("global.xml.j2")


def test_a_text_that_nobody_rendered_has_no_origin() -> None:
    assert policy.origin("<policies />", 1) is None


@pytest.mark.usefixtures("_known")
def test_a_finding_names_the_template_when_the_text_is_known() -> None:
    with pytest.raises(PolicyError) as caught:
        stage.Stage(service("<wrong />"))
    (finding,) = caught.value.findings
    assert (finding.document, finding.line) == ("policies/made.xml.j2", 11)


@pytest.mark.usefixtures("_known")
def test_an_error_of_csharp_names_the_line_within_the_expression() -> None:
    with pytest.raises(PolicyError) as caught:
        stage.Stage(service('<set-variable name="wrong" value="@{\n  return nothing;\n}" />'))
    (finding,) = caught.value.findings
    assert (finding.document, finding.line) == ("policies/made.xml.j2", 12)


@pytest.mark.usefixtures("_known")
def test_what_several_documents_hold_of_a_template_is_told_once_with_the_first_of_them() -> None:
    wrong = "<policies><inbound><base /><wrong /></inbound></policies>"
    with pytest.raises(PolicyError) as caught:
        stage.stage(wrong, api=wrong)
    (finding,) = caught.value.findings
    assert (finding.document, finding.message) == (
        "policies/made.xml.j2",
        "there is no policy wrong (in api and 1 other document)",
    )


@pytest.mark.usefixtures("_known")
def test_a_warning_names_the_template() -> None:
    made = stage.stage(stage.policies('<set-variable name="wrong" value="@(&quot;a&quot;)" />'))
    (warning,) = made.gateway.warnings
    assert (warning.document, warning.line) == ("policies/made.xml.j2", 11)


@pytest.mark.usefixtures("_known")
@pytest.mark.parametrize(
    "policies",
    [
        stage.policies('\n<set-variable name="wrong" value="@(int.Parse("x"))" />'),
        stage.policies(
            '<set-variable name="wrong" value="@(int.Parse("x"))" />',
            on_error='\n<set-variable name="v" value="@(int.Parse("x"))" />',
        ),
    ],
    ids=["inbound", "on-error"],
)
def test_a_failure_while_it_runs_is_logged_with_its_template_and_document(
    policies: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = stage.stage(policies)
    made.ask()
    last = caplog.messages[-1]
    assert last.startswith("policies/made.xml.j2:12:1 (operation): GET /api/thing: <set-variable> (")
    assert "ExpressionValueEvaluationFailure" in last


@pytest.mark.usefixtures("_known")
def test_a_trace_names_the_template_and_the_document() -> None:
    made = stage.stage(stage.policies('\n<set-variable name="wrong" value="@(1 + 1)" />'))
    made.gateway.tracing = True
    made.ask()
    (trace,) = made.gateway.traces
    (statement, forward) = trace.statements
    (expression,) = statement.expressions
    assert (statement.document, trace.written(statement)) == ("operation", "policies/made.xml.j2:12:1")
    assert trace.written(expression) == "policies/made.xml.j2:12:35"
    assert trace.written(forward) == f"{forward.document}:{forward.line}:{forward.column}"
