"""Where the parts of a rendered text were written."""

from typing import NamedTuple, Protocol


class SourceLocation(NamedTuple):
    """A place in a file; the line counts from 1, and so does the column, which is 1 where it is not known."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class SourceMap(Protocol):
    """The source locations of one rendered text."""

    def find(self, line: int, column: int) -> SourceLocation | None:
        """Where that place of the text was written; None for what no file contains."""
        ...

    def lines(self) -> frozenset[tuple[str, int]]:
        """The files and lines from which the text was rendered."""
        ...
