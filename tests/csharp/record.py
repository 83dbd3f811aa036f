"""Records the results of expressions in a real C# compiler and runtime, as golden cases.

    .venv/bin/python -m tests.csharp.record [--write] EXPRESSION...

Prints a case for each expression, in the format of the golden files, and whether the evaluator agrees.
`--write` adds new cases to mono.json. The compiler is Mono's (Debian's `mono-mcs` with
`libnewtonsoft-json5.0-cil`). The expressions must not use `context`, because mono.json contains none. See
docs/golden-answers.md.
"""

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from apim.csharp.golden import compare_case
from tests.policies.compiler import mono

FILE = Path(__file__).parent / "mono.json"


def record(forms: list[str]) -> list[dict[str, Any]]:
    """The golden cases of expressions: the compiler's error, or the value or exception."""
    expressions = [mono.Expression(form, "expression", 1) for form in forms]
    with tempfile.TemporaryDirectory() as folder:
        errors = [_error_of(expression, Path(folder)) for expression in expressions]
        good = [expression for expression, error in zip(expressions, errors, strict=True) if error is None]
        numbers = [{"expression": number} for number in range(len(good))]
        results = iter(mono.run_all(good, numbers, Path(folder)) if good else [])
    return [
        {"form": form, **(next(results) if error is None else {"compile_error": error})}
        for form, error in zip(forms, errors, strict=True)
    ]


def _error_of(expression: mono.Expression, folder: Path) -> str | None:
    """The number of the compiler's first error, such as CS0221."""
    errors = mono.compile_all([expression], folder)
    number = re.search(r"error (CS\d+)", errors[0]) if errors else None
    return number[1] if number else None


def compared(case: dict[str, Any]) -> str:
    """A line with a case and whether the evaluator agrees; if not, a second line with its own result."""
    comparison = compare_case(case, {})
    shown = json.dumps(case, ensure_ascii=False)
    if comparison.outcome == "equal":
        return f"agrees: {shown}"
    evaluated = comparison.answer
    result = (
        f"refused: {evaluated['refused']}"
        if "refused" in evaluated
        else json.dumps(evaluated, ensure_ascii=False)
    )
    return f"DIFFERS: {shown}\n    the evaluator: {result}"


def add(cases: list[dict[str, Any]], file: Path = FILE) -> int:
    """Adds cases to a file of golden cases, with one case per line.

    Returns:
        The number of new cases.
    """
    text = file.read_text(encoding="utf-8")
    known = {case["form"] for case in json.loads(text)["cases"]}
    new = [case for case in cases if case["form"] not in known]
    lines = "".join(f",\n{json.dumps(case, ensure_ascii=False)}" for case in new)
    # Existing lines are unchanged, so that a diff of the file shows only the new cases.
    file.write_text(f"{text.rstrip().removesuffix(']}').rstrip()}{lines}\n]}}\n", encoding="utf-8")
    return len(new)


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.csharp.record")
    parser.add_argument("expression", nargs="+", help="'@(...)' or '@{...}'")
    parser.add_argument("--write", action="store_true", help=f"add the cases to {FILE.name}")
    options = parser.parse_args()
    if not mono.available():
        sys.exit("error: Mono is missing: run `sudo apt install mono-mcs libnewtonsoft-json5.0-cil`")
    for form in options.expression:
        if re.search(r"\bcontext\b", form):
            sys.exit(
                f"error: {form} uses `context`, and mono.json has none: record it with .NET in coreclr.json, "
                "as docs/golden-answers.md describes"
            )
    cases = record(options.expression)
    for case in cases:
        sys.stdout.write(f"{compared(case)}\n")
    if options.write:
        sys.stdout.write(f"{add(cases)} cases added to {FILE.name}\n")


if __name__ == "__main__":
    main()
