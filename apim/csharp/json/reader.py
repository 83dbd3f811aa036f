"""Parses JSON as leniently as Newtonsoft: with dates, duplicate names and comments."""

import json
import math
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from apim.csharp.dotnet.values import Long
from apim.csharp.errors import DotNetException
from apim.csharp.json.dates import string_token
from apim.csharp.json.plain import BigInteger
from apim.csharp.json.tokens import JArray, JConstructor, JObject, JProperty, JToken, JValue
from apim.csharp.language.literals import utf16

_MAX_DEPTH: Final = 64
_LONG: Final = 2**63
_MAX_DIGITS: Final = 380
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def reader_error(message: str) -> DotNetException:
    """The exception for malformed JSON."""
    return DotNetException("JsonReaderException", message)


def parse(text: str, *, dates: bool = True, may_end: bool = False) -> JToken:
    """Parses a document.

    Args:
        text: the JSON.
        dates: whether strings in the form of a date become dates.
        may_end: whether the document may end after any value, as for JsonConvert.

    Raises:
        DotNetException: JsonReaderException.
    """
    found = _parse_strictly(text, dates=dates)
    return _Reader(text, dates=dates, may_end=may_end).document() if found is None else found


def parse_any(text: str) -> JToken:
    """JToken.Parse, which returns a comment before the document as the token, and still parses the document.

    Raises:
        DotNetException: JsonReaderException.
    """
    comment = _FIRST_COMMENT.match(text)
    if comment is None:
        return parse(text)
    rest = _Reader(text[comment.end() :], dates=True)
    rest.skip_space()
    if rest.position < len(rest.text):
        rest.document()
    return JValue(comment[1] if comment[1] is not None else comment[2], "Comment")


def _parse_strictly(text: str, *, dates: bool) -> JToken | None:
    """Strict JSON, parsed by Python's parser; None for everything else, which the lenient parser handles."""
    if _SURROGATE.search(text):
        return None
    try:
        token = _strict_reader(dates)(text)
    except (ValueError, RecursionError):
        return None
    may_be_deep = text.count("{") + text.count("[") > _MAX_DEPTH
    return None if may_be_deep and _depth(token) > _MAX_DEPTH else token


def _depth(token: JToken) -> int:
    """The number of nested objects and arrays."""
    depth, level = 0, [token]
    while level := [container for container in level if isinstance(container, (JObject, JArray))]:
        depth += 1
        level = [
            child.value if isinstance(child, JProperty) else child
            for container in level
            for child in container.children()
        ]
    return depth


@cache
def _strict_reader(dates: bool) -> Callable[[str], JToken]:
    def convert(value: Any) -> JToken:
        if type(value) is str:
            return string_token(value if value.isascii() else utf16(value), dates=dates)
        if isinstance(value, list):
            return JArray([convert(item) for item in value])
        return value if isinstance(value, JToken) else JValue(value, _KINDS.get(type(value)))

    def build(pairs: list[tuple[str, Any]]) -> JObject:
        found = JObject()
        properties, holding = found.properties, JProperty.holding
        for original_name, value in pairs:
            name = original_name if original_name.isascii() else utf16(original_name)
            if type(value) is str and value.isascii() and not (value[:1] == "/" or value[10:11] == "T"):
                token: JToken = JValue(value, "String")  # The string does not have the form of a date.
            else:
                token = convert(value)
            if name in properties:
                raise ValueError(name)  # The depth of a value that is replaced counts, too.
            properties[name] = holding(name, token, found)
        return found

    decoder = json.JSONDecoder(
        object_pairs_hook=build,
        parse_int=_number,
        parse_float=_number,
        parse_constant=_refuse_constant,
        strict=False,
    )
    return lambda text: convert(decoder.decode(text))


_KINDS: Final = {Long: "Integer", bool: "Boolean", float: "Float"}


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


_NUMBER_CHARACTERS: Final = frozenset("0123456789abcdefABCDEFxX.+-")
_WHITE: Final = r"[^\S\x1c-\x1f]|\x00"
_WORDS: Final = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": math.nan,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
}
SIMPLE_ESCAPES: Final = {
    "b": "\b",
    "t": "\t",
    "n": "\n",
    "f": "\f",
    "r": "\r",
    "\\": "\\",
    '"': '"',
    "'": "'",
    "/": "/",
}
"""The characters of escapes with one letter in JSON strings and JSONPath."""
_STRING_END = {quote_: re.compile(f"[{quote_}\\\\]") for quote_ in "\"'"}
_SPACE = re.compile(rf"(?:{_WHITE}|/\*[\s\S]*?\*/|//[^\r\n]*)*")
_BARE_SPACE = re.compile(rf"(?:{_WHITE})*")
_IS_WHITE = re.compile(_WHITE)
_FIRST_COMMENT = re.compile(rf"(?:{_WHITE})*(?:/\*([\s\S]*?)\*/|//([^\r\n]*))")
_HIGH: Final = range(0xD800, 0xDC00)
_LOW: Final = range(0xDC00, 0xE000)
_REPLACEMENT: Final = "\ufffd"


