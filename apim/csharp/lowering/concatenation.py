"""String concatenation and interpolation."""

from typing import Any

from apim.csharp.dotnet.date_times import UNIX_EPOCH_TICKS, DateTime, DateTimeOffset, TimeSpan
from apim.csharp.dotnet.defaults import default_of
from apim.csharp.dotnet.text.values import format_value, to_string
from apim.csharp.dotnet.types import (
    DYNAMIC,
    INT32,
    LAMBDA,
    NUMBERS,
    STRING,
    THROWS,
    VOID,
    ClrType,
    is_enum,
)
from apim.csharp.dotnet.values import EnumValue
from apim.csharp.errors import DotNetException, UnsupportedError
from apim.csharp.language import syntax
from apim.csharp.lowering.base import Base
from apim.csharp.lowering.bound import Bound, Concatenation, Known, constant
from apim.csharp.lowering.runtime import left_justified, right_justified


class Interpolation(Base):
    """Lowers concatenation and interpolated strings."""

    def concatenated(self, left: Bound, right: Bound, at: int) -> Bound | None:
        """`left + right` if one of them is a string."""
        types = {left.type, right.type}
        if STRING not in types or types & {VOID, LAMBDA, THROWS, DYNAMIC}:
            return None
        if left.is_constant and right.is_constant:
            return constant(STRING, to_string(left.const) + to_string(right.const), at)
        parts = left.parts if isinstance(left, Concatenation) else [self._part(left)]
        last, new = parts[-1], self._part(right)
        if isinstance(last, Known) and isinstance(new, Known):
            parts[-1] = Known(last.text + new.text)
        else:
            parts.append(new)
        return Concatenation(STRING, "", at, present=True, parts=parts)

    def _part(self, bound: Bound) -> str | Known:
        """The string that a value is converted to: the string if it is constant, otherwise Python code."""
        if bound.is_constant:
            return Known(to_string(bound.const))
        text = self.text(bound)
        if bound.type is STRING:
            return text if bound.present else f'({text} or "")'
        return self.source.call(to_string, text)

    def bind_interpolated(self, node: syntax.Interpolated) -> Bound:
        """`$"..."`."""
        parts = [Known(part) if isinstance(part, str) else self._hole(part) for part in node.parts]
        if all(isinstance(part, Known) for part in parts):
            text = "".join(part.text for part in parts if isinstance(part, Known))
            return Bound(STRING, self.source.literal(text), node.at, present=True)
        return Bound(STRING, self.joined(parts), node.at, present=True)

    def _hole(self, hole: syntax.Hole) -> str | Known:
        value = self.bind(hole.value)
        if value.type in {VOID, LAMBDA, THROWS}:
            self.refuse("a hole of an interpolated string needs a value", hole.value.at, "CS0029")
        width = 0
        if hole.alignment is not None:
            alignment = self.bind_as(hole.alignment, INT32)
            if not alignment.is_constant:
                self.refuse("an alignment must be a constant", hole.alignment.at, "CS0150")
            width = alignment.const
        if hole.format is None:
            part = self._part(value)
        else:
            self.check_format(value.type, hole.format, hole.value.at)
            part = self.source.call(format_value, self.text(value), self.source.literal(hole.format))
        if width == 0:
            return part
        text = self.source.literal(part.text) if isinstance(part, Known) else part
        justified = right_justified if width > 0 else left_justified
        return self.source.call(justified, text, self.source.literal(abs(width)))

    def check_format(self, of: ClrType, pattern: str, at: int) -> None:
        """Rejects a format that the twin does not support, by formatting a sample."""
        sample = _sample(of)
        if sample is None:
            return
        try:
            format_value(sample, pattern)
        except UnsupportedError as error:
            self.refuse(error.message, at, "format")
        except DotNetException:
            return


def _sample(of: ClrType) -> Any:
    if of.name == "Nullable":
        return _sample(of.args[0])
    if of.name in NUMBERS or is_enum(of):
        return EnumValue(of, 0) if is_enum(of) else default_of(of)
    return {
        "DateTime": DateTime(UNIX_EPOCH_TICKS),
        "DateTimeOffset": DateTimeOffset(UNIX_EPOCH_TICKS),
        "TimeSpan": TimeSpan(0),
    }.get(of.name)
