"""A policy with a mistake: the program refuses it before anything is created, and so does Azure."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway import policy
from gateway.plan import Plan
from tests.engine import invariants
from tests.engine.conftest import Deploy
from tests.engine.stacks import FUNCTIONS
from tests.engine.timeline import Timeline

TOKEN, API = "oauth/token.xml.j2", "mcp/api.xml.j2"


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a mistake at the beginning of the inbound section of what a template renders."""
    render = policy.render

    def planted(template: str, mistake: str) -> None:
        def rendered(name: str, /, **variables: Any) -> str:
            text = render(name, **variables)
            if name == template:
                assert "<inbound>" in text
                text = text.replace("<inbound>", f"<inbound>{mistake}", 1)
            return text

        monkeypatch.setattr(policy, "render", rendered)

    return planted


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
    template: str, mistake: str, plant: Callable[[str, str], None], new_stack: Deploy
) -> None:
    plant(template, mistake)
    stack = new_stack(FUNCTIONS)
    for run in (stack.preview(), stack.up()):
        assert run.failed
        assert "policies" in run.output
        assert "Traceback" not in run.output
        assert run.calls == ()
    assert stack.azure.resources == {}


@pytest.mark.parametrize("template", [TOKEN, API])
def test_a_mistake_that_only_azure_finds_leaves_no_operation_without_policy(
    template: str, plant: Callable[[str, str], None], new_stack: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(template, '<set-variable name="x" value="{{no-such-value}}" />')
    monkeypatch.setattr(Plan, "check", lambda _plan: ())
    stack = new_stack(FUNCTIONS)
    failed = stack.up()
    assert failed.failed
    assert "no-such-value" in failed.output
    found = invariants.violations(Timeline(stack.azure.record.calls()))
    assert not found, "\n".join(found)
