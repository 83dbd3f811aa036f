"""`python -m twin lint`: checks the policies in files or of a stack."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from apim import rawxml
from apim.compiler import SECTIONS
from apim.findings import Finding, PolicyError
from apim.lint import ServiceFacts, check, is_warning
from apim.lint.streaming import Diagnostic
from apim.named_values import mentioned
from apim.service import (
    Api,
    BackendEntity,
    ManagedIdentity,
    NamedValue,
    Operation,
    PolicyDocument,
    PolicyFragment,
    Service,
)

_UNKNOWN = "1"
_BACKEND = re.compile(r"""\bbackend-id\s*=\s*["']([^"'@]+)["']""")


class UnusableError(Exception):
    """The policies cannot be checked; the message has the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Properties of the service that policy files do not contain.

    Attributes:
        sku: SKU of the service.
        named_values: names of the declared named values; None to allow any name.
        scope: scope of the documents: global, api or operation.
        streams: whether the API streams responses.
        protected: whether the API requires a token.
        body_bytes: the number of bytes of each body that diagnostics log.
    """

    sku: str = "BasicV2"
    named_values: tuple[str, ...] | None = None
    scope: str = "operation"
    streams: bool = False
    protected: bool = False
    body_bytes: int = 0


def check_files(files: Iterable[Path], options: Options) -> list[Finding]:
    """Checks policy documents and fragments; the id of a fragment is its file name without the extension.

    Raises:
        UnusableError: a file cannot be read or is a template.
    """
    documents = [PolicyDocument(xml=_read(file), name=str(file)) for file in files]
    fragments = tuple(
        PolicyFragment(id=Path(document.name).stem, document=document)
        for document in documents
        if _root(document) == "fragment"
    )
    policies = [
        document for document in documents if all(document is not fragment.document for fragment in fragments)
    ]
    findings: set[Finding] = set()
    for document in policies:
        findings.update(_check_document(document, fragments, options))
    if not policies:
        # The section that will include the fragments is unknown, so the one with the fewest findings is
        # assumed.
        findings_by_section = (
            _check_document(_including(fragments, section), fragments, options) for section in SECTIONS
        )
        findings.update(min(findings_by_section, key=len))
    return sorted(findings)


def _check_document(
    document: PolicyDocument, fragments: tuple[PolicyFragment, ...], options: Options
) -> list[Finding]:
    service = _service(document, fragments, options)
    facts = ServiceFacts(
        unknown=frozenset(value.name for value in service.named_values),
        diagnostics=(Diagnostic(name="(--body-bytes)", body_bytes=options.body_bytes),),
        streams=options.streams,
        protected=options.protected,
        whole=False,
    )
    named = {document.name, *(fragment.document.name for fragment in fragments)}
    return [finding for finding in check(service, facts) if finding.document in named]


def check_stack(stack: str) -> list[Finding]:
    """Checks the rendered policies of a stack.

    Raises:
        UnusableError: the stack cannot be evaluated.
    """
    # Imported here, because a check of files does not need Pulumi.
    from twin.gateway_plan import LOCAL, plan_stack  # noqa: PLC0415
    from twin.stack import StackError  # noqa: PLC0415

    try:
        return plan_stack(LOCAL, stack=stack).findings()
    except StackError as error:
        raise UnusableError(str(error)) from None


def show(findings: list[Finding]) -> None:
    """Prints findings as a table on a terminal, otherwise as one line each, in the format of compilers."""
    if not sys.stdout.isatty():
        for finding in findings:
            print(f"{finding.document}:{finding.line}:{finding.column}: {finding.code}: {finding.message}")  # noqa: T201 -- the output
        return
    console = Console()
    if not findings:
        console.print("No findings.")
        return
    table = Table("location", "rule", "message", box=None, pad_edge=False)
    for finding in findings:
        colour = "yellow" if is_warning(finding) else "red"
        location = f"{finding.document}:{finding.line}:{finding.column}"
        table.add_row(location, f"[{colour}]{finding.code}[/]", finding.message.replace("[", "\\["))
    console.print(table)


def _read(file: Path) -> str:
    if file.name.endswith(".j2"):
        raise UnusableError(
            f"{file} is a template. `python -m twin lint` without files checks the rendered templates."
        )
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableError(f"{file} cannot be read: {error}") from None


def _root(document: PolicyDocument) -> str:
    try:
        return rawxml.parse(document.xml, document.name).name
    except PolicyError:
        return ""


def _including(fragments: tuple[PolicyFragment, ...], section: str) -> PolicyDocument:
    included = "".join(f'<include-fragment fragment-id="{fragment.id}" />' for fragment in fragments)
    base = "" if section == "backend" else "<base />"
    xml = f"<policies><{section}>{base}{included}</{section}></policies>"
    return PolicyDocument(xml=xml, name="a policy that includes the fragments")


def _service(document: PolicyDocument, fragments: tuple[PolicyFragment, ...], options: Options) -> Service:
    texts = [document.xml, *(fragment.document.xml for fragment in fragments)]
    names = options.named_values
    if names is None:
        names = tuple(sorted({name for text in texts for name in mentioned(text)}))
    operation = Operation(
        id="operation",
        name="operation",
        method="POST",
        url_template="/",
        policy=document if options.scope == "operation" else None,
    )
    api = Api(
        id="api",
        name="api",
        path="",
        operations=(operation,),
        policy=document if options.scope == "api" else None,
    )
    return Service(
        name="lint",
        gateway_url="https://gateway",
        sku=options.sku,
        apis=(api,),
        policy=document if options.scope == "global" else None,
        named_values=tuple(NamedValue(name=name, value=_UNKNOWN) for name in names),
        backends=tuple(
            BackendEntity(id=backend, url="https://backend.invalid")
            for backend in sorted({name for text in texts for name in _BACKEND.findall(text)})
        ),
        fragments=fragments,
        identities=(
            ManagedIdentity(client_id=None, principal_id=_UNKNOWN),
            ManagedIdentity(client_id=_UNKNOWN, principal_id=_UNKNOWN),
        ),
    )
