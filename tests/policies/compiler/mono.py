"""Compiles policy expressions with a real C# compiler, `mono-mcs`, against the documented types."""

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTEXT = Path(__file__).parent / "Context.cs"
RUNNING = Path(__file__).parent / "Running.cs"
NEWTONSOFT = Path("/usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll")

# Published policies use the types of these namespaces without qualification. It is not documented which
# namespaces API Management imports (R2).
_USINGS = """using System; using System.Collections.Generic; using System.Linq; using System.Text;
using System.Text.RegularExpressions; using System.Security.Cryptography;
using Newtonsoft.Json; using Newtonsoft.Json.Linq;
"""
_NAMED_VALUE = re.compile(r"\{\{([A-Za-z0-9._-]+)\}\}")
_KEY_BYTES = {"token-key-v": 64, "consent-key-v": 32}


@dataclass(frozen=True)
class Expression:
    """C# with its `@( )` or `@{ }`, and its source location."""

    text: str
    document: str
    line: int


def available() -> bool:
    """Whether the compiler and Newtonsoft.Json are installed."""
    return shutil.which("mcs") is not None and NEWTONSOFT.exists()


def compile_all(expressions: Iterable[Expression], folder: Path) -> list[str]:
    """The errors of the compiler, each with document and line; an empty list if all expressions compile.

    Args:
        folder: where the source and the library are written.
    """
    return _compile(_source(list(expressions)), folder, "-target:library", CONTEXT)


def run_all(expressions: list[Expression], cases: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Runs cases with Mono. The result of each case is `{"type", "value"}` or `{"throws"}`.

    Args:
        expressions: the expressions to run; `DateTime.UtcNow` in them is the POSIX time 1,700,000,000.
        cases: the data from which `Running.cs` creates a context, and the index of its `expression`.
        folder: where the source, the program and the cases are written.
    """
    source = _source(expressions).replace("DateTimeOffset.UtcNow", "new DateTimeOffset(Clock.UtcNow)")
    source = source.replace("DateTime.UtcNow", "Clock.UtcNow")
    errors = _compile(source, folder, "-target:exe", CONTEXT, RUNNING)
    if errors:
        raise ValueError("\n".join(errors))
    shutil.copy(NEWTONSOFT, folder)
    (folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    command = ["mono", str(folder / "Expressions.exe"), str(folder / "cases.json")]
    completed = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "TZ": "UTC"})
    return [json.loads(line) for line in completed.stdout.decode().splitlines()]


def _source(expressions: list[Expression]) -> str:
    methods = [_method(number, expression) for number, expression in enumerate(expressions)]
    choices = "".join(f"case {number}: return E{number}(); " for number in range(len(methods)))
    return (
        _USINGS
        + "#pragma warning disable\npublic class Expressions { readonly IContext context;\n"
        + "public Expressions(IContext context) { this.context = context; }\n"
        + "\n".join(methods)
        + "\npublic object Run(int number) { switch (number) { "
        + choices
        + "default: throw new ArgumentException(); } }\n}"
    )


def _compile(source: str, folder: Path, target: str, *libraries: Path) -> list[str]:
    path = folder / "Expressions.cs"
    path.write_text(source)
    program = folder / ("Expressions.dll" if "library" in target else "Expressions.exe")
    command = ["mcs", "-langversion:7", target, "-nologo", f"-out:{program}"]
    command += ["-r:System.Xml.Linq.dll", f"-r:{NEWTONSOFT}", str(path), *map(str, libraries)]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line for line in (completed.stdout + completed.stderr).splitlines() if "error CS" in line]


def _method(number: int, expression: Expression) -> str:
    directive = f'#line {expression.line} "{expression.document}"'
    text = with_values(expression.text)
    body = f"return ({text[2:-1]});" if text.startswith("@(") else text[2:-1]
    return f"{directive}\nobject E{number}() {{\n{directive}\n{body}\n}}"


def with_values(text: str) -> str:
    """An expression with values in place of `{{named values}}`: keys of the right size, `QUJD` for others."""
    return _NAMED_VALUE.sub(lambda match: _sample(match[1]), text)


def _sample(name: str) -> str:
    """A value for a named value; each version of a key has a different value."""
    family, version = name.rstrip("0123456789"), name.lstrip("abcdefghijklmnopqrstuvwxyz-")
    if family not in _KEY_BYTES:
        return "QUJD"
    return base64.b64encode(bytes([64 + int(version)]) * _KEY_BYTES[family]).decode()
