"""String. Lengths and indexes count UTF-16 code units; comparisons are those of .NET's invariant mode."""

from collections.abc import Callable, Iterable
from operator import methodcaller
from typing import Any, Final

from apim.csharp.dotnet.characters import WHITE_SPACE, lower, upper
from apim.csharp.dotnet.comparison import compare, compare_ignoring_case, compare_ordinal, folded
from apim.csharp.dotnet.signature import Culture, Typed, define, prepared_by
from apim.csharp.dotnet.text.composite_format import composite
from apim.csharp.dotnet.text.values import to_string
from apim.csharp.dotnet.types import ClrType
from apim.csharp.dotnet.values import Array, Char, EnumValue, iterate
from apim.csharp.errors import DotNetException, UnsupportedError, argument_null, out_of_range

_IGNORE_CASE: Final = frozenset({1, 3, 5})
_ORDINAL: Final = 4
_REMOVE_EMPTY: Final = 1


def _compare_parts(  # noqa: PLR0917 -- .NET's parameters
    left: str | None, start: int, right: str | None, other_start: int, length: int, how: Any = None
) -> int:
    if left is None or right is None:
        if max(length, start, other_start) > 0 and not isinstance(how, EnumValue) and left is not right:
            raise out_of_range("length")
        return compare(left, right)
    if length < 0 or start < 0 or other_start < 0 or start > len(left) or other_start > len(right):
        raise out_of_range("length")
    left_part, right_part = left[start : start + length], right[other_start : other_start + length]
    if isinstance(how, bool):
        return _compare_flag(left_part, right_part, how)
    return compare(left_part, right_part) if how is None else _compare_as(left_part, right_part, how)


def _compare_as(left: str | None, right: str | None, comparison: Any) -> int:
    if comparison.number in _IGNORE_CASE:
        return compare_ignoring_case(left, right)
    return compare_ordinal(left, right) if comparison.number == _ORDINAL else compare(left, right)


def _compare_flag(left: str | None, right: str | None, ignore: bool) -> int:
    return compare_ignoring_case(left, right) if ignore else compare(left, right)


def _equals_as(left: str | None, right: str | None, comparison: Any) -> bool:
    return _compare_as(left, right, comparison) == 0


def _given(text: str | None, name: str = "value") -> str:
    if text is None:
        raise argument_null(name)
    return text


def _as(test: Callable[[str, str], Any]) -> Callable[[str, str | None, Any], Any]:
    """A search with a StringComparison, made of a function that searches ordinally."""

    def prepare(value: str | None, comparison: Any) -> Callable[[str], Any] | None:
        if value is None:
            return None
        if comparison.number in _IGNORE_CASE:
            wanted = folded(value)
            return lambda text: test(folded(text), wanted)
        return _METHODS.get(test, lambda _value: None)(value)

    @prepared_by(prepare)
    def search(text: str, value: str | None, comparison: Any) -> Any:
        wanted = _given(value)
        if comparison.number in _IGNORE_CASE:
            return test(folded(text), folded(wanted))
        return test(text, wanted)

    return search


def _contains(text: str, value: str | None) -> bool:
    return _given(value) in text


def _starts(text: str, value: str | None) -> bool:
    return text.startswith(_given(value))


def _ends(text: str, value: str | None) -> bool:
    return text.endswith(_given(value))


def _index(text: str, value: str | None) -> int:
    return text.find(_given(value))


def _last_index(text: str, value: str | None) -> int:
    return text.rfind(_given(value))


_METHODS: Final[dict[Any, Callable[[str], Callable[[str], Any]]]] = {
    _starts: lambda value: methodcaller("startswith", value),
    _ends: lambda value: methodcaller("endswith", value),
    _index: lambda value: methodcaller("find", value),
}
"""Searches for a constant, as calls of Python's methods."""


