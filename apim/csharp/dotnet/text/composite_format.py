"""Composite formats, `{index,alignment:format}`, of string.Format and StringBuilder.AppendFormat.

https://learn.microsoft.com/dotnet/standard/base-types/composite-formatting
"""

import re
from typing import Any

from apim.csharp.dotnet.text.values import format_value
from apim.csharp.errors import DotNetException, argument_null

_PIECE = re.compile(r"\{\{|\}\}|\{(\d{1,7}) *(?:, *(-?\d{1,7}) *)?(?::([^{}]*))?\}|[{}]|[^{}]+", re.DOTALL)


def composite(pattern: str | None, *values: Any) -> str:
    """string.Format.

    Raises:
        DotNetException: FormatException, ArgumentNullException.
    """
    if pattern is None:
        raise argument_null("format")
    text = ""
    for match in _PIECE.finditer(pattern):
        piece, (index, alignment, form) = match[0], match.groups()
        if index is not None:
            if int(index) >= len(values):
                raise DotNetException(
                    "FormatException",
                    "Index (zero based) must be greater than or equal to zero and less than the size of the "
                    "argument list.",
                )
            formatted = format_value(values[int(index)], form)
            width = int(alignment or 0)
            text += formatted.rjust(width) if width > 0 else formatted.ljust(-width)
        elif piece in {"{{", "}}"}:
            text += piece[0]
        elif piece in {"{", "}"}:
            raise DotNetException("FormatException", "Input string was not in a correct format.")
        else:
            text += piece
    return text
