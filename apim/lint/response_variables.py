"""Finds variables that may not exist after a call whose error was ignored (R8, R18).

When `send-request` or `authentication-managed-identity` fails with `ignore-error="true"`, its variable
may be null, may not exist, or may keep its previous value. Therefore it must be read with
`GetValueOrDefault`, and two calls of a request must not share a variable: if the second call failed, the
variable would still contain the response of the first.
"""

from collections.abc import Iterator

from apim.compiler import SECTIONS
from apim.csharp.language import syntax
from apim.findings import Finding
from apim.lint.subject import LocatedElement, Subject
from apim.lint.trees import all_nodes, at, named_key
from apim.rawxml import Value

_VARIABLES = ("response-variable-name", "output-token-variable-name")


def check(subject: Subject) -> Iterator[Finding]:
    """Findings about variables of such calls that are read with the indexer."""
    names = {
        variable.text
        for document, root in subject.roots.items()
        for policy in LocatedElement(document, root).within()
        if (variable := _variable(policy)) is not None
    }
    for located in subject.catalogue.expressions:
        if not any(f"variables:{name}" in located.expression.reads for name in names):
            continue
        for node in all_nodes(located.expression.source):
            read = named_key(node)
            if (
                read is not None
                and read.key in names
                and read.method == ""
                and isinstance(read.collection, syntax.Member)
                and read.collection.name == "Variables"
            ):
                line, column = at(located, node.at)
                yield Finding(
                    document=located.document,
                    line=line,
                    column=column,
                    message=f"the variable {read.key} may not exist if the call failed",
                    code="response-variable",
                )


def check_operation(subject: Subject, chain: list[str]) -> Iterator[Finding]:
    """Findings about calls of an operation that share a variable."""
    first: dict[str, LocatedElement] = {}
    for section in SECTIONS:
        for policy in subject.all_parts(chain, section):
            variable = _variable(policy)
            if variable is None or policy.element.name != "send-request":
                continue
            earlier = first.setdefault(variable.text, policy)
            if earlier.element is not policy.element:
                message = f"another call stores its response in {variable.text}"
                yield policy.finding("shared-response-variable", message, variable)


def _variable(policy: LocatedElement) -> Value | None:
    """The variable of a call whose error is ignored; None for any other policy."""
    attributes = policy.element.attributes
    ignored = attributes.get("ignore-error")
    if ignored is None or (not ignored.expression and ignored.text.strip().lower() != "true"):
        return None
    return next((attributes[name] for name in _VARIABLES if name in attributes), None)