def _index_from(text: str, value: str | None, start: int, count: Any = None, how: Any = None) -> int:
    """IndexOf from a start index; the last argument may be a StringComparison."""
    wanted = _given(value)
    if isinstance(count, EnumValue):
        count, how = None, count
    if how is not None and how.number in _IGNORE_CASE:
        text, wanted = folded(text), folded(wanted)
    if not 0 <= start <= len(text):
        raise out_of_range("startIndex")
    if count is None:
        return text.find(wanted, start)
    if not 0 <= count <= len(text) - start:
        raise out_of_range("count")
    return text.find(wanted, start, start + count)


def _last_index_from(text: str, value: str | None, start: int, count: Any = None, how: Any = None) -> int:
    """LastIndexOf backwards from a start index."""
    wanted = _given(value)
    if isinstance(count, EnumValue):
        count, how = None, count
    if how is not None and how.number in _IGNORE_CASE:
        text, wanted = folded(text), folded(wanted)
    if not text and start in {-1, 0}:
        return -1 if wanted else 0
    if not 0 <= start <= len(text):
        raise out_of_range("startIndex")
    count = start + 1 if count is None else count
    if start == len(text):
        start -= 1
        count -= count > 0
    if not 0 <= count <= start + 1:
        raise out_of_range("count")
    return text.rfind(wanted, start - count + 1, start + 1)


def _char_from(text: str, value: int, start: int) -> int:
    if not 0 <= start <= len(text):
        raise out_of_range("startIndex")
    return text.find(chr(value), start)


def _char_within(text: str, value: int, start: int, count: int) -> int:
    if not 0 <= start <= len(text) or not 0 <= count <= len(text) - start:
        raise out_of_range("startIndex")
    return text.find(chr(value), start, start + count)


def _last_char_from(text: str, value: int, start: int, count: int | None = None) -> int:
    if not text:
        return -1
    if not 0 <= start < len(text):
        raise out_of_range("startIndex")
    count = start + 1 if count is None else count
    if not 0 <= count <= start + 1:
        raise out_of_range("count")
    return text.rfind(chr(value), start - count + 1, start + 1)


def _any(text: str, characters: Array | None, start: int = 0, count: int | None = None) -> int:
    if characters is None:
        raise argument_null("anyOf")
    if not 0 <= start <= len(text):
        raise out_of_range("startIndex")
    count = len(text) - start if count is None else count
    if not 0 <= count <= len(text) - start:
        raise out_of_range("count")
    wanted = {chr(c) for c in characters.items}
    return next((index for index in range(start, start + count) if text[index] in wanted), -1)


def _last_any(text: str, characters: Array | None, start: int | None = None, count: int | None = None) -> int:
    if characters is None:
        raise argument_null("anyOf")
    if not text:
        return -1
    start = len(text) - 1 if start is None else start
    if not 0 <= start < len(text):
        raise out_of_range("startIndex")
    count = start + 1 if count is None else count
    if not 0 <= count <= start + 1:
        raise out_of_range("count")
    wanted = {chr(c) for c in characters.items}
    return next((index for index in range(start, start - count, -1) if text[index] in wanted), -1)


def substring(text: str, start: int, count: int | None = None) -> str:
    """Substring."""
    if not 0 <= start <= len(text):
        raise _outside(
            "startIndex cannot be larger than length of string."
            if start > 0
            else "StartIndex cannot be less than zero.",
            "startIndex",
        )
    if count is None:
        return text[start:]
    if count < 0:
        raise _outside("Length cannot be less than zero.", "length")
    if count > len(text) - start:
        raise _outside("Index and length must refer to a location within the string.", "length")
    return text[start : start + count]


def _outside(message: str, name: str) -> DotNetException:
    return DotNetException("ArgumentOutOfRangeException", f"{message} (Parameter '{name}')")


def _insert(text: str, start: int, value: str | None) -> str:
    inserted = _given(value)
    if not 0 <= start <= len(text):
        raise out_of_range("startIndex")
    return text[:start] + inserted + text[start:]


