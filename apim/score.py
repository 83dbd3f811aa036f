"""Measures how much of Microsoft's policy snippets this engine supports, for docs/policy-support.md.

    git clone https://github.com/Azure/api-management-policy-snippets
    git -C api-management-policy-snippets checkout 87225c2090e45add095919e8767c37d9ece42e0c
    python -m apim.score api-management-policy-snippets [--write]

Prints the report; `--write` writes it into the page. The report contains only counts, names of policies and
members, and messages of this engine.

An expression *compiles* when it can be parsed and translated, and API Management allows each of its types
and members: a policy document with it can be loaded. It *runs* when one evaluation ends with a value or
with a .NET exception. The evaluation uses an artificial context in which each variable has a value of the
type to which the expression casts it. Whether the values equal those of .NET is not measured here but by
the golden answers of tests/csharp.
"""

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from apim import rawxml
from apim.compiler import SECTIONS, Catalogue
from apim.csharp import CSharpError, DotNetException, UnsupportedError, compile_expression, find_end
from apim.csharp.context import Context
from apim.csharp.errors import CompileError
from apim.csharp.golden import build_context
from apim.csharp.language.statement_parser import parse
from apim.findings import Finding, PolicyError
from apim.named_values import mentioned, substitute
from apim.page import replace_part
from apim.policies import POLICIES, UNSUPPORTED
from apim.service import BackendEntity, ManagedIdentity, NamedValue, PolicyDocument, PolicyFragment, Service

COMMIT = "87225c2090e45add095919e8767c37d9ece42e0c"
SKU = "BasicV2"

# Valid as a number, as a string and as base64.
_NAMED_VALUE = "1234"
_JWT = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiIxMjM0IiwibmFtZSI6ImEifQ.MTIzNA"
_JSON = '{"status": 200, "value": "1234", "access_token": "1234", "items": [{"name": "a"}]}'
_MESSAGE = {"headers": {"Content-Type": ["application/json"]}, "body": _JSON}
_REQUEST = {
    **_MESSAGE,
    "method": "POST",
    "url": "https://gateway.example/orders/1234?code=1234&state=1234",
    "headers": {**_MESSAGE["headers"], "Authorization": [f"Bearer {_JWT}"], "X-Forwarded-For": ["10.0.0.1"]},
    "matchedParameters": {"id": "1234"},
}

# Values of variables, by the type to which an expression casts them.
_VALUES = {
    "string": f'@("{_NAMED_VALUE}")',
    "bool": "@(true)",
    "int": "@(1234)",
    "long": "@(1234L)",
    "byte[]": '@(Convert.FromBase64String("1234"))',
    "string[]": '@(new [] { "1234" })',
    "Jwt": f'@("{_JWT}".AsJwt())',
    "JObject": "@(context.Request.Body.As<JObject>(preserveContent: true))",
    "JToken": "@(context.Request.Body.As<JToken>(preserveContent: true))",
    "JArray": '@(new JArray("1234"))',
    "IResponse": "@(context.Response)",
}
_CAST = re.compile(
    r'\(\s*(?P<cast>[\w.]+(?:\[\])?)\s*\)\s*\(*\s*context\.Variables\s*\[\s*"(?P<cast_name>[^"]+)"\s*\]'
    r'|GetValueOrDefault\s*<\s*(?P<type>[\w.]+(?:\[\])?)\s*>\s*\(\s*"(?P<type_name>[^"]+)"'
    r'|context\.Variables(?:\.GetValueOrDefault\(|\s*\[)\s*"(?P<name>[^"]+)"'
)
_START = re.compile(r"(?<![\w.])@[({]")


@dataclass(slots=True)
class Count:
    """The number of expressions with one outcome, in total and distinct."""

    texts: Counter[str] = field(default_factory=Counter)

    def add(self, text: str) -> None:
        """Counts an occurrence of an expression."""
        self.texts[" ".join(text.split())] += 1

    @property
    def all(self) -> int:
        """The number of occurrences."""
        return self.texts.total()

    @property
    def distinct(self) -> int:
        """The number of distinct expressions; white space is ignored."""
        return len(self.texts)


