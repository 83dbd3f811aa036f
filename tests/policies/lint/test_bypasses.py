"""The lint finds bypasses of the token check that are planted in copies of the project's templates."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import pytest

from apim import lint
from apim.findings import Finding
from apim.lint import ServiceFacts
from apim.service import PolicyDocument, Service
from gateway import policy
from tests.stacks import FUNCTIONS_ONLY
from twin.gateway_plan import plan_stack

FOLDER = Path(__file__).resolve().parents[3] / "policies"
API, TOKEN, RESPONSE_FRAGMENT = "mcp/api.xml.j2", "fragments/mcp-token.xml.j2", "fragments/mcp-answer.xml.j2"
ACCESS_TOKEN, DECRYPT = "csharp/access-token.cs.j2", "csharp/decrypt.cs.j2"
CHECK = '<include-fragment fragment-id="mcp-token" />'
RESPONSE_CHECK = '<include-fragment fragment-id="mcp-answer" />'
MAC = "if (Convert.ToBase64String(mac.ComputeHash(tag)) != Convert.ToBase64String(mac.ComputeHash(expected)))"
FIRST_STATEMENT = "string[] lines;"
FORGED_CLAIMS = 'return new JObject { ["sub"] = "anyone" };'

Edit = tuple[str, str, str]
"""A template, a part of its text, and the text that replaces this part."""
ReviewEdited = Callable[..., list[Finding]]


@pytest.fixture(scope="module")
def review_edited() -> ReviewEdited:
    """Renders the stack's policies from edited templates, and returns the lint's findings in them.

    The program runs once with the original templates, to record which templates it renders with which
    variables. Each review renders them again and replaces the documents of the recorded service.
    """
    rendered: list[tuple[str, dict[str, Any], str]] = []
    reviewed: list[tuple[Service, ServiceFacts | None]] = []
    render, check = policy.render, lint.check

    def recording_render(template: str, /, **variables: Any) -> str:
        rendered.append((template, variables, render(template, **variables)))
        return rendered[-1][2]

    def recording_check(service: Service, facts: ServiceFacts | None = None) -> list[Finding]:
        reviewed.append((service, facts))
        return check(service, facts)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(policy, "render", recording_render)
        patched.setattr(lint, "check_once", recording_check)
        plan_stack(FUNCTIONS_ONLY).check()
    ((service, facts),) = reviewed

    edited: dict[str, str] = {}

    def source(name: str) -> str:
        return edited.get(name) or (FOLDER / name).read_text(encoding="utf-8")

    def load(name: str) -> tuple[str, None, Callable[[], bool]]:
        text = source(name)
        return text, None, lambda: source(name) == text

    environment = policy._environment(policy.Organisation()).overlay(
        loader=jinja2.FunctionLoader(load), cache_size=-1
    )

    def review(*edits: Edit) -> list[Finding]:
        edited.clear()
        for file, old, new in edits:
            assert old in source(file)
            edited[file] = source(file).replace(old, new, 1)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(policy, "_environment", lambda *_: environment)
            texts = {text: render(template, **variables) for template, variables, text in rendered}

        def new(document: PolicyDocument | None) -> PolicyDocument | None:
            return document and replace(document, xml=texts[document.xml])

        apis = tuple(
            replace(
                api,
                policy=new(api.policy),
                operations=tuple(
                    replace(operation, policy=new(operation.policy)) for operation in api.operations
                ),
            )
            for api in service.apis
        )
        fragments = tuple(
            replace(fragment, document=new(fragment.document)) for fragment in service.fragments
        )
        edited_service = replace(service, policy=new(service.policy), apis=apis, fragments=fragments)
        return check(edited_service, facts)

    return review


def within(condition: str) -> Edit:
    """The token check runs only under a condition."""
    return API, CHECK, f'<choose><when condition="@({condition})">{CHECK}</when></choose>'


def bypass(condition: str) -> Edit:
    """The C# that decrypts a token returns forged claims under a condition."""
    return ACCESS_TOKEN, FIRST_STATEMENT, f"if ({condition}) {{ {FORGED_CLAIMS} }}\n{FIRST_STATEMENT}"


BYPASSES: dict[str, tuple[Edit, ...]] = {
    "the check removed": ((API, CHECK, ""),),
    "commented out in Jinja": ((API, CHECK, f"[# {CHECK} #]"),),
    "the MAC commented out in C#": ((DECRYPT, MAC, f"// {MAC}"),),
    "the MAC compared with itself": ((DECRYPT, "mac.ComputeHash(expected)", "mac.ComputeHash(tag)"),),
    "the result of the MAC comparison ignored": ((DECRYPT, f"{MAC} {{ [[ otherwise ]] }}", f"{MAC} {{ }}"),),
    "claims returned before the MAC is compared": (
        (
            DECRYPT,
            "var authenticated =",
            f"if (parts.Length == 5) {{ {FORGED_CLAIMS} }}\nvar authenticated =",
        ),
    ),
    "a condition that is always false": (within("false"),),
    "a header turns the check off": (
        within('context.Request.Headers.GetValueOrDefault("X-Debug", "") != "1"'),
    ),
    "one operation without the check": (within('context.Operation.Id != "post"'),),
    "only during some hours": (within("DateTime.UtcNow.Hour < 12"),),
    "a header replaces the token": (bypass('context.Request.Headers.ContainsKey("X-Debug")'),),
    "a constant token": (
        bypass('context.Request.Headers.GetValueOrDefault("Authorization", "") == "Bearer letmein"'),
    ),
    "the check only in outbound": ((API, CHECK, ""), (API, RESPONSE_CHECK, CHECK + RESPONSE_CHECK)),
}


@pytest.mark.parametrize("name", BYPASSES)
def test_a_template_change_that_bypasses_the_token_check_is_found(
    name: str, review_edited: ReviewEdited
) -> None:
    findings = [
        finding
        for finding in review_edited(*BYPASSES[name])
        if finding.code in {"missing-token-check", "unverified-token"}
    ]
    assert findings
    assert all(finding.document.startswith("policies/") for finding in findings)


def test_a_commented_out_check_has_its_own_finding(review_edited: ReviewEdited) -> None:
    findings = [
        finding
        for finding in review_edited((API, CHECK, f"<!-- {CHECK} -->"))
        if finding.code == "commented-token-check"
    ]
    assert [finding.document for finding in findings] == [f"policies/{API}"]


def test_the_unchanged_templates_have_no_findings(review_edited: ReviewEdited) -> None:
    assert review_edited() == []


def test_a_fragment_inside_a_condition_is_checked_for_buffering(review_edited: ReviewEdited) -> None:
    findings = review_edited(
        (API, RESPONSE_CHECK, f'<choose><when condition="@(true)">{RESPONSE_CHECK}</when></choose>'),
        (RESPONSE_FRAGMENT, "<fragment>", '<fragment>\n<find-and-replace from="a" to="b" />'),
    )
    assert {finding.code for finding in findings} == {"buffered-stream"}
