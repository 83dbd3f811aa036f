"""The results of compiling policy documents, which all services of a process share.

Several services often have the same document: the policies that a program checks and a gateway runs, or the
same gateway with other settings. The result keeps no state of a service or request, except that the services
count together whether its statements ran and how its C# decided.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from apim.csharp import Expression
from apim.findings import Finding
from apim.named_values import Substituted
from apim.nesting import Base
from apim.rawxml import Element
from apim.service import PolicyDocument, PolicySettings
from apim.source_map import SourceMap
from apim.statements import Action, Statement, in_order


@dataclass(frozen=True, slots=True)
class LocatedExpression:
    """An expression in its document.

    Attributes:
        document: name of the document.
        line: line of the first character, from 1.
        column: column of the first character, from 1.
        expression: compiled from the text of the document with named values replaced.
    """

    document: str
    line: int
    column: int
    expression: Expression
    _substituted: Substituted

    def location(self, line: int, column: int) -> tuple[int, int]:
        """Line and column in the document for a line and column in the expression."""
        return self._substituted.location(*within(self.line, self.column, line, column))

    def unqualified(self) -> Iterator[Finding]:
        """Findings for types that need their namespace in C# if expressions do not import it."""
        for fact in self.expression.facts:
            _, mark, name = fact.name.partition("unqualified:")
            if mark:
                line, column = self.location(fact.line, fact.column)
                message = f"`{name.rpartition('.')[2]}` is not known without its namespace: write {name}"
                yield Finding(
                    document=self.document,
                    line=line,
                    column=column,
                    message=message,
                    code="member-not-allowed",
                )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document is compiled: in a scope, or as a fragment within a section of a scope.

    Attributes:
        scope: the scope of the document, or of the document that includes the fragment.
        section: the section that includes the fragment.
        path: the path of the element that includes the fragment, such as choose[1]/when[2].
    """

    scope: str
    section: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """The facts on which the result of a compilation depends, without named values and fragments.

    Attributes:
        document: the document.
        source_map: its source map if decisions are counted, because their source locations are compiled in.
        place: where it is compiled.
        settings: the settings of the service that policies read.
        unknown: whether the contents of some named values are not known yet.
        counted: whether each source location of the C# counts the outcomes of its decisions.
    """

    document: PolicyDocument
    source_map: SourceMap | None
    place: Place
    settings: PolicySettings
    unknown: bool
    counted: bool


@dataclass(slots=True, eq=False)
class CompiledDocument:
    """The result of compiling one document, or one fragment where it is included.

    Attributes:
        key: what was compiled.
        root: the root element; None if the document cannot be read.
        sections: the statements of each section of a document.
        action: the statements of a fragment, as one action.
        findings: errors.
        warnings: findings about policies that work but should be changed.
        unqualified: findings that are errors only if expressions do not import the namespace `System.Net`.
        used_values: names of the named values that are mentioned.
        values: their values.
        fragments: the included fragments, each with its id.
        expressions: every expression, with its source location.
        statements: every compiled statement, and the parts of policies that contain statements.
        literals: the strings in the document, without the contents of named values.
    """

    key: Key
    root: Element | None = None
    sections: dict[str, list[Statement | Base]] = field(default_factory=dict)
    action: Action = field(default_factory=lambda: in_order(()))
    findings: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    unqualified: list[Finding] = field(default_factory=list)
    used_values: set[str] = field(default_factory=set)
    values: dict[str, str] = field(default_factory=dict)
    fragments: list[tuple[str, "CompiledDocument"]] = field(default_factory=list)
    expressions: list[LocatedExpression] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    literals: set[str] = field(default_factory=set)


@lru_cache(maxsize=1024)
def known(key: Key) -> deque[CompiledDocument]:  # noqa: ARG001 -- the cache reads it
    """The latest results for a key, which differ in the contents of named values. Callers add new ones."""
    return deque(maxlen=8)


def within(line: int, column: int, inner_line: int, inner_column: int) -> tuple[int, int]:
    """Converts a line and column within an expression that begins at `line` and `column` of the document."""
    return line + inner_line - 1, inner_column + (column - 1 if inner_line == 1 else 0)