def _is_name(character: str) -> bool:
    """Whether a name without quotes may contain the character: char.IsLetterOrDigit, `_`, `$`."""
    return character in {"_", "$"} or unicodedata.category(character) in _LETTERS_AND_DIGITS


_LETTERS_AND_DIGITS: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd"})


class _Reader:
    """Parses one document."""

    def __init__(self, text: str, *, dates: bool, may_end: bool = False) -> None:
        self.text = text
        self.may_end = may_end
        self.position = 0
        self.dates = dates

    def document(self) -> JToken:
        self.skip_space()
        if self.position >= len(self.text):
            raise reader_error("Error reading JToken from JsonReader. Path '', line 0, position 0.")
        token = self._value(0)
        self.skip_space()
        if self.position < len(self.text):
            raise self._unexpected("Additional text encountered after finished reading JSON content")
        return token

    def _unexpected(self, message: str) -> DotNetException:
        here = self.text[self.position : self.position + 1]
        line = self.text.count("\n", 0, self.position) + 1
        column = self.position - (self.text.rfind("\n", 0, self.position) + 1)
        return reader_error(f"{message}: {here}. Path '', line {line}, position {column}.")

    def skip_space(self) -> None:
        """Skips white space and comments."""
        match = _SPACE.match(self.text, self.position)
        self.position = match.end() if match else self.position
        if self.text.startswith("/", self.position):
            raise self._unexpected("Error parsing comment")

    def _value(self, depth: int) -> JToken:  # noqa: C901, PLR0911 -- one case per kind
        here = self.text[self.position : self.position + 1]
        if here in {"{", "["} and depth >= _MAX_DEPTH:
            raise reader_error(f"The reader's MaxDepth of {_MAX_DEPTH} has been exceeded.")
        if here == "{":
            return self._object(depth)
        if here == "[":
            self.position += 1
            return JArray(self._items(depth, "]"))
        if here in {'"', "'"}:
            return string_token(self._string(), dates=self.dates)
        if here == ",":
            return JValue(None, "Undefined")
        for word, value in _WORDS.items():
            if word[0] == here and self.text.startswith(word, self.position):
                self.position += len(word)
                self._check_separator()
                return JValue(value)
        if self.text.startswith("undefined", self.position):
            self.position += 9
            self._check_separator()
            return JValue(None, "Undefined")
        if here in {"-", "."} or unicodedata.category(here or " ").startswith("N"):
            return self._number()
        if self.text.startswith("new", self.position):
            return self._constructor(depth)
        raise self._unexpected("Unexpected character encountered while parsing value")

    def _constructor(self, depth: int) -> JConstructor:
        """`new Name(items)`, a constructor call in JavaScript notation."""
        self.position += 3
        self._check_separator()
        self._bare_space()
        start = self.position
        while (
            unicodedata.category(self.text[self.position : self.position + 1] or " ") in _LETTERS_AND_DIGITS
        ):
            self.position += 1
        name = self.text[start : self.position]
        self._bare_space()
        if not self.text.startswith("(", self.position):
            raise self._unexpected("Unexpected character while parsing constructor")
        if depth >= _MAX_DEPTH:
            raise reader_error(f"The reader's MaxDepth of {_MAX_DEPTH} has been exceeded.")
        if not name:
            raise DotNetException("ArgumentException", "Constructor name cannot be empty. (Parameter 'name')")
        self.position += 1
        return JConstructor(name, self._items(depth, ")"))

    def _bare_space(self) -> None:
        """Skips white space, but not comments."""
        match = _BARE_SPACE.match(self.text, self.position)
        self.position = match.end() if match else self.position

    def _check_separator(self) -> None:
        here = self.text[self.position : self.position + 1]
        if here and not _IS_WHITE.match(here) and here not in ",]})/":
            raise self._unexpected("Unexpected character encountered while parsing value")

    def _object(self, depth: int) -> JObject:
        self.position += 1
        found = JObject()
        while True:
            self.skip_space()
            here = self.text[self.position : self.position + 1]
            self._check_end(here)
            if here == "}":
                self.position += 1
                return found
            name = self._name(here)
            self._bare_space()
            if not self.text.startswith(":", self.position):
                raise self._unexpected("Invalid character after parsing property name. Expected ':' but got")
            self.position += 1
            self.skip_space()
            self._check_end(self.text[self.position : self.position + 1])
            # If a name occurs several times, the last value is kept, at the position of the first.
            found.set(name, self._value(depth + 1))
            self.skip_space()
            here = self.text[self.position : self.position + 1]
            if here == ",":
                self.position += 1
            elif not here and self.may_end:
                return found
            elif here != "}":
                raise self._unexpected("After parsing a value an unexpected character was encountered")

    def _check_end(self, here: str) -> None:
        if not here and self.may_end:
            raise DotNetException("JsonWriterException", "Unexpected end when reading token. Path ''.")

    def _name(self, here: str) -> str:
        if here in {'"', "'"}:
            return self._string()
        start = self.position
        while self.position < len(self.text) and _is_name(self.text[self.position]):
            self.position += 1
        after = self.text[self.position : self.position + 1]
        if self.position == start or (after != ":" and not _IS_WHITE.match(after)):
            raise self._unexpected("Invalid property identifier character")
        return self.text[start : self.position]

    def _items(self, depth: int, closing: str) -> list[JToken]:
        """The items in `[ ]`, or between the parentheses of a constructor."""
        found: list[JToken] = []
        while True:
            self.skip_space()
            self._check_end(self.text[self.position : self.position + 1])
            if self.text.startswith(closing, self.position):
                self.position += 1
                return found
            # A comma without a value before it represents the value `undefined`.
            found.append(self._value(depth + 1))
            self.skip_space()
            here = self.text[self.position : self.position + 1]
            if here == ",":
                self.position += 1
            elif not here and self.may_end:
                return found
            elif here != closing:
                raise self._unexpected("After parsing a value an unexpected character was encountered")

    def _string(self) -> str:
        opening = self.text[self.position]
        ending = _STRING_END[opening]
        self.position += 1
        pieces: list[str] = []
        while True:
            match = ending.search(self.text, self.position)
            if match is None:
                raise reader_error(f"Unterminated string. Expected delimiter: {opening}.")
            pieces.append(self.text[self.position : match.start()])
            self.position = match.end()
            if match[0] == opening:
                return "".join(pieces)
            pieces.append(self._escape())

    def _escape(self) -> str:
        code = self.text[self.position : self.position + 1]
        self.position += 1
        if code in SIMPLE_ESCAPES:
            return SIMPLE_ESCAPES[code]
        if code == "u":
            return self._unicode()
        raise reader_error(f"Bad JSON escape sequence: \\{code}.")

    def _unicode(self) -> str:
        r"""The code unit of `\uXXXX`; a lone surrogate becomes U+FFFD."""
        found = ""
        number = self._code_unit()
        while number in _HIGH:
            if not self.text.startswith("\\u", self.position):
                return found + _REPLACEMENT
            self.position += 2
            high, number = number, self._code_unit()
            if number in _LOW:
                return found + chr(high) + chr(number)
            found += _REPLACEMENT
        return found + (_REPLACEMENT if number in _LOW else chr(number))

    def _code_unit(self) -> int:
        digits = self.text[self.position : self.position + 4]
        if not re.fullmatch(r"[0-9a-fA-F]{4}", digits):
            raise reader_error(f"Invalid Unicode escape sequence: \\u{digits}.")
        self.position += 4
        return int(digits, 16)

    def _number(self) -> JValue:
        start = self.position
        while self.text[self.position : self.position + 1] in _NUMBER_CHARACTERS and self.position < len(
            self.text
        ):
            self.position += 1
        word = self.text[start : self.position]
        here = self.text[self.position : self.position + 1]
        if here and not _IS_WHITE.match(here) and here not in ",]})/":
            raise self._unexpected("Unexpected character encountered while parsing number")
        return JValue(_number(word))