@dataclass(slots=True)
class Score:
    """The counts of a checkout.

    Attributes:
        parsed: expressions in the supported subset of C#.
        compiled: parsed expressions whose types and members are available too.
        refused: expressions that do not compile, by reason.
        values: compiled expressions whose evaluation gave a value.
        exceptions: compiled expressions whose evaluation threw a .NET exception, by its type.
        stopped: compiled expressions that the engine could not evaluate, by reason.
        documents: the number of policy documents and fragments.
        loaded: the number of documents that the engine can load.
        obstacles: the number of documents that cannot be loaded, by reason.
    """

    expressions: Count = field(default_factory=Count)
    parsed: Count = field(default_factory=Count)
    compiled: Count = field(default_factory=Count)
    refused: dict[str, Count] = field(default_factory=dict)
    values: Count = field(default_factory=Count)
    exceptions: dict[str, Count] = field(default_factory=dict)
    stopped: dict[str, Count] = field(default_factory=dict)
    documents: int = 0
    loaded: int = 0
    obstacles: dict[str, set[str]] = field(default_factory=dict)


def measure(checkout: Path) -> Score:
    """Counts the expressions and documents of a checkout."""
    documents = [
        PolicyDocument(xml=path.read_text(encoding="utf-8-sig"), name=str(path.relative_to(checkout)))
        for path in sorted(checkout.rglob("*.xml"))
    ]
    score = Score(documents=len(documents))
    for document in documents:
        for text in _expressions(document):
            _measure_expression(score, text)
    fragments = tuple(
        PolicyFragment(id=Path(document.name).stem, document=document)
        for document in documents
        if _root(document) == "fragment"
    )
    for document in documents:
        findings = _load(document, fragments)
        score.loaded += not findings
        for finding in findings:
            score.obstacles.setdefault(_reason(finding.message), set()).add(document.name)
    return score


def _expressions(document: PolicyDocument) -> Iterator[str]:
    """The expressions of a document, with its named values replaced; comments are skipped."""
    try:
        root = rawxml.parse(document.xml, document.name)
    except PolicyError:
        yield from _scanned(document.xml)
        return
    names = dict.fromkeys(mentioned(document.xml), _NAMED_VALUE)
    elements = [root]
    while elements:
        element = elements.pop()
        elements += element.children
        for value in (*element.attributes.values(), element.text):
            if value is not None and value.expression:
                yield substitute(value, names, set()).value.text.strip()


def _scanned(xml: str) -> Iterator[str]:
    """The complete expressions of a document that is not well formed."""
    position = 0
    text = re.sub(r"<!--.*?-->", "", xml, flags=re.DOTALL)
    while (match := _START.search(text, position)) is not None:
        try:
            position = find_end(text, match.start())
        except CSharpError:
            position = match.end()
        yield text[match.start() : position]


def _measure_expression(score: Score, text: str) -> None:
    score.expressions.add(text)
    try:
        parse(text)
        score.parsed.add(text)
    except CompileError:
        pass
    try:
        expression = compile_expression(text, name="expression", counted=False)
    except CSharpError as error:
        score.refused.setdefault(_reason(error.message), Count()).add(text)
        return
    score.compiled.add(text)
    try:
        expression.evaluate(_context_for(text))
    except UnsupportedError as error:
        score.stopped.setdefault(_reason(error.message), Count()).add(text)
    except DotNetException as error:
        score.exceptions.setdefault(error.type_name, Count()).add(text)
    else:
        score.values.add(text)


def _context_for(text: str) -> Context:
    """A context in which each variable of an expression has a value of the type that it expects."""
    context = build_context({"request": _REQUEST, "response": _MESSAGE})
    for match in _CAST.finditer(text):
        name = match["cast_name"] or match["type_name"] or match["name"]
        kind = match["cast"] or match["type"] or "string"
        value = _VALUES.get(kind.rpartition(".")[2].replace("String", "string"), _VALUES["string"])
        if name not in context.variables or match["cast"] or match["type"]:
            sample = compile_expression(value, name="sample", counted=False)
            context.variables[name] = sample.evaluate(
                build_context({"request": _REQUEST, "response": _MESSAGE})
            )
    return context


def _load(document: PolicyDocument, fragments: tuple[PolicyFragment, ...]) -> list[Finding]:
    """The errors of a document; for a fragment, those in the section in which it has the fewest."""
    if _root(document) != "fragment":
        return _compile(document, document, fragments)
    own = next(fragment for fragment in fragments if fragment.document is document)
    tries = (
        PolicyDocument(
            xml=f'<policies><{section}><include-fragment fragment-id="{own.id}" /></{section}></policies>',
            name=f"{document.name} in {section}",
        )
        for section in SECTIONS
    )
    return min((_compile(attempt, document, fragments) for attempt in tries), key=len)