def _remove(text: str, start: int, count: int | None = None) -> str:
    if count is None:
        if not 0 <= start <= len(text):
            raise out_of_range("startIndex")
        return text[:start]
    if start < 0 or count < 0 or start + count > len(text):
        raise out_of_range("count")
    return text[:start] + text[start + count :]


def _replace(text: str, old: str | None, new: str | None) -> str:
    if old is None:
        raise argument_null("oldValue")
    if not old:
        raise DotNetException("ArgumentException", "String cannot be of zero length. (Parameter 'oldValue')")
    return text.replace(old, new or "")


@prepared_by(lambda old, new: methodcaller("replace", chr(old), chr(new)))
def _replace_char(text: str, old: int, new: int) -> str:
    return text.replace(chr(old), chr(new))


def _replace_as(text: str, old: str | None, new: str | None, comparison: Any) -> str:
    if comparison.number not in _IGNORE_CASE:
        return _replace(text, old, new)
    _replace("", old, "")
    wanted, haystack = folded(old or ""), folded(text)
    pieces, position = [], 0
    while (found := haystack.find(wanted, position)) >= 0:
        pieces.append(text[position:found])
        position = found + len(wanted)
    return (new or "").join([*pieces, text[position:]])


def _pad(text: str, width: int, character: int, *, left: bool) -> str:
    if width < 0:
        raise out_of_range("totalWidth")
    if width > 2**26:
        raise UnsupportedError("a string of more than 64 Mi characters")
    return text.rjust(width, chr(character)) if left else text.ljust(width, chr(character))


def _trim(side: str) -> Callable[..., str]:
    strip = {"both": str.strip, "start": str.lstrip, "end": str.rstrip}[side]

    def prepare(characters: Any) -> Callable[[str], str] | None:
        return methodcaller(strip.__name__, chr(characters)) if isinstance(characters, int) else None

    @prepared_by(prepare)
    def trim(text: str, characters: Any = None) -> str:
        if isinstance(characters, int):
            return strip(text, chr(characters))
        wanted = "".join(map(chr, characters.items)) if characters is not None else ""
        return strip(text, wanted or WHITE_SPACE)

    return trim


def split(text: str, separators: list[str], count: int | None = None, options: int = 0) -> list[str]:
    """Split at any of several separators, or at white space if there are none.

    Args:
        text: the string.
        separators: the separators.
        count: the largest number of parts; None for all.
        options: a value of StringSplitOptions.

    Raises:
        UnsupportedError: an option of a newer version of .NET.
    """
    if options not in {0, _REMOVE_EMPTY}:
        raise UnsupportedError("values of StringSplitOptions other than None and RemoveEmptyEntries")
    if count is not None and count < 0:
        raise out_of_range("count")
    if count == 0 or (not text and options):
        return []
    if count == 1:
        return [text]
    wanted = separators or list(WHITE_SPACE)
    if len(wanted) == 1 and not options:
        return text.split(wanted[0], -1 if count is None else count - 1)
    return _split_at_any(text, wanted, count, options)


def _split_at_any(text: str, wanted: list[str], count: int | None, options: int) -> list[str]:
    found: list[str] = []
    position = start = 0
    while position < len(text) and (count is None or len(found) < count - 1):
        separator = next((s for s in wanted if s and text.startswith(s, position)), None)
        if separator is None:
            position += 1
            continue
        if not options or position > start:
            found.append(text[start:position])
        position += len(separator)
        start = position
    rest = text[start:]
    if options and count is not None and len(found) == count - 1:
        rest = _skip_separators(rest, wanted)
    if not options or rest:
        found.append(rest)
    return found


def _skip_separators(rest: str, separators: list[str]) -> str:
    while (separator := next((s for s in separators if s and rest.startswith(s)), None)) is not None:
        rest = rest[len(separator) :]
    return rest


