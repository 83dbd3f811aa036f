"""Writes and reads JSON as Newtonsoft does: leniently, with dates, duplicate names, comments."""

import json
import math
import re
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from twin.apim.csharp.errors import DotNetException, UnsupportedError
from twin.apim.csharp.json_values import BigInteger, JArray, JObject, JProperty, JToken, JValue
from twin.apim.csharp.literals import utf16
from twin.apim.csharp.moment_text import date_text, offset_text, span_text
from twin.apim.csharp.moments import (
    LOCAL,
    TICKS_PER_MINUTE,
    UNSPECIFIED,
    UTC_KIND,
    DateTime,
    DateTimeOffset,
    TimeSpan,
    ticks_of,
)
from twin.apim.csharp.number_text import double_text, number_text
from twin.apim.csharp.values import Array, Char, EnumValue, Long

_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED = re.compile('["\\\\\x00-\x1f\x85\u2028\u2029]')
_MOST_DEPTH: Final = 64
_LONG: Final = 2**63


def quote(text: str) -> str:
    """A JSON string."""
    return '"' + _ESCAPED.sub(lambda m: _ESCAPES.get(m[0]) or f"\\u{ord(m[0]):04x}", text) + '"'


def write(token: JToken, *, indented: bool) -> str:
    """The JSON of a token."""
    pieces: list[str] = []
    _write(token, pieces, "\n" if indented else "")
    return "".join(pieces)


def _write(token: JToken, pieces: list[str], newline: str) -> None:
    if isinstance(token, JValue):
        pieces.append(value_text(token.value) if token.kind != "Undefined" else "undefined")
    elif isinstance(token, JProperty):
        pieces.append(quote(token.name) + (": " if newline else ":"))
        _write(token.value, pieces, newline)
    else:
        opening, closing = ("{", "}") if isinstance(token, JObject) else ("[", "]")
        children = token.children()
        pieces.append(opening)
        inner = newline + "  " if newline else ""
        for index, child in enumerate(children):
            pieces.append("," + inner if index else inner)
            _write(child, pieces, inner)
        pieces.append((newline if children else "") + closing)


def value_text(value: Any) -> str:  # noqa: C901, PLR0911, PLR0912 -- one case a kind
    """The JSON of a plain value."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Char():
            return quote(chr(value))
        case str():
            return quote(value)
        case int():
            return int.__repr__(value)
        case float():
            if not math.isfinite(value):
                return f'"{double_text(value)}"'
            return _with_point(double_text(value))
        case Decimal():
            return _with_point(number_text(value))
        case DateTime():
            return f'"{date_text(value, "yyyy-MM-ddTHH:mm:ss.FFFFFFFK")}"'
        case DateTimeOffset():
            return f'"{offset_text(value, "yyyy-MM-ddTHH:mm:ss.FFFFFFFK")}"'
        case TimeSpan():
            return f'"{span_text(value)}"'
        case UUID():
            return f'"{value}"'
        case EnumValue():
            return str(value.number)
        case Array():
            import base64  # noqa: PLC0415

            return f'"{base64.b64encode(bytes(value)).decode()}"'
    own = getattr(value, "original", None)
    if own is not None:
        return quote(own)
    raise UnsupportedError("writing this value as JSON")


def _with_point(text: str) -> str:
    return text if any(c in text for c in ".Ee") else text + ".0"


def reader_error(message: str) -> DotNetException:
    """What malformed JSON throws."""
    return DotNetException("JsonReaderException", message)


def parse(text: str, *, dates: bool = True) -> JToken:
    """The one document of a text.

    Raises:
        DotNetException: JsonReaderException.
    """
    found = _parse_strictly(text, dates=dates)
    return _Reader(text, dates).document() if found is None else found


def _parse_strictly(text: str, *, dates: bool) -> JToken | None:
    """Strict JSON, read by Python's own reader; None for everything else: the lenient one reads that."""
    if text.count("{") + text.count("[") > _MOST_DEPTH:
        return None

    def convert(value: Any) -> JToken:
        if isinstance(value, str):
            return _string_token(utf16(value), dates=dates)
        if isinstance(value, list):
            return JArray([convert(item) for item in value])
        return value if isinstance(value, JToken) else JValue(value)

    def build(pairs: list[tuple[str, Any]]) -> JObject:
        found = JObject()
        for name, value in pairs:
            found.set(utf16(name), convert(value))
        return found

    try:
        return convert(
            json.loads(
                text,
                object_pairs_hook=build,
                parse_int=_number,
                parse_float=_number,
                parse_constant=_refuse_constant,
                strict=False,
            )
        )
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