def _compile(
    document: PolicyDocument, source: PolicyDocument, fragments: tuple[PolicyFragment, ...]
) -> list[Finding]:
    texts = [source.xml, *(fragment.document.xml for fragment in fragments)]
    backends = {name for text in texts for name in re.findall(r'backend-id\s*=\s*"([^"@]+)"', text)}
    service = Service(
        name="score",
        gateway_url="https://gateway.example",
        sku=SKU,
        named_values=tuple(
            NamedValue(name=name, value=_NAMED_VALUE) for name in set().union(*map(mentioned, texts))
        ),
        backends=tuple(BackendEntity(id=name, url="https://backend.example") for name in sorted(backends)),
        fragments=fragments,
        identities=(
            ManagedIdentity(client_id=None, principal_id="1"),
            ManagedIdentity(client_id=_NAMED_VALUE, principal_id="1"),
        ),
    )
    catalogue = Catalogue(service, POLICIES, UNSUPPORTED)
    catalogue.compile(document, "operation")
    return catalogue.findings


def _root(document: PolicyDocument) -> str:
    try:
        return rawxml.parse(document.xml, document.name).name
    except PolicyError:
        return ""


def _reason(message: str) -> str:
    """A message on one line, with markup escaped, for a cell of a Markdown table."""
    parts = " ".join(message.split()).replace("|", "\\|").split("`")
    parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)


def render(score: Score, commit: str, date: str) -> str:
    """The report, as Markdown."""
    whole, ran = score.expressions, score.values.distinct + _distinct(score.exceptions.values())
    rows = [
        ("in the snippets", whole.all, whole.distinct),
        ("parsed", score.parsed.all, score.parsed.distinct),
        ("compiled", score.compiled.all, score.compiled.distinct),
        ("run", score.values.all + _all(score.exceptions.values()), ran),
        ("run, to a value", score.values.all, score.values.distinct),
        ("run, to a .NET exception", _all(score.exceptions.values()), _distinct(score.exceptions.values())),
        (
            "stopped by this engine while running",
            _all(score.stopped.values()),
            _distinct(score.stopped.values()),
        ),
    ]
    lines = [
        f"Measured on {date} with the `main` branch of `Azure/api-management-policy-snippets` at commit",
        f"`{commit}`, in tier {SKU}.",
        "",
        "| expressions | all | distinct | of the distinct ones |",
        "|---|---:|---:|---:|",
        *(
            f"| {name} | {count} | {distinct} | {distinct / whole.distinct:.0%} |"
            for name, count, distinct in rows
        ),
        "",
        f"Documents and fragments: {score.loaded} of {score.documents} are loaded.",
        "",
        "| expressions that are refused: reason | all | distinct |",
        "|---|---:|---:|",
        *_table(score.refused),
        "",
        "| expressions that run to an exception: type | all | distinct |",
        "|---|---:|---:|",
        *_table(score.exceptions),
        "",
    ]
    if score.stopped:
        lines += [
            "| expressions that are stopped while running: reason | all | distinct |",
            "|---|---:|---:|",
            *_table(score.stopped),
            "",
        ]
    obstacles = sorted(score.obstacles.items(), key=lambda item: (-len(item[1]), item[0]))
    lines += [
        "| documents that are not loaded: reason | documents |",
        "|---|---:|",
        *(f"| {reason} | {len(documents)} |" for reason, documents in obstacles),
    ]
    return "\n".join(lines)


def _table(counts: dict[str, Count]) -> list[str]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1].distinct, -item[1].all, item[0]))
    return [f"| {reason} | {count.all} | {count.distinct} |" for reason, count in ordered]


def _all(counts: Iterable[Count]) -> int:
    return sum(count.all for count in counts)


def _distinct(counts: Iterable[Count]) -> int:
    return sum(count.distinct for count in counts)


def commit_of(checkout: Path) -> str:
    """The commit that is checked out."""
    done = subprocess.run(  # noqa: S603 -- git with fixed arguments
        ["git", "-C", str(checkout), "rev-parse", "HEAD"],  # noqa: S607 -- the user's git
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m apim.score", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("checkout", type=Path, help="a checkout of Azure/api-management-policy-snippets")
    parser.add_argument("--write", action="store_true", help="put the report into docs/policy-support.md")
    options = parser.parse_args(arguments)
    commit = commit_of(options.checkout)
    if commit != COMMIT:
        sys.exit(
            f"error: {options.checkout} is at commit {commit or '(none)'}, not at {COMMIT}: "
            f"run `git -C {options.checkout} checkout {COMMIT}`"
        )
    report = render(measure(options.checkout), commit, datetime.now(tz=UTC).date().isoformat())
    if options.write:
        replace_part("score", report)
    sys.stdout.write(f"{report}\n")


if __name__ == "__main__":
    main()