_INTEGER = re.compile(r"-?[0-9]+")
_FLOAT = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def _number(word: str) -> Any:
    """JsonTextReader.ParseReadNumber: a leading 0 selects another base; large numbers are a BigInteger.

    https://github.com/JamesNK/Newtonsoft.Json/blob/13.0.3/Src/Newtonsoft.Json/JsonTextReader.cs
    """
    if word[:1] == "0" and len(word) > 1 and word[1] not in ".eE":
        return _based(word)
    if _INTEGER.fullmatch(word):
        if len(word) > _MAX_DIGITS:
            raise reader_error(f"JSON integer {word} is too large to parse.")
        value = int(word)
        return Long(value) if -_LONG <= value < _LONG else BigInteger(value)
    if _FLOAT.fullmatch(word):
        return float(word)
    raise reader_error(f"Input string '{word}' is not a valid number.")


def _based(word: str) -> Long:
    """Convert.ToInt64(word, 16 or 8): a 64-bit two's complement number."""
    hexadecimal = word[1] in "xX"
    digits, base = (word[2:], 16) if hexadecimal else (word, 8)
    if (
        not re.fullmatch("[0-9a-fA-F]+" if hexadecimal else "[0-7]+", digits)
        or int(digits, base) >= 2 * _LONG
    ):
        raise reader_error(f"Input string '{word}' is not a valid number.")
    value = int(digits, base)
    return Long(value - 2 * _LONG if value >= _LONG else value)
