"""StringBuilder."""

from typing import Any

from apim.csharp.dotnet.signature import Settable, define
from apim.csharp.dotnet.text.composite_format import composite
from apim.csharp.dotnet.text.values import to_string
from apim.csharp.dotnet.types import clr
from apim.csharp.dotnet.values import Char
from apim.csharp.errors import DotNetException, argument_null, out_of_range
from apim.csharp.members.strings import join


class StringBuilder:
    """A StringBuilder, as a list of strings that are joined when they are read."""

    __slots__ = ("_pieces",)
    clr_type = clr("StringBuilder")

    def __init__(self, text: str | None = "", _capacity: int = 16) -> None:
        self._pieces = [text or ""]

    def clr_text(self) -> str:
        """ToString()."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    def append(self, text: str) -> "StringBuilder":
        """Appends a string, and returns this object."""
        self._pieces.append(text)
        return self

    def replace(self, text: str) -> "StringBuilder":
        """Replaces the whole string, and returns this object."""
        self._pieces = [text]
        return self


def _append_repeated(builder: StringBuilder, character: int, count: int) -> StringBuilder:
    if count < 0:
        raise out_of_range("repeatCount")
    return builder.append(chr(character) * count)


def _append_part(builder: StringBuilder, text: str | None, start: int, count: int) -> StringBuilder:
    if text is None and not (start or count):
        return builder
    if text is None:
        raise argument_null("value")
    if start < 0 or count < 0 or start + count > len(text):
        raise out_of_range("startIndex")
    return builder.append(text[start : start + count])


def _insert(builder: StringBuilder, index: int, value: Any) -> StringBuilder:
    text = builder.clr_text()
    if not 0 <= index <= len(text):
        raise out_of_range("index")
    return builder.replace(text[:index] + to_string(value) + text[index:])


def _remove(builder: StringBuilder, start: int, count: int) -> StringBuilder:
    text = builder.clr_text()
    if start < 0 or count < 0 or start + count > len(text):
        raise out_of_range("length")
    return builder.replace(text[:start] + text[start + count :])


def _replace(builder: StringBuilder, old: str | None, new: str | None) -> StringBuilder:
    if old is None:
        raise argument_null("oldValue")
    if not old:
        raise DotNetException("ArgumentException", "Empty name is not legal. (Parameter 'oldValue')")
    return builder.replace(builder.clr_text().replace(old, new or ""))


def _set_length(builder: StringBuilder, length: int) -> None:
    if length < 0:
        raise out_of_range("value")
    builder.replace(builder.clr_text()[:length].ljust(length, "\0"))


def _at(builder: StringBuilder, index: int) -> Char:
    text = builder.clr_text()
    if not 0 <= index < len(text):
        raise DotNetException("IndexOutOfRangeException", "Index was outside the bounds of the array.")
    return Char(ord(text[index]))


def _set_at(builder: StringBuilder, index: int, character: int) -> None:
    text = builder.clr_text()
    if not 0 <= index < len(text):
        raise out_of_range("index")
    builder.replace(text[:index] + chr(character) + text[index + 1 :])


def _characters(builder: StringBuilder, characters: Any) -> StringBuilder:
    return builder if characters is None else builder.append("".join(map(chr, characters.items)))


def _append_format(builder: StringBuilder, pattern: str | None, *values: Any) -> StringBuilder:
    return builder.append(composite(pattern, *values))


_VALUES = ("string", "char", "bool", "int", "long", "double", "decimal", "object")
define(
    "class System.Text.StringBuilder",
    {
        "new()": StringBuilder,
        "new(int capacity)": lambda capacity: StringBuilder("", capacity),
        "new(string value)": StringBuilder,
        "new(string value, int capacity)": StringBuilder,
        "bool Equals(StringBuilder sb)": lambda left, right: (
            right is not None and left.clr_text() == right.clr_text()
        ),
        "int Length": Settable(lambda builder: len(builder.clr_text()), _set_length),
        "char this[int index]": Settable(_at, _set_at),
        **{
            f"StringBuilder Append({kind} value)": lambda builder, value: builder.append(to_string(value))
            for kind in _VALUES
        },
        "StringBuilder Append(char[] value)": _characters,
        "StringBuilder Append(char value, int repeatCount)": _append_repeated,
        "StringBuilder Append(string value, int startIndex, int count)": _append_part,
        "StringBuilder AppendLine()": lambda builder: builder.append("\n"),
        "StringBuilder AppendLine(string value)": lambda builder, text: builder.append((text or "") + "\n"),
        **{
            f"StringBuilder AppendFormat(string format, {arguments})": _append_format
            for arguments in (
                "object arg0",
                "object arg0, object arg1",
                "object arg0, object arg1, object arg2",
            )
        },
        "StringBuilder AppendFormat(string format, params object[] args)": lambda b, form, values: b.append(
            composite(form, *values.items)
        ),
        "StringBuilder AppendJoin(string separator, params string[] values)": lambda b, sep, values: b.append(
            join(sep, values)
        ),
        "StringBuilder AppendJoin<T>(string separator, IEnumerable<T> values)": lambda b, sep, values: (
            b.append(join(sep, values))
        ),
        **{f"StringBuilder Insert(int index, {kind} value)": _insert for kind in _VALUES},
        "StringBuilder Remove(int startIndex, int length)": _remove,
        "StringBuilder Replace(string oldValue, string newValue)": _replace,
        "StringBuilder Replace(char oldChar, char newChar)": lambda builder, old, new: builder.replace(
            builder.clr_text().replace(chr(old), chr(new))
        ),
        "StringBuilder Clear()": lambda builder: builder.replace(""),
        "string ToString()": StringBuilder.clr_text,
        "string ToString(int startIndex, int length)": lambda builder, start, count: (
            StringBuilder()
            .append(_append_part(StringBuilder(), builder.clr_text(), start, count).clr_text())
            .clr_text()
        ),
    },
)
