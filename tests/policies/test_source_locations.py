"""An error in a policy is reported with its location in the template."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest

from apim.findings import PolicyError
from apim.service import PolicyDocument, documents
from apim.source_map import SourceLocation
from gateway import policy
from tests.policies.engine.harness import Harness, policies, service
from tests.stacks import FUNCTIONS_ONLY
from twin.azure.cloud import Cloud
from twin.gateway_plan import DeclaredSourceMap, PlannedDocuments, plan_stack
from twin.stack import evaluate
from twin.translation import gateway

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = "oauth/api.xml.j2"


def written(template: str, text: str) -> int:
    """The number of the first line of a template that contains a string."""
    lines = (ROOT / "policies" / template).read_text().split("\n")
    return next(number for number, line in enumerate(lines, 1) if text in line)


def rendered(text: str, part: str) -> int:
    """The number of the first line of a rendered policy that contains a string."""
    return next(number for number, line in enumerate(text.split("\n"), 1) if part in line)


class _TenLinesLater:
    """The source map of a document whose first line is the eleventh line of its template."""

    def find(self, line: int, column: int) -> SourceLocation | None:
        return SourceLocation("policies/example.xml.j2", line + 10, column)

    def lines(self) -> frozenset[tuple[str, int]]:
        return frozenset()


def rendered_harness(operation: str, api: str | None = None) -> Harness:
    """A gateway whose policies have source maps."""
    declared = service(operation, api=api)

    def with_map(document: PolicyDocument | None) -> PolicyDocument | None:
        return document and replace(document, source_map=_TenLinesLater())

    apis = tuple(
        replace(
            api,
            policy=with_map(api.policy),
            operations=tuple(
                replace(operation, policy=with_map(operation.policy)) for operation in api.operations
            ),
        )
        for api in declared.apis
    )
    return Harness(replace(declared, apis=apis))


def test_a_rendered_policy_contains_no_markers() -> None:
    assert not {"\ue000", "\ue001"} & set(policy.render(TEMPLATE, root_messages=()))


def test_a_line_of_a_rendered_policy_is_located_in_its_template() -> None:
    text = policy.render(TEMPLATE, root_messages=())
    location = text.source_map.find(rendered(text, "<policies>"))
    assert location is not None
    assert location.file == f"policies/{TEMPLATE}"
    assert location.line == written(TEMPLATE, "<policies>")


def test_elements_that_a_macro_renders_have_the_line_of_the_macro_call() -> None:
    text = policy.render(TEMPLATE, root_messages=())
    line = written(TEMPLATE, "guard.when(")
    for element in ("<choose>", "<when"):
        location = text.source_map.find(rendered(text, element))
        assert location is not None
        assert (location.file, location.line) == (f"policies/{TEMPLATE}", line)
    assert policy.written_lines("guards.xml.j2") == frozenset()
    assert line in policy.written_lines(TEMPLATE)


def test_a_position_outside_a_document_has_no_location() -> None:
    text = policy.render(TEMPLATE, root_messages=())
    assert text.source_map.find(0) is None
    assert text.source_map.find(text.count("\n") + 2) is None


def test_a_rendered_policy_is_copied_with_its_source_map() -> None:
    text = policy.render(TEMPLATE, root_messages=())
    copied = copy.deepcopy(text)
    assert copied == text
    assert copied.source_map.lines() == text.source_map.lines()


def test_the_policies_of_a_declared_stack_have_the_source_maps_of_its_plan() -> None:
    cloud = Cloud()
    declared = list(documents(gateway.service(evaluate(FUNCTIONS_ONLY, cloud=cloud), cloud)))
    planned = {document.xml: document for document in documents(plan_stack(FUNCTIONS_ONLY).service())}
    assert len(declared) > 10
    for document in declared:
        source_map, planned_map = document.source_map, planned[document.xml].source_map
        assert source_map is not None
        assert planned_map is not None
        assert source_map.lines() == planned_map.lines() != frozenset()
        assert source_map.find(1, 1) == planned_map.find(1, 1)


def test_a_changed_policy_of_a_declared_stack_has_no_source_locations() -> None:
    source_map = DeclaredSourceMap("<policies />", PlannedDocuments(None))
    assert source_map.find(1, 1) is None
    assert source_map.lines() == frozenset()


def test_a_finding_in_a_document_with_a_source_map_names_the_template() -> None:
    with pytest.raises(PolicyError) as caught:
        rendered_harness(policies("<wrong />"))
    (finding,) = caught.value.findings
    assert (finding.document, finding.line) == ("policies/example.xml.j2", 11)


def test_an_error_of_csharp_names_the_line_within_the_expression() -> None:
    with pytest.raises(PolicyError) as caught:
        rendered_harness(policies('<set-variable name="wrong" value="@{\n  return nothing;\n}" />'))
    (finding,) = caught.value.findings
    assert (finding.document, finding.line) == ("policies/example.xml.j2", 12)


def test_a_finding_in_several_documents_is_reported_once_with_the_first_of_them() -> None:
    wrong = "<policies><inbound><base /><wrong /></inbound></policies>"
    with pytest.raises(PolicyError) as caught:
        rendered_harness(wrong, api=wrong)
    (finding,) = caught.value.findings
    assert (finding.document, finding.message) == (
        "policies/example.xml.j2",
        "unknown policy wrong (in api and 1 other document)",
    )


def test_a_warning_names_the_template() -> None:
    harness = rendered_harness(policies('<set-variable name="wrong" value="@(&quot;a&quot;)" />'))
    (warning,) = harness.gateway.warnings
    assert (warning.document, warning.line) == ("policies/example.xml.j2", 11)


@pytest.mark.parametrize(
    "policies",
    [
        policies('\n<set-variable name="wrong" value="@(int.Parse("x"))" />'),
        policies(
            '<set-variable name="wrong" value="@(int.Parse("x"))" />',
            on_error='\n<set-variable name="v" value="@(int.Parse("x"))" />',
        ),
    ],
    ids=["inbound", "on-error"],
)
def test_a_failure_at_run_time_is_logged_with_its_template_and_document(
    policies: str, caplog: pytest.LogCaptureFixture
) -> None:
    harness = rendered_harness(policies)
    harness.send()
    last = caplog.messages[-1]
    assert last.startswith("policies/example.xml.j2:12:1 (operation): GET /api/items: <set-variable> (")
    assert "ExpressionValueEvaluationFailure" in last


def test_a_trace_names_the_template_and_the_document() -> None:
    harness = rendered_harness(policies('\n<set-variable name="wrong" value="@(1 + 1)" />'))
    harness.gateway.tracing = True
    harness.send()
    (trace,) = harness.gateway.traces
    (statement, forward) = trace.statements
    (expression,) = statement.expressions
    assert (statement.document, trace.written(statement)) == ("operation", "policies/example.xml.j2:12:1")
    assert trace.written(expression) == "policies/example.xml.j2:12:35"
    assert trace.written(forward) == f"{forward.document}:{forward.line}:{forward.column}"
