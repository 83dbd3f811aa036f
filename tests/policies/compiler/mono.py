"""Compiles policy expressions with a real C# compiler, `mono-mcs`, against the documented context."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CONTEXT = Path(__file__).parent / "Context.cs"
NEWTONSOFT = Path("/usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll")

# The namespaces that API Management imports into every expression.
_USINGS = """using System; using System.Collections.Generic; using System.Linq; using System.Net;
using System.Text;
using System.Text.RegularExpressions; using System.Security.Cryptography; using System.Xml.Linq;
using Newtonsoft.Json; using Newtonsoft.Json.Linq;
"""
_NAMED_VALUE = re.compile(r"\{\{[A-Za-z0-9._-]+\}\}")


@dataclass(frozen=True)
class Expression:
    """C# with its `@( )` or `@{ }`, and where it stands."""

    text: str
    document: str
    line: int


def available() -> bool:
    """Whether compiler and Newtonsoft are installed."""
    return shutil.which("mcs") is not None and NEWTONSOFT.exists()


def compile_all(expressions: Iterable[Expression], folder: Path) -> list[str]:
    """The compiler's errors, each with document and line; none when it agrees.

    Args:
        folder: where source and library are written.
    """
    methods = [_method(number, expression) for number, expression in enumerate(expressions)]
    source = folder / "Expressions.cs"
    source.write_text(
        _USINGS
        + "#pragma warning disable\nclass Expressions { IContext context;\n"
        + "\n".join(methods)
        + "\n}"
    )
    command = ["mcs", "-langversion:7", "-target:library", "-nologo", f"-out:{folder / 'Expressions.dll'}"]
    command += ["-r:System.Xml.Linq.dll", f"-r:{NEWTONSOFT}", str(source), str(CONTEXT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if "error CS" in line]


def _method(number: int, expression: Expression) -> str:
    place = f'#line {expression.line} "{expression.document}"'
    text = _NAMED_VALUE.sub("QUJD", expression.text)
    body = f"return ({text[2:-1]});" if text.startswith("@(") else text[2:-1]
    return f"{place}\nobject E{number}() {{\n{place}\n{body}\n}}"