_NUMBER_CHARACTERS: Final = frozenset("0123456789abcdefABCDEFxX.+-")
_NAME = re.compile(r"[\w$]+")
_WORDS: Final = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": math.nan,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
}
_SIMPLE_ESCAPES: Final = {
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
_STRING_END = {quote_: re.compile(f"[{quote_}\\\\]") for quote_ in "\"'"}
_SPACE = re.compile(r"(?:\s|/\*[\s\S]*?\*/|//[^\r\n]*)*")


class _Reader:
    """Reads one document."""

    def __init__(self, text: str, dates: bool) -> None:
        self.text = text
        self.position = 0
        self.dates = dates

    def document(self) -> JToken:
        self._space()
        if self.position >= len(self.text):
            raise reader_error("Error reading JToken from JsonReader. Path '', line 0, position 0.")
        token = self._value(0)
        self._space()
        if self.position < len(self.text):
            raise self._unexpected("Additional text encountered after finished reading JSON content")
        return token

    def _unexpected(self, message: str) -> DotNetException:
        here = self.text[self.position : self.position + 1]
        line = self.text.count("\n", 0, self.position) + 1
        column = self.position - (self.text.rfind("\n", 0, self.position) + 1)
        return reader_error(f"{message}: {here}. Path '', line {line}, position {column}.")

    def _space(self) -> None:
        match = _SPACE.match(self.text, self.position)
        self.position = match.end() if match else self.position
        if self.text.startswith("/", self.position):
            raise self._unexpected("Error parsing comment")

    def _value(self, depth: int) -> JToken:
        if depth >= _MOST_DEPTH:
            raise reader_error(f"The reader's MaxDepth of {_MOST_DEPTH} has been exceeded.")
        here = self.text[self.position : self.position + 1]
        if here == "{":
            return self._object(depth)
        if here == "[":
            return self._array(depth)
        if here in {'"', "'"}:
            return _string_token(self._string(), dates=self.dates)
        for word, value in _WORDS.items():
            if word[0] == here and self.text.startswith(word, self.position):
                self.position += len(word)
                self._check_separator()
                return JValue(value)
        if self.text.startswith("undefined", self.position):
            self.position += 9
            self._check_separator()
            return JValue(None, "Undefined")
        if here.isdigit() or here in {"-", "."}:
            return self._number()
        if self.text.startswith("new ", self.position):
            raise UnsupportedError("JSON with constructors")
        raise self._unexpected("Unexpected character encountered while parsing value")

    def _check_separator(self) -> None:
        here = self.text[self.position : self.position + 1]
        if here and not here.isspace() and here not in ",]})/":
            raise self._unexpected("Unexpected character encountered while parsing value")

    def _object(self, depth: int) -> JObject:
        self.position += 1
        found = JObject()
        while True:
            self._space()
            here = self.text[self.position : self.position + 1]
            if here == "}":
                self.position += 1
                return found
            name = self._name(here)
            self._space()
            if not self.text.startswith(":", self.position):
                raise self._unexpected("Invalid character after parsing property name. Expected ':' but got")
            self.position += 1
            self._space()
            # The last of several equal names wins, at the place of the first.
            found.set(name, self._value(depth + 1))
            self._space()
            here = self.text[self.position : self.position + 1]
            if here == ",":
                self.position += 1
            elif here != "}":
                raise self._unexpected("After parsing a value an unexpected character was encountered")

    def _name(self, here: str) -> str:
        if here in {'"', "'"}:
            return self._string()
        match = _NAME.match(self.text, self.position)
        if match is None:
            raise self._unexpected("Invalid property identifier character")
        self.position = match.end()
        return match[0]

    def _array(self, depth: int) -> JArray:
        self.position += 1
        found = JArray()
        while True:
            self._space()
            here = self.text[self.position : self.position + 1]
            if here == "]":
                self.position += 1
                return found
            if here == ",":
                found.add(JValue(None, "Undefined"))
                self.position += 1
                continue
            found.add(self._value(depth + 1))
            self._space()
            here = self.text[self.position : self.position + 1]
            if here == ",":
                self.position += 1
            elif here != "]":
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
        if code in _SIMPLE_ESCAPES:
            return _SIMPLE_ESCAPES[code]
        digits = self.text[self.position : self.position + 4]
        if code == "u" and re.fullmatch(r"[0-9a-fA-F]{4}", digits):
            self.position += 4
            return chr(int(digits, 16))
        raise reader_error(f"Bad JSON escape sequence: \\{code}.")

    def _number(self) -> JValue:
        start = self.position
        while self.text[self.position : self.position + 1] in _NUMBER_CHARACTERS and self.position < len(
            self.text
        ):
            self.position += 1
        word = self.text[start : self.position]
        here = self.text[self.position : self.position + 1]
        if here and not here.isspace() and here not in ",]})/":
            raise self._unexpected("Unexpected character encountered while parsing number")
        return JValue(_number(word))


def _string_token(text: str, *, dates: bool) -> JValue:
    """A string, or the date that it looks like."""
    if dates and 19 <= len(text) <= 40 and text[0].isdigit() and text[10] == "T":  # noqa: PLR2004
        moment = iso_date(text)
        if moment is not None:
            return JValue(moment, "Date")
    if dates and text.startswith("/Date("):
        raise UnsupportedError("dates of the form /Date(...)/ in JSON")
    return JValue(text, "String")


def _number(word: str) -> Any:
    if re.fullmatch(r"-?(?:0|[1-9]\d*)|-0", word):
        value = int(word)
        return Long(value) if -_LONG <= value < _LONG else BigInteger(value)
    if re.fullmatch(r"-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|-?\.\d+(?:[eE][+-]?\d+)?", word) and not re.match(
        r"-?0\d", word
    ):
        value = float(word)
        if math.isinf(value):
            raise UnsupportedError("a number of JSON that is too large for a double")
        return value
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,15}", word):
        return Long(int(word, 16))
    if re.fullmatch(r"0[0-7]{1,20}", word):
        return Long(int(word, 8))
    if re.match(r"-?0[0-9xX]", word):
        raise UnsupportedError("this octal or hexadecimal number in JSON")
    raise reader_error(f"Input string '{word}' is not a valid number.")


_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,7}))?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?$"
)


def iso_date(text: str) -> DateTime | None:
    """A string of JSON as a date, or None; one with an offset becomes local time, which is UTC here."""
    match = _ISO.match(text)
    if match is None or text.endswith("\n"):
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if hour == 24:  # noqa: PLR2004 -- midnight at the end of a day, which only newer versions of Newtonsoft read
        raise UnsupportedError("a date with hour 24 in JSON")
    try:
        ticks = ticks_of(year, month, day, hour, minute, second)
    except DotNetException:
        return None
    ticks += int((match[7] or "").ljust(7, "0"))
    if match[8]:
        return DateTime(ticks, UTC_KIND)
    if match[9] is None:
        return DateTime(ticks, UNSPECIFIED)
    offset = (int(match[10]) * 60 + int(match[11] or 0)) * TICKS_PER_MINUTE
    return DateTime(ticks - offset if match[9] == "+" else ticks + offset, LOCAL)
