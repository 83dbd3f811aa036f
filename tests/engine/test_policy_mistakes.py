"""Policies with a mistake.

The program refuses them before anything is created. A mistake that only Azure finds leaves no operation
without its policy.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest

from gateway import policy
from gateway.plan import Plan
from scripts.pulumi_cli import ROOT
from tests.engine import invariants
from tests.engine.conftest import Deploy
from tests.engine.program import Project
from tests.engine.stacks import FUNCTIONS
from tests.engine.timeline import Timeline

TOKEN, API = "oauth/token.xml.j2", "mcp/api.xml.j2"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectWithMistake(Project):
    """The program, with a mistake at the beginning of the inbound section of one policy.

    Attributes:
        template: the template of the policy.
        mistake: policy XML.
        unchecked: whether the program deploys policies without checking them.
    """

    template: str
    mistake: str
    unchecked: bool = False

    def __call__(self) -> None:
        render = policy.render

        def rendered(name: str, /, **variables: Any) -> str:
            text = render(name, **variables)
            if name == self.template:
                assert "<inbound>" in text
                text = text.replace("<inbound>", f"<inbound>{self.mistake}", 1)
            return text

        with ExitStack() as patches:
            patches.enter_context(patch.object(policy, "render", rendered))
            if self.unchecked:
                patches.enter_context(patch.object(Plan, "check"))
            Project.__call__(self)


@pytest.mark.parametrize(
    ("template", "mistake"),
    [
        (TOKEN, '<set-variable name="x" value="{{no-such-value}}" />'),
        (TOKEN, '<set-variable name="x" value="@(System.IO.File.ReadAllText(&quot;x&quot;))" />'),
        (API, '<include-fragment fragment-id="no-such-fragment" />'),
        (API, "<set-header>"),
    ],
    ids=["named value", "type", "fragment", "xml"],
)
def test_a_mistake_stops_a_deployment_before_anything_is_created(
    template: str, mistake: str, new_stack: Deploy
) -> None:
    stack = new_stack(FUNCTIONS)
    stack.program = ProjectWithMistake(root=ROOT, template=template, mistake=mistake)
    for run in (stack.preview(), stack.up()):
        assert run.failed
        assert "policies" in run.output
        assert "Traceback" not in run.output
        assert run.calls == ()
    assert stack.azure.resources == {}


@pytest.mark.parametrize("template", [TOKEN, API])
def test_a_mistake_that_only_azure_finds_leaves_no_operation_without_policy(
    template: str, new_stack: Deploy
) -> None:
    stack = new_stack(FUNCTIONS)
    mistake = '<set-variable name="x" value="{{no-such-value}}" />'
    stack.program = ProjectWithMistake(root=ROOT, template=template, mistake=mistake, unchecked=True)
    failed = stack.up()
    assert failed.failed
    assert "no-such-value" in failed.output
    violations = invariants.violations(Timeline(stack.azure.record.calls()))
    assert not violations, "\n".join(violations)
