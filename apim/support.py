"""Generates the tables of docs/policy-support.md: the policies, types and members that the engine supports.

    python -m apim.support

The tables come from the descriptions that the engine itself uses: the shapes of policy elements, and the
types and members that expressions are compiled with.
"""

from collections.abc import Iterator

from apim.compiler import SECTIONS
from apim.csharp import members
from apim.csharp.dotnet.types import DEFINITIONS, Definition
from apim.page import replace_part
from apim.policies import POLICIES, UNSUPPORTED
from apim.policy import Policy
from apim.shape import Attribute, Kind, Shape, Text

_KINDS = {
    Kind.BOOLEAN: "`true` or `false`",
    Kind.INTEGER: "whole number",
    Kind.NUMBER: "number",
    Kind.STRING: "string",
}


def policies() -> str:
    """The supported policies, and the names of the unsupported ones."""
    lines = [
        f"{len(POLICIES)} policies are supported. Each may also have the attribute `id`.",
    ]
    for name in sorted(POLICIES):
        lines += ["", *_policy(POLICIES[name])]
    lines += [
        "",
        f"A document with one of these {len(UNSUPPORTED)} policies is rejected:",
        "",
        ", ".join(f"`{name}`" for name in sorted(UNSUPPORTED)) + ".",
    ]
    return "\n".join(lines)


def csharp() -> str:
    """The types and members that expressions may use, by namespace."""
    members.load()
    listed = [known for known in DEFINITIONS.values() if known.namespace and (known.members or known.values)]
    total = sum(len(signatures) for known in listed for signatures in known.members.values())
    lines = [f"{len(listed)} types with {total} members. Enumerations show their values."]
    for namespace in sorted({known.namespace for known in listed}):
        lines += ["", f"<details><summary><code>{namespace}</code></summary>", ""]
        lines += [
            _type(known)
            for known in sorted(listed, key=lambda known: known.name)
            if known.namespace == namespace
        ]
        lines += ["", "</details>"]
    return "\n".join(lines)


def _policy(policy: Policy) -> Iterator[str]:
    sections = [section for section in SECTIONS if section in policy.sections]
    where = "in every section" if len(sections) == len(SECTIONS) else f"in {', '.join(sections)}"
    notes = [where]
    if policy.once:
        notes.append("once in a section")
    if policy.unavailable:
        notes.append(f"not in {', '.join(sorted(policy.unavailable))}")
    yield f"**`{policy.name}`**: {'; '.join(notes)}."
    rows = list(_rows(policy.shape, policy.name))
    if rows:
        yield ""
        yield "| element | attribute | value | expression |"
        yield "|---|---|---|---|"
        yield from rows


def _rows(shape: Shape, path: str) -> Iterator[str]:
    """A row for each attribute, for the text, and for each child element."""
    for attribute in shape.attributes:
        if attribute.unsupported:
            yield f"| `{path}` | `{attribute.name}` | **refused**: {attribute.unsupported} | |"
        else:
            yield f"| `{path}` | `{attribute.name}` | {_value(attribute)} | {_allows(attribute.expression)} |"
    if shape.text is not Text.NONE:
        need = "required " if shape.text_required else ""
        yield f"| `{path}` | (text) | {need}{_KINDS[shape.kind]} | {_allows(shape.text is Text.VALUE)} |"
    if shape.statements:
        yield f"| `{path}` | (content) | policies | |"
    for child in shape.children:
        inner = f"{path}/{child.name}"
        if child.unsupported:
            yield f"| `{inner}` | | **refused**: {child.unsupported} | |"
            continue
        most = "any number" if child.most is None else f"at most {child.most}"
        yield f"| `{inner}` | | {f'at least {child.least}, ' if child.least else ''}{most} | |"
        if child.name in POLICIES:
            continue
        yield from _rows(child.shape, inner)


def _value(attribute: Attribute) -> str:
    if attribute.values:
        text = ", ".join(f"`{value}`" for value in attribute.values)
    else:
        text = _KINDS[attribute.kind]
    if attribute.least is not None or attribute.most is not None:
        bounds = (
            f"from {attribute.least:g}" if attribute.least is not None else "",
            f"to {attribute.most:g}" if attribute.most is not None else "",
        )
        text += f" {' '.join(bound for bound in bounds if bound)}"
    if attribute.required:
        return f"required {text}"
    return text if attribute.default is None else f"{text}; default `{attribute.default}`"


def _allows(expression: bool) -> str:
    return "yes" if expression else "no"


def _type(known: Definition) -> str:
    parameters = f"<{', '.join(known.parameters)}>" if known.parameters else ""
    signatures = [
        signature for name in sorted(known.members) for signature, _function in known.members[name]
    ] or list(known.values)
    # A paragraph instead of a table: a table with a row for each member would be too long to read.
    return f"- **`{known.kind} {known.name}{parameters}`**: " + ", ".join(f"`{text}`" for text in signatures)


def main() -> None:
    """Writes the tables into the page."""
    replace_part("policies", policies())
    replace_part("csharp", csharp())


if __name__ == "__main__":
    main()
