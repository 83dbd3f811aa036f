"""String concatenation and interpolation."""

from dataclasses import dataclass, field
from typing import Any

from twin.apim.csharp import syntax
from twin.apim.csharp.bound import Bound, Frame, Run, constant
from twin.apim.csharp.errors import DotNetException, UnsupportedError
from twin.apim.csharp.lowering.base import Base
from twin.apim.csharp.moments import UNIX_EPOCH_TICKS, DateTime, DateTimeOffset, TimeSpan
from twin.apim.csharp.text import format_value, to_string
from twin.apim.csharp.types import (
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
from twin.apim.csharp.values import EnumValue, default_of


@dataclass(slots=True)
class Concatenation(Bound):
    """A chain of `+`: its operands are joined at once."""

    parts: list[Run | str] = field(default_factory=list)


def concatenated(left: Bound, right: Bound, at: int) -> Bound | None:
    """`left + right` when one of them is a string."""
    if STRING not in {left.type, right.type} or {left.type, right.type} & {VOID, LAMBDA, THROWS, DYNAMIC}:
        return None
    if left.is_constant and right.is_constant:
        return constant(STRING, to_string(left.const) + to_string(right.const), at)
    parts = left.parts if isinstance(left, Concatenation) else [_part(left)]
    last, new = parts[-1], _part(right)
    if isinstance(last, str) and isinstance(new, str):
        parts[-1] = last + new
    else:
        parts.append(new)
    return Concatenation(STRING, _join(parts), at, parts=parts)


def _part(bound: Bound) -> Run | str:
    """A text, or what gives one."""
    if bound.is_constant:
        return to_string(bound.const)
    run = bound.run
    if bound.type is STRING:
        return lambda frame: run(frame) or ""
    return lambda frame: to_string(run(frame))


def _join(parts: list[Run | str]) -> Run:
    """Joins texts. The chain may still grow, so the list is read when it runs."""
    runs: list[Run] = []

    def run(frame: Frame) -> str:
        if len(runs) != len(parts):
            runs[:] = [_constant_part(part) if isinstance(part, str) else part for part in parts]
        return "".join([part(frame) for part in runs])

    return run


def _constant_part(text: str) -> Run:
    return lambda _frame: text


class Interpolation(Base):
    """Interpolated strings."""

    def bind_interpolated(self, node: syntax.Interpolated) -> Bound:
        """`$"..."`."""
        parts: list[Run | str] = [part if isinstance(part, str) else self._hole(part) for part in node.parts]
        if all(isinstance(part, str) for part in parts):
            text = "".join(part for part in parts if isinstance(part, str))
            return Bound(STRING, lambda _frame: text, node.at)
        return Bound(STRING, _join(parts), node.at)

    def _hole(self, hole: syntax.Hole) -> Run:
        value = self.bind(hole.value)
        if value.type in {VOID, LAMBDA, THROWS}:
            self.refuse("a hole of an interpolated string needs a value", hole.value.at, "CS0029")
        width = 0
        if hole.alignment is not None:
            alignment = self.bind_as(hole.alignment, INT32)
            if not alignment.is_constant:
                self.refuse("an alignment is a constant", hole.alignment.at, "CS0150")
            width = alignment.const
        run, pattern = value.run, hole.format
        if pattern is None:
            text = _part(value)
            text = _constant_part(text) if isinstance(text, str) else text
        else:
            self.check_format(value.type, pattern, hole.value.at)
            text = lambda frame: format_value(run(frame), pattern)  # noqa: E731 -- one of two closures
        if width == 0:
            return text
        return (
            (lambda frame: text(frame).rjust(width))
            if width > 0
            else (lambda frame: text(frame).ljust(-width))
        )

    def check_format(self, of: ClrType, pattern: str, at: int) -> None:
        """Refuses a format that the twin does not know, by formatting a sample."""
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
