"""Finds tokens, cookies and bodies that policies write to logs."""

import re
from collections.abc import Iterator

from apim.compiler import SECTIONS
from apim.findings import Finding
from apim.lint import marks
from apim.lint.marks import Marks
from apim.lint.subject import LocatedElement, Subject
from apim.rawxml import Value

_SINKS = frozenset({"trace", "emit-metric", "send-one-way-request", "log-to-eventhub"})
_HIDES = re.compile(r"ComputeHash|Encrypt|Decrypt")
_CALL = ".Trace("
_MENTION = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")


def check(subject: Subject, chain: list[str]) -> Iterator[Finding]:
    """Findings about values in an operation's logging policies that would reveal a secret."""
    statements = [policy for section in SECTIONS for policy in subject.all_parts(chain, section)]
    sinks = [policy for policy in statements if policy.element.name in _SINKS]
    tracing = [(policy, value) for policy in statements for value in policy.values() if _CALL in value.text]
    if not sinks and not tracing:
        return
    secrets = {value.name for value in subject.service.named_values if value.secret}
    variables = _variables(subject, statements, secrets)
    for policy, value in tracing:
        expression = subject.expression(policy.document, value)
        for secret in sorted(marks.traced(expression, variables) if expression else ()):
            yield policy.finding("traced-secret", f"context.Trace writes {secret} to the logs", value)
    for sink in sinks:
        for part in sink.within():
            for value in part.values():
                for secret in sorted(_shown(subject, part, value, variables, secrets)):
                    message = f"<{sink.element.name}> writes {secret} to the logs"
                    yield part.finding("traced-secret", message, value)


def _variables(subject: Subject, statements: list[LocatedElement], secrets: set[str]) -> dict[str, Marks]:
    """What context variables reveal, computed repeatedly until nothing changes."""
    variables: dict[str, Marks] = {}
    cached: Marks = marks.NONE
    while True:
        before = dict(variables)
        for policy in statements:
            attributes = policy.element.attributes
            value = attributes.get("value")
            if policy.element.name == "set-variable" and "name" in attributes and value is not None:
                if found := frozenset(_shown(subject, policy, value, variables, secrets)):
                    name = attributes["name"].text
                    variables[name] = variables.get(name, marks.NONE) | found
            elif policy.element.name == "cache-store-value" and value is not None:
                cached |= frozenset(_shown(subject, policy, value, variables, secrets))
            elif policy.element.name == "cache-lookup-value" and cached and "variable-name" in attributes:
                variables[attributes["variable-name"].text] = cached
            elif token := attributes.get("output-token-variable-name"):
                variables[token.text] = frozenset({"a token"})
        if variables == before:
            return variables


def _shown(
    subject: Subject, policy: LocatedElement, value: Value, variables: dict[str, Marks], secrets: set[str]
) -> Iterator[str]:
    if not _HIDES.search(value.text):
        yield from (f"the secret {name}" for name in _MENTION.findall(value.text) if name in secrets)
    expression = subject.expression(policy.document, value)
    if expression is not None:
        yield from marks.shown(expression, variables)
