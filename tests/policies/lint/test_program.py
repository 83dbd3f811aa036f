"""The program's policies have no findings, and an error in a policy stops the program before it creates
anything."""

from typing import Any

import pytest

from gateway import policy
from tests.program.variants import SECRETS, VARIANTS
from tests.stacks import FUNCTIONS_ONLY
from twin import lint_command
from twin.gateway_plan import plan_stack
from twin.monitor import Monitor
from twin.stack import StackError, evaluate

_RENDER = policy.render


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_projects_policies_have_no_findings(variant: str) -> None:
    config = {**FUNCTIONS_ONLY, **VARIANTS[variant]}
    secrets = {key: config.pop(key) for key in SECRETS if key in config}
    assert plan_stack(config, secrets).findings() == []


@pytest.mark.parametrize("preview", [True, False])
def test_a_broken_template_stops_the_program_before_anything_is_created(
    monkeypatch: pytest.MonkeyPatch, preview: bool
) -> None:
    def broken(template: str, **variables: Any) -> str:
        return _RENDER(template, **variables).replace("{{cosmos-url}}", "{{cosmos-ulr}}")

    registered: list[str] = []
    register = Monitor.RegisterResource

    def recording(self: Monitor, request: Any) -> Any:
        registered.append(request.type)
        return register(self, request)

    monkeypatch.setattr(policy, "render", broken)
    monkeypatch.setattr(Monitor, "RegisterResource", recording)
    with pytest.raises(StackError, match="undeclared-named-value: the named value cosmos-ulr") as caught:
        evaluate(FUNCTIONS_ONLY, preview=preview)
    assert str(caught.value).count("cosmos-ulr") > 3
    assert [type_ for type_ in registered if type_ != "pulumi:pulumi:Stack"] == []


def test_an_api_without_its_token_check_stops_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(template: str, **variables: Any) -> str:
        rendered = _RENDER(template, **variables)
        if template != "fragments/mcp-token.xml.j2":
            return rendered
        condition = '<when condition="@(((JObject)context.Variables["query"])["access_token"] != null)">'
        start = rendered.rindex("<choose>", 0, rendered.index(condition))
        return rendered[:start] + rendered[rendered.index('<set-variable name="grantId"', start) :]

    monkeypatch.setattr(policy, "render", broken)
    with pytest.raises(StackError, match="token"):
        evaluate(FUNCTIONS_ONLY, preview=True)


def test_the_lint_command_lists_the_findings_that_stop_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(template: str, /, **variables: Any) -> str:
        return _RENDER(template, **variables).replace("{{cosmos-url}}", "{{cosmos-ulr}}")

    monkeypatch.setattr(policy, "render", broken)
    findings = lint_command.check_stack("dev")
    assert {finding.code for finding in findings} == {"undeclared-named-value", "unused-named-value"}
