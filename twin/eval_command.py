"""`python -m twin eval`: evaluates a policy expression, or a file of cases."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from apim.csharp import CSharpError, DotNetException, compile_expression, golden
from apim.csharp.dotnet.values import to_python, type_of

_MEMBERS = {
    "request": ("method", "url", "headers", "body", "matchedParameters"),
    "response": ("status", "reason", "headers", "body"),
    "variables": None,
}


class UnusableError(Exception):
    """A file cannot be used; the message contains the reason."""


def evaluate(text: str, context_file: Path | None) -> bool:
    """Prints the value of an expression and its type, or the error; returns whether the evaluation succeeded.

    Raises:
        UnusableError: the context file cannot be read or has another format.
    """
    console = Console(soft_wrap=True, highlight=False)
    properties = _read(context_file) if context_file else {}
    for problem in _unknown(properties):
        raise UnusableError(f"{context_file}: {problem}")
    try:
        context = golden.build_context(properties, now=time.time)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnusableError(f"{context_file} does not describe a context: {error}") from None
    try:
        expression = compile_expression(text.strip(), name="expression")
    except CSharpError as error:
        console.print(f"refused at {error.line}:{error.column}: {escape(error.message)}")
        return False
    try:
        value = expression.evaluate(context)
    except DotNetException as error:
        console.print(f"{error.type_name}: {escape(error.message)}")
        return False
    if value is None:
        console.print("null")
        return True
    console.print(escape(str(to_python(golden.printed(value)))))
    console.print(f"[dim]{escape(type_of(value).clr_name)}[/]")
    return True


def compare_file(file: Path) -> bool:
    """Prints the cases with another result or a rejection, and a summary; returns whether no result differs.

    Raises:
        UnusableError: the file cannot be read or has another format.
    """
    try:
        results = golden.compare_file(file)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnusableError(f"{file} cannot be used: {type(error).__name__}: {error}") from None
    console = Console(soft_wrap=True, highlight=False)
    for result in results:
        if result.outcome != "equal":
            console.print(f"{result.outcome}: {escape(result.form)}")
            console.print(f"  expected {escape(json.dumps(result.expected, ensure_ascii=False))}")
            console.print(f"  actual   {escape(json.dumps(result.answer, ensure_ascii=False))}")
    count = {
        outcome: sum(result.outcome == outcome for result in results)
        for outcome in ("equal", "refused", "different")
    }
    console.print(
        f"{len(results)} cases: {count['equal']} equal, {count['refused']} refused, "
        f"{count['different']} different"
    )
    return not count["different"]


def _unknown(properties: dict[str, Any]) -> Iterator[str]:
    """A message for each unknown or invalid member of a context, which would otherwise be ignored."""
    for part, value in properties.items():
        if part not in _MEMBERS:
            yield f"a context has no member {part}, only {', '.join(_MEMBERS)}"
        elif not isinstance(value, dict | None):
            yield f"{part} is not a JSON object"
        for name in value or () if _MEMBERS.get(part) else ():
            if name not in (_MEMBERS[part] or ()):
                yield f"{part} has no member {name}, only {', '.join(_MEMBERS[part] or ())}"


def _read(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnusableError(f"{file} cannot be read as JSON: {error}") from None
    if not isinstance(document, dict):
        raise UnusableError(f"{file} does not contain a JSON object")
    return document