def _prepare_by_chars(
    separators: Array | None, count: int | None = None, options: Any = None
) -> Callable[[str], list[str]] | None:
    if separators is None or len(separators.items) != 1 or count is not None or options is not None:
        return None
    return methodcaller("split", chr(separators.items[0]))


@prepared_by(_prepare_by_chars)
def _by_chars(
    text: str, separators: Array | None, count: int | None = None, options: Any = None
) -> list[str]:
    wanted = [chr(c) for c in separators.items] if separators is not None else []
    return split(text, wanted, count, options.number if options is not None else 0)


def _by_strings(text: str, separators: Array | None, options: Any) -> list[str]:
    wanted = [s for s in separators.items if s] if separators is not None else []
    if separators is not None and separators.items and not wanted:
        return [text] if text or not options.number else []
    return split(text, wanted, None, options.number)


def _by_strings_count(text: str, separators: Array | None, count: int, options: Any) -> list[str]:
    wanted = [s for s in separators.items if s] if separators is not None else []
    return split(text, wanted, count, options.number)


def _by_string(text: str, separator: str | None, options: Any = None) -> list[str]:
    return _by_string_count(text, separator, None, options)


def _by_string_count(text: str, separator: str | None, count: int | None, options: Any = None) -> list[str]:
    number = options.number if options is not None else 0
    if not separator and count != 0:
        # .NET does not split at a single separator that is empty or null, and not at white space either.
        return split(text, ["\0no separator"], count, number) if number or count == 1 else [text]
    return split(text, [separator or ""], count, number)


def _by_char(text: str, separator: int, count: int, options: Any) -> list[str]:
    return split(text, [chr(separator)], count, options.number)


def join(separator: str | None, values: Iterable[Any] | None) -> str:
    """Join, in which null is an empty string."""
    if values is None:
        raise argument_null("values")
    return (separator or "").join([to_string(value) for value in iterate(values)])


def _join_range(separator: str | None, values: Array | None, start: int, count: int) -> str:
    if values is None:
        raise argument_null("value")
    if start < 0 or count < 0 or start + count > len(values.items):
        raise out_of_range("startIndex")
    return join(separator, values.items[start : start + count])


def _concat(values: Iterable[Any] | None) -> str:
    if values is None:
        raise argument_null("values")
    return "".join([to_string(value) for value in iterate(values)])


def _from_chars(characters: Array | None) -> str:
    return "" if characters is None else "".join(map(chr, characters.items))


def _from_range(characters: Array | None, start: int, count: int) -> str:
    if characters is None:
        raise argument_null("value")
    if start < 0 or count < 0 or start + count > len(characters.items):
        raise out_of_range("startIndex")
    return "".join(map(chr, characters.items[start : start + count]))


def _repeated(character: int, count: int) -> str:
    if count < 0:
        raise out_of_range("count")
    return _pad("", count, character, left=True)


def _characters(text: str) -> list[Char]:
    return [Char(ord(c)) for c in text]


def _join_typed(_element: ClrType) -> Callable[..., str]:
    return join


