"""Source maps: the source locations of a document that was rendered from templates."""

from typing import NamedTuple, Protocol


class SourceLocation(NamedTuple):
    """A file, a line (from 1) and a column (from 1; it is 1 where only the line is known)."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class SourceMap(Protocol):
    """The source locations of one rendered document."""

    def find(self, line: int, column: int) -> SourceLocation | None:
        """The source location of a line and column; None for text that is in no file."""
        ...

    def lines(self) -> frozenset[tuple[str, int]]:
        """The files and lines from which the document was rendered."""
        ...
