"""Newtonsoft's JSON tokens: JObject, JArray, JProperty, JValue.

A token has at most one parent; one that already has a parent is cloned when it is added elsewhere.
https://www.newtonsoft.com/json/help/html/N_Newtonsoft_Json_Linq.htm
"""

from collections.abc import Iterator
from typing import Any, Final

from apim.csharp.dotnet.convert import change_type
from apim.csharp.dotnet.key_value_pair import KeyValuePair
from apim.csharp.dotnet.text.values import format_value, to_string
from apim.csharp.dotnet.types import BYTE, JTOKEN, STRING, clr
from apim.csharp.dotnet.values import Array, Char, Long, ULong
from apim.csharp.errors import DotNetException, UnsupportedError, argument_null, index_out_of_range
from apim.csharp.json.casts import cast_value
from apim.csharp.json.plain import BigInteger, kind_of, quote, same_value, value_text

_SPECIAL_IN_NAMES: Final = frozenset(". '/\"[]()\t\n\r\f\b\\\u0085\u2028\u2029")


def quoted_name(name: str) -> str:
    """A property's name in a path: unchanged, or as `['name']`."""
    if not any(character in _SPECIAL_IN_NAMES for character in name):
        return name
    escaped = quote(name)[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"['{escaped}']"


class JToken:
    """A JSON token. `kind` is a name of JTokenType."""

    __slots__ = ("parent",)
    parent: "JToken | None"
    clr_type = JTOKEN
    kind = "None"

    def clr_text(self) -> str:
        """ToString(): indented JSON."""
        return self.json(indented=True)

    def json(self, *, indented: bool) -> str:
        """The token as JSON."""
        pieces: list[str] = []
        self.write(pieces, "\n" if indented else "")
        return "".join(pieces)

    def write(self, pieces: list[str], newline: str) -> None:
        """Appends the JSON; `newline` is a line break with indentation, or empty for JSON on one line."""
        opening, closing = self.brackets()
        children = self.children()
        pieces.append(opening)
        inner = newline + "  " if newline else ""
        for index, child in enumerate(children):
            pieces.append("," + inner if index else inner)
            child.write(pieces, inner)
        pieces.append((newline if children or closing == ")" else "") + closing)

    def brackets(self) -> tuple[str, str]:
        """The start and the end of its JSON if it has children."""
        return "[", "]"

    def children(self) -> list["JToken"]:
        """The child tokens, in order."""
        return []

    def __iter__(self) -> Iterator["JToken"]:
        return iter(self.children())

    def clone(self) -> "JToken":
        """A copy without a parent."""
        raise UnsupportedError("cloning this token")


class JValue(JToken):
    """A value; `value` is a .NET value, or None for null."""

    __slots__ = ("kind", "value")
    clr_type = clr("JValue")

    def __init__(self, value: Any, kind: str | None = None) -> None:
        self.parent = None
        self.value = value
        self.kind = kind_of(value) if kind is None else kind

    def clr_text(self) -> str:
        """The value's own ToString(); the empty string for null."""
        return "" if self.value is None else to_string(self.value)

    def clr_format(self, pattern: str) -> str:
        """ToString(format)."""
        return format_value(self.value, pattern)

    def dynamic_convert(self, target: str, nullable: bool) -> Any:
        """The conversion of a dynamic value to a plain type, by Convert.ChangeType."""
        if self.value is None and not nullable:
            raise DotNetException(
                "RuntimeBinderException", f"Cannot implicitly convert type '{self.clr_type}' to '{target}'."
            )
        if isinstance(self.value, BigInteger):
            raise DotNetException(
                "InvalidOperationException", f"Can not convert from BigInteger to System.{target}."
            )
        return None if self.value is None else change_type(self.value, target)

    def clr_convert(self, target: str) -> Any:
        """The conversion by IConvertible, which uses the casts of tokens."""
        return cast_value(self.kind, self.value, target)

    def write(self, pieces: list[str], newline: str) -> None:  # noqa: ARG002 -- a value has no line breaks
        """Appends its JSON."""
        if self.kind == "Undefined":
            pieces.append("undefined")
        elif self.kind == "Comment":
            pieces.append(f"/*{self.value}*/")
        else:
            pieces.append(value_text(self.value))

    def clr_equals(self, other: Any) -> bool:
        """Equals: a JValue with an equal value."""
        if not isinstance(other, JValue) or other.kind != self.kind:
            return False
        return same_value(self.value, other.value)

    def clone(self) -> "JValue":
        """A copy without a parent."""
        return JValue(self.value, self.kind)


class JProperty(JToken):
    """A name and a value."""

    __slots__ = ("_value", "name")
    clr_type = clr("JProperty")
    kind = "Property"

    def __init__(self, name: str | None, value: Any = None) -> None:
        if name is None:
            raise argument_null("name")
        self.parent = None
        self.name = name
        self._value = self.adopted(to_token(value))

    @classmethod
    def holding(cls, name: str, value: JToken, parent: "JObject") -> "JProperty":
        """A property of an object, created from a value that has no parent."""
        made = cls.__new__(cls)
        made.parent, made.name, made._value = parent, name, value  # noqa: SLF001 -- an attribute of this class
        value.parent = made
        return made

    def adopted(self, value: JToken) -> JToken:
        """The value as a child."""
        if isinstance(value, JProperty):
            raise DotNetException(
                "ArgumentException",
                "Can not add Newtonsoft.Json.Linq.JProperty to Newtonsoft.Json.Linq.JProperty.",
            )
        if value.parent is not None:
            value = value.clone()
        value.parent = self
        return value

    @property
    def value(self) -> JToken:
        """The value."""
        return self._value

    def set_value(self, value: Any) -> None:
        """Replaces the value."""
        self._value.parent = None
        self._value = self.adopted(to_token(value))

    def children(self) -> list[JToken]:
        """The child tokens, in order."""
        return [self._value]

    def write(self, pieces: list[str], newline: str) -> None:
        """Appends its JSON."""
        pieces.append(quote(self.name) + (": " if newline else ":"))
        self._value.write(pieces, newline)

    def clone(self) -> "JProperty":
        """A copy without a parent."""
        return JProperty(self.name, self._value.clone())


class JArray(JToken):
    """An array."""

    __slots__ = ("items",)
    clr_type = clr("JArray")
    kind = "Array"

    def __init__(self, items: list[JToken] | None = None) -> None:
        self.parent = None
        self.items: list[JToken] = []
        for item in items or []:
            self.add(item)

    def adopted(self, value: Any) -> JToken:
        """A value as a child."""
        token = to_token(value)
        if isinstance(token, JProperty):
            raise DotNetException(
                "ArgumentException",
                "Can not add Newtonsoft.Json.Linq.JProperty to Newtonsoft.Json.Linq.JArray.",
            )
        if token.parent is not None or token is self:
            token = token.clone()
        token.parent = self
        return token

    def add(self, value: Any) -> None:
        """Appends a value."""
        self.items.append(self.adopted(value))

    def insert(self, index: int, value: Any) -> None:
        """Inserts a value at an index."""
        if not 0 <= index <= len(self.items):
            raise index_out_of_range()
        self.items.insert(index, self.adopted(value))

    def at(self, index: int) -> JToken:
        """The item at an index."""
        if not 0 <= index < len(self.items):
            raise index_out_of_range()
        return self.items[index]

    def set(self, index: int, value: Any) -> None:
        """Replaces the item at an index."""
        self.at(index).parent = None
        self.items[index] = self.adopted(value)

    def remove(self, token: JToken | None) -> bool:
        """Removes an item, by identity."""
        for index, item in enumerate(self.items):
            if item is token:
                del self.items[index]
                item.parent = None
                return True
        return False

    def remove_at(self, index: int) -> None:
        """Removes the item at an index."""
        self.at(index).parent = None
        del self.items[index]

    def children(self) -> list[JToken]:
        """The child tokens, in order."""
        return list(self.items)

    def __iter__(self) -> Iterator[JToken]:
        return _guarded(self.items)

    def clone(self) -> "JArray":
        """A copy without a parent."""
        return JArray([item.clone() for item in self.items])


class JConstructor(JToken):
    """`new Name(1, 2)`, a constructor call in JavaScript notation."""

    __slots__ = ("items", "name")
    clr_type = clr("JConstructor")
    kind = "Constructor"

    def __init__(self, name: str, items: list[JToken]) -> None:
        self.parent = None
        self.name = name
        self.items = items
        for item in items:
            item.parent = self

    def children(self) -> list[JToken]:
        """The child tokens, in order."""
        return list(self.items)

    def brackets(self) -> tuple[str, str]:
        """The start and the end of its JSON."""
        return f"new {self.name}(", ")"

    def clone(self) -> "JConstructor":
        """A copy without a parent."""
        return JConstructor(self.name, [item.clone() for item in self.items])


class JObject(JToken):
    """An object: properties in order, by name."""

    __slots__ = ("properties",)
    clr_type = clr("JObject")
    kind = "Object"

    def __init__(self, properties: list[JProperty] | None = None) -> None:
        self.parent = None
        self.properties: dict[str, JProperty] = {}
        for item in properties or []:
            self.add_property(item)

    def insert_property(self, index: int, item: JProperty) -> None:
        """Inserts a property at an index.

        Raises:
            DotNetException: ArgumentException, if the name exists already; ArgumentOutOfRangeException.
        """
        if not 0 <= index <= len(self.properties):
            raise index_out_of_range()
        later = list(self.properties)[index:]
        self.add_property(item)
        for name in later:
            self.properties[name] = self.properties.pop(name)

    def add_property(self, item: JProperty) -> None:
        """Adds a property.

        Raises:
            DotNetException: ArgumentException, if the name exists already.
        """
        if item.name in self.properties:
            raise DotNetException(
                "ArgumentException",
                f"Can not add property {item.name} to Newtonsoft.Json.Linq.JObject. "
                "Property with the same name already exists on object.",
            )
        if item.parent is not None:
            item = item.clone()
        item.parent = self
        self.properties[item.name] = item

    def get(self, name: Any) -> JToken | None:
        """The value of a property; None if it is absent."""
        if name is None:
            raise argument_null("propertyName")
        found = self.properties.get(name)
        return None if found is None else found.value

    def set(self, name: Any, value: Any) -> None:
        """Sets or adds a property."""
        if name is None:
            raise argument_null("propertyName")
        found = self.properties.get(name)
        if found is None:
            self.add_property(JProperty(name, value))
        else:
            found.set_value(value)

    def remove(self, name: Any) -> bool:
        """Removes a property by name."""
        if name is None:
            raise argument_null("propertyName")
        found = self.properties.pop(name, None)
        if found is not None:
            found.parent = None
        return found is not None

    def children(self) -> list[JToken]:
        """The child tokens, in order."""
        return list(self.properties.values())

    def __iter__(self) -> Iterator[JToken]:
        return _guarded(self.properties.values())

    def brackets(self) -> tuple[str, str]:
        """The start and the end of its JSON."""
        return "{", "}"

    def pairs(self) -> Iterator["KeyValuePair"]:
        """The properties as foreach enumerates them."""
        for item in _guarded(self.properties.values()):
            yield KeyValuePair(item.name, item.value, STRING, JTOKEN)

    def clone(self) -> "JObject":
        """A copy without a parent."""
        return JObject([item.clone() for item in self.properties.values()])


def _guarded(items: Any) -> Iterator[Any]:
    """The items; raises InvalidOperationException, as in .NET, if the collection changes."""
    size = len(items)
    for item in list(items):
        if len(items) != size:
            raise DotNetException(
                "InvalidOperationException", "Collection was modified; enumeration operation may not execute."
            )
        yield item
    if len(items) != size:
        raise DotNetException(
            "InvalidOperationException", "Collection was modified; enumeration operation may not execute."
        )


def to_token(value: Any) -> JToken:
    """A token unchanged; an enumerable as a JArray; any other value as a JValue."""
    if isinstance(value, JToken):
        return value
    if isinstance(value, Char):
        raise DotNetException(
            "ArgumentException", "Could not determine JSON object type for type System.Char."
        )
    is_bytes = isinstance(value, Array) and value.clr_type.args[0] is BYTE
    if value is None or isinstance(value, str) or is_bytes or not hasattr(value, "__iter__"):
        return JValue(value)
    return JArray(list(value))


def token_of_primitive(value: Any) -> JToken:
    """The implicit conversion from a .NET value; integers are converted to long."""
    if isinstance(value, str):
        return JValue(value, "String")
    if isinstance(value, int) and not isinstance(value, (bool, ULong)):
        return JValue(Long(value), "Integer")
    return JValue(value)


def deep_equals(left: JToken | None, right: JToken | None) -> bool:
    """JToken.DeepEquals."""
    if left is None or right is None:
        return left is right
    if isinstance(left, JValue) or isinstance(right, JValue):
        return isinstance(left, JValue) and left.clr_equals(right)
    if isinstance(left, JObject) and isinstance(right, JObject):
        return left.properties.keys() == right.properties.keys() and all(
            deep_equals(item.value, right.properties[name].value) for name, item in left.properties.items()
        )
    if type(left) is not type(right):
        return False
    if isinstance(left, (JProperty, JConstructor)) and left.name != getattr(right, "name", None):
        return False
    ours, theirs = left.children(), right.children()
    return len(ours) == len(theirs) and all(deep_equals(a, b) for a, b in zip(ours, theirs, strict=True))