_PARTS: Final = "string strA, int indexA, string strB, int indexB"
define(
    "class System.String : IComparable, IEnumerable<char>",
    {
        "new(char[] value)": _from_chars,
        "new(char[] value, int startIndex, int length)": _from_range,
        "new(char c, int count)": _repeated,
        "int Length": len,
        "static string Empty": "",
        "static bool IsNullOrEmpty(string value)": lambda text: not text,
        "static bool IsNullOrWhiteSpace(string value)": lambda text: not text or not text.strip(WHITE_SPACE),
        "static int Compare(string strA, string strB)": Culture(compare),
        "static int Compare(string strA, string strB, bool ignoreCase)": Culture(_compare_flag),
        "static int Compare(string strA, string strB, StringComparison comparisonType)": _compare_as,
        "static int CompareOrdinal(string strA, string strB)": compare_ordinal,
        f"static int Compare({_PARTS}, int length)": Culture(_compare_parts),
        f"static int Compare({_PARTS}, int length, bool ignoreCase)": Culture(_compare_parts),
        f"static int Compare({_PARTS}, int length, StringComparison comparisonType)": _compare_parts,
        "int CompareTo(string strB)": Culture(compare),
        "static bool Equals(string a, string b)": lambda left, right: left == right,
        "static bool Equals(string a, string b, StringComparison comparisonType)": _equals_as,
        "bool Equals(string value)": lambda left, right: left == right,
        "bool Equals(string value, StringComparison comparisonType)": _equals_as,
        "static string Concat(string str0, string str1)": lambda *texts: _concat(texts),
        "static string Concat(string str0, string str1, string str2)": lambda *texts: _concat(texts),
        "static string Concat(string str0, string str1, string str2, string str3)": lambda *texts: _concat(
            texts
        ),
        "static string Concat(params string[] values)": _concat,
        "static string Concat(IEnumerable<string> values)": _concat,
        "static string Concat(object arg0)": to_string,
        "static string Concat(object arg0, object arg1)": lambda *values: _concat(values),
        "static string Concat(object arg0, object arg1, object arg2)": lambda *values: _concat(values),
        "static string Concat(params object[] args)": _concat,
        "static string Concat<T>(IEnumerable<T> values)": Typed(lambda _element: _concat),
        "static string Join(string separator, params string[] value)": join,
        "static string Join(string separator, params object[] values)": join,
        "static string Join(string separator, IEnumerable<string> values)": join,
        "static string Join<T>(string separator, IEnumerable<T> values)": Typed(_join_typed),
        "static string Join(string separator, string[] value, int startIndex, int count)": _join_range,
        "static string Join(char separator, params string[] value)": lambda c, values: join(chr(c), values),
        "static string Join(char separator, params object[] values)": lambda c, values: join(chr(c), values),
        "static string Join<T>(char separator, IEnumerable<T> values)": Typed(
            lambda _element: lambda c, values: join(chr(c), values)
        ),
        "static string Format(string format, object arg0)": composite,
        "static string Format(string format, object arg0, object arg1)": composite,
        "static string Format(string format, object arg0, object arg1, object arg2)": composite,
        "static string Format(string format, params object[] args)": lambda pattern, values: composite(
            pattern, *_items(values)
        ),
        "static string Copy(string str)": lambda text: _given(text, "str"),
        "bool Contains(string value)": _contains,
        "bool Contains(char value)": lambda text, c: chr(c) in text,
        "bool Contains(string value, StringComparison comparisonType)": _as(_contains),
        "bool Contains(char value, StringComparison comparisonType)": lambda text, c, how: _as(_contains)(
            text, chr(c), how
        ),
        "bool StartsWith(string value)": Culture(_starts),
        "bool StartsWith(char value)": lambda text, c: text.startswith(chr(c)),
        "bool StartsWith(string value, StringComparison comparisonType)": _as(_starts),
        "bool EndsWith(string value)": Culture(_ends),
        "bool EndsWith(char value)": lambda text, c: text.endswith(chr(c)),
        "bool EndsWith(string value, StringComparison comparisonType)": _as(_ends),
        "int IndexOf(string value)": Culture(_index),
        "int IndexOf(string value, int startIndex)": Culture(_index_from),
        "int IndexOf(string value, StringComparison comparisonType)": _as(_index),
        "int IndexOf(string value, int startIndex, int count)": Culture(_index_from),
        "int IndexOf(string value, int startIndex, StringComparison comparisonType)": _index_from,
        "int IndexOf(string value, int startIndex, int count, StringComparison comparisonType)": _index_from,
        "int IndexOf(char value)": lambda text, c: text.find(chr(c)),
        "int IndexOf(char value, int startIndex)": _char_from,
        "int IndexOf(char value, int startIndex, int count)": _char_within,
        "int IndexOf(char value, StringComparison comparisonType)": lambda text, c, how: _as(_index)(
            text, chr(c), how
        ),
        "int IndexOfAny(char[] anyOf)": _any,
        "int IndexOfAny(char[] anyOf, int startIndex)": _any,
        "int IndexOfAny(char[] anyOf, int startIndex, int count)": _any,
        "int LastIndexOf(string value)": Culture(_last_index),
        "int LastIndexOf(string value, StringComparison comparisonType)": _as(_last_index),
        "int LastIndexOf(string value, int startIndex)": Culture(_last_index_from),
        "int LastIndexOf(string value, int startIndex, int count)": Culture(_last_index_from),
        "int LastIndexOf(string value, int startIndex, StringComparison comparisonType)": _last_index_from,
        "int LastIndexOf(string value, int startIndex, int count, StringComparison comparisonType)": (
            _last_index_from
        ),
        "int LastIndexOf(char value)": lambda text, c: text.rfind(chr(c)),
        "int LastIndexOf(char value, int startIndex)": _last_char_from,
        "int LastIndexOf(char value, int startIndex, int count)": _last_char_from,
        "int LastIndexOfAny(char[] anyOf)": _last_any,
        "int LastIndexOfAny(char[] anyOf, int startIndex)": _last_any,
        "int LastIndexOfAny(char[] anyOf, int startIndex, int count)": _last_any,
        "string Insert(int startIndex, string value)": _insert,
        "string Remove(int startIndex)": _remove,
        "string Remove(int startIndex, int count)": _remove,
        "string Replace(string oldValue, string newValue)": _replace,
        "string Replace(char oldChar, char newChar)": _replace_char,
        "string Replace(string oldValue, string newValue, StringComparison comparisonType)": _replace_as,
        "string PadLeft(int totalWidth)": lambda text, width: _pad(text, width, 32, left=True),
        "string PadLeft(int totalWidth, char paddingChar)": lambda text, width, c: _pad(
            text, width, c, left=True
        ),
        "string PadRight(int totalWidth)": lambda text, width: _pad(text, width, 32, left=False),
        "string PadRight(int totalWidth, char paddingChar)": lambda text, width, c: _pad(
            text, width, c, left=False
        ),
        "string Substring(int startIndex)": substring,
        "string Substring(int startIndex, int length)": substring,
        "string ToLower()": lower,
        "string ToLowerInvariant()": lower,
        "string ToUpper()": upper,
        "string ToUpperInvariant()": upper,
        "string ToString()": str,
        "char[] ToCharArray()": _characters,
        "char[] ToCharArray(int startIndex, int length)": lambda text, start, count: _characters(
            substring(text, start, count)
        ),
        **{
            f"string {name}({parameters})": _trim(side)
            for name, side in (("Trim", "both"), ("TrimStart", "start"), ("TrimEnd", "end"))
            for parameters in ("", "char trimChar", "params char[] trimChars")
        },
        "string[] Split(params char[] separator)": _by_chars,
        "string[] Split(char[] separator, int count)": _by_chars,
        "string[] Split(char[] separator, StringSplitOptions options)": lambda text, separators, options: (
            _by_chars(text, separators, None, options)
        ),
        "string[] Split(char[] separator, int count, StringSplitOptions options)": _by_chars,
        "string[] Split(string[] separator, StringSplitOptions options)": _by_strings,
        "string[] Split(string[] separator, int count, StringSplitOptions options)": _by_strings_count,
        "string[] Split(string separator, StringSplitOptions options = null)": _by_string,
        "string[] Split(string separator, int count, StringSplitOptions options = null)": _by_string_count,
        "object Clone()": str,
        "string[] Split(char separator, int count)": lambda text, c, count: split(text, [chr(c)], count),
        "string[] Split(char separator, StringSplitOptions options)": lambda text, c, options: split(
            text, [chr(c)], None, options.number
        ),
        "string[] Split(char separator, int count, StringSplitOptions options)": _by_char,
    },
)


def _items(values: Array | None) -> list[Any]:
    if values is None:
        raise argument_null("args")
    return list(values.items)
