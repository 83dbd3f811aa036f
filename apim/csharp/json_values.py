"""Newtonsoft's JSON tokens: JObject, JArray, JProperty, JValue.

A token has at most one parent; one that already has a parent is cloned when it is added elsewhere.
https://www.newtonsoft.com/json/help/html/N_Newtonsoft_Json_Linq.htm
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from apim.csharp.errors import DotNetException, UnsupportedError, argument_null
from apim.csharp.moments import DateTime, DateTimeOffset, TimeSpan
from apim.csharp.types import BYTE, JTOKEN, STRING, clr
from apim.csharp.values import Array, Char, EnumValue, Integer, Long, ULong, equals

TOKEN_TYPES: Final = {
    "None": 0,
    "Object": 1,
    "Array": 2,
    "Constructor": 3,
    "Property": 4,
    "Comment": 5,
    "Integer": 6,
    "Float": 7,
    "String": 8,
    "Boolean": 9,
    "Null": 10,
    "Undefined": 11,
    "Date": 12,
    "Raw": 13,
    "Bytes": 14,
    "Guid": 15,
    "Uri": 16,
    "TimeSpan": 17,
}


_SPECIAL_IN_NAMES: Final = frozenset(". '/\"[]()\t\n\r\f\b\\\u0085\u2028\u2029")


def quoted_name(name: str) -> str:
    """A property's name as a path writes it: as it is, or as `['name']`."""
    if not any(character in _SPECIAL_IN_NAMES for character in name):
        return name
    from apim.csharp.json_text import quote  # noqa: PLC0415 -- the writer knows all tokens

    escaped = quote(name)[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"['{escaped}']"


class BigInteger(Integer):
    """An integer of JSON that does not fit a long."""

    __slots__ = ()
    clr_type = clr("BigInteger")


class JToken:
    """A JSON token. `kind` is a name of JTokenType."""

    __slots__ = ("parent",)
    parent: "JToken | None"
    clr_type = JTOKEN
    kind = "None"

    def clr_text(self) -> str:
        """ToString(): indented JSON."""
        from apim.csharp.json_text import write  # noqa: PLC0415 -- the writer knows all tokens

        return write(self, indented=True)

    def children(self) -> list["JToken"]:
        """Tokens inside, in order."""
        return []

    def __iter__(self) -> Iterator["JToken"]:
        return iter(self.children())

    def clone(self) -> "JToken":
        """A copy without parent."""
        raise UnsupportedError("cloning this token")


class JValue(JToken):
    """A value: `value` is None, or a .NET value."""

    __slots__ = ("kind", "value")
    clr_type = clr("JValue")

    def __init__(self, value: Any, kind: str | None = None) -> None:
        self.parent = None
        self.value = value
        self.kind = kind_of(value) if kind is None else kind

    def clr_text(self) -> str:
        """The value's own ToString(); the empty string for null."""
        from apim.csharp.text import to_string  # noqa: PLC0415 -- text knows all values

        return "" if self.value is None else to_string(self.value)

    def clr_format(self, pattern: str) -> str:
        """ToString(format)."""
        from apim.csharp.text import format_value  # noqa: PLC0415

        return format_value(self.value, pattern)

    def dynamic_convert(self, target: str, nullable: bool) -> Any:
        """What a dynamic value does where a plain type is expected: Convert.ChangeType."""
        from apim.csharp.members.convert import change_type  # noqa: PLC0415 -- it is made of these values

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
        """IConvertible, by the casts of tokens."""
        from apim.csharp.json_conversion import cast_token  # noqa: PLC0415 -- casts are made of tokens

        return cast_token(self, target, nullable=False)

    def clr_equals(self, other: Any) -> bool:
        """Equals: a JValue with an equal value."""
        if not isinstance(other, JValue) or other.kind != self.kind:
            return False
        return same_value(self.value, other.value)

    def clone(self) -> "JValue":
        """A copy without parent."""
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
        """A property of an object, made of a value that has no parent."""
        made = cls.__new__(cls)
        made.parent, made.name, made._value = parent, name, value  # noqa: SLF001 -- its own
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
        """Tokens inside, in order."""
        return [self._value]

    def clone(self) -> "JProperty":
        """A copy without parent."""
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
        """Appends."""
        self.items.append(self.adopted(value))

    def insert(self, index: int, value: Any) -> None:
        """Inserts."""
        if not 0 <= index <= len(self.items):
            raise index_out_of_range()
        self.items.insert(index, self.adopted(value))

    def at(self, index: int) -> JToken:
        """An item."""
        if not 0 <= index < len(self.items):
            raise index_out_of_range()
        return self.items[index]

    def set(self, index: int, value: Any) -> None:
        """Replaces an item."""
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
        """Removes the item at a place."""
        self.at(index).parent = None
        del self.items[index]

    def children(self) -> list[JToken]:
        """Tokens inside, in order."""
        return list(self.items)

    def __iter__(self) -> Iterator[JToken]:
        return _guarded(self.items)

    def clone(self) -> "JArray":
        """A copy without parent."""
        return JArray([item.clone() for item in self.items])


class JConstructor(JToken):
    """`new Name(1, 2)` in a text that is JavaScript rather than JSON."""

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
        """Tokens inside, in order."""
        return list(self.items)

    def clone(self) -> "JConstructor":
        """A copy without parent."""
        return JConstructor(self.name, [item.clone() for item in self.items])


class JObject(JToken):
    """An object: properties in order, by name."""

    __slots__ = ("properties",)
    clr_type = clr("JObject")
    kind = "Object"

    def __init__(self, properties: list[JProperty] | None = None) -> None:
        self.parent = None
        self.properties: dict[str, JProperty] = {}
        for one in properties or []:
            self.add_property(one)

    def insert_property(self, index: int, one: JProperty) -> None:
        """Adds a property at a place.

        Raises:
            DotNetException: ArgumentException, the name is there already; ArgumentOutOfRangeException.
        """
        if not 0 <= index <= len(self.properties):
            raise index_out_of_range()
        later = list(self.properties)[index:]
        self.add_property(one)
        for name in later:
            self.properties[name] = self.properties.pop(name)

    def add_property(self, one: JProperty) -> None:
        """Adds a property.

        Raises:
            DotNetException: ArgumentException, the name is there already.
        """
        if one.name in self.properties:
            raise DotNetException(
                "ArgumentException",
                f"Can not add property {one.name} to Newtonsoft.Json.Linq.JObject. "
                "Property with the same name already exists on object.",
            )
        if one.parent is not None:
            one = one.clone()
        one.parent = self
        self.properties[one.name] = one

    def get(self, name: Any) -> JToken | None:
        """The value of a property, or None."""
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
        """Tokens inside, in order."""
        return list(self.properties.values())

    def __iter__(self) -> Iterator[JToken]:
        return _guarded(self.properties.values())

    def pairs(self) -> Iterator["KeyValuePair"]:
        """As foreach sees it."""
        for one in _guarded(self.properties.values()):
            yield KeyValuePair(one.name, one.value, STRING, JTOKEN)

    def clone(self) -> "JObject":
        """A copy without parent."""
        return JObject([one.clone() for one in self.properties.values()])


class KeyValuePair:
    """KeyValuePair<TKey, TValue>."""

    __slots__ = ("clr_type", "key", "value")

    def __init__(self, key: Any, value: Any, key_type: Any, value_type: Any) -> None:
        self.key = key
        self.value = value
        self.clr_type = clr("KeyValuePair", key_type, value_type)

    def clr_text(self) -> str:
        """`[key, value]`."""
        from apim.csharp.text import to_string  # noqa: PLC0415

        return f"[{to_string(self.key)}, {to_string(self.value)}]"

    def clr_equals(self, other: Any) -> bool:
        """Equals, member by member."""
        return (
            isinstance(other, KeyValuePair)
            and equals(self.key, other.key)
            and equals(self.value, other.value)
        )


def _guarded(items: Any) -> Iterator[Any]:
    """Iterates; a change in between throws as .NET does."""
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


def index_out_of_range() -> DotNetException:
    """What an index outside a list throws."""
    return DotNetException(
        "ArgumentOutOfRangeException",
        "Index was out of range. Must be non-negative and less than the size of the collection. "
        "(Parameter 'index')",
    )


def kind_of(value: Any) -> str:  # noqa: C901, PLR0911 -- one case a kind
    """The JTokenType of a .NET value."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, (str, Char)):
        return "String"
    if isinstance(value, int):
        return "Integer"
    if isinstance(value, EnumValue):
        return "Integer"
    if isinstance(value, (float, Decimal)):
        return "Float"
    if isinstance(value, (DateTime, DateTimeOffset)):
        return "Date"
    if isinstance(value, TimeSpan):
        return "TimeSpan"
    if isinstance(value, UUID):
        return "Guid"
    if isinstance(value, Array) and value.clr_type.args[0] is BYTE:
        return "Bytes"
    if getattr(value, "clr_type", None) is clr("Uri"):
        return "Uri"
    raise DotNetException("ArgumentException", "Could not determine JSON object type for this type.")


def to_token(value: Any) -> JToken:
    """A token as it is; other values as JValue, enumerables as JArray."""
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
    """The implicit conversion from a .NET value: integers become longs."""
    if isinstance(value, str):
        return JValue(value, "String")
    if isinstance(value, int) and not isinstance(value, (bool, ULong)):
        return JValue(Long(value), "Integer")
    return JValue(value)


def same_value(left: Any, right: Any) -> bool:
    """Whether two values of one JTokenType are equal: numbers by value, the others as they are."""
    if isinstance(left, (int, float, Decimal)) and isinstance(right, (int, float, Decimal)):
        return left == right
    if isinstance(left, Array) and isinstance(right, Array):
        return bytes(left) == bytes(right)
    return equals(left, right)


def deep_equals(left: JToken | None, right: JToken | None) -> bool:
    """JToken.DeepEquals."""
    if left is None or right is None:
        return left is right
    if isinstance(left, JValue) or isinstance(right, JValue):
        return isinstance(left, JValue) and left.clr_equals(right)
    if isinstance(left, JObject) and isinstance(right, JObject):
        return left.properties.keys() == right.properties.keys() and all(
            deep_equals(one.value, right.properties[name].value) for name, one in left.properties.items()
        )
    if type(left) is not type(right):
        return False
    if isinstance(left, (JProperty, JConstructor)) and left.name != getattr(right, "name", None):
        return False
    ours, theirs = left.children(), right.children()
    return len(ours) == len(theirs) and all(deep_equals(a, b) for a, b in zip(ours, theirs, strict=True))


def token_at(token: JToken, key: Any) -> JToken | None:
    """`token[key]` with a key of static type object.

    Raises:
        DotNetException: InvalidOperationException for a value, ArgumentException for a key of the wrong type.
    """
    if isinstance(token, JObject):
        if not isinstance(key, str):
            raise _wrong_key("JObject", key, "Object property name expected.")
        return token.get(key)
    if isinstance(token, JArray):
        if type(key) is not int:
            raise _wrong_key("JArray", key, "Int32 array index expected.")
        return token.at(key)
    if isinstance(token, JConstructor):
        raise UnsupportedError("an item of a JConstructor")
    name = "JValue" if isinstance(token, JValue) else "JProperty"
    raise DotNetException(
        "InvalidOperationException", f"Cannot access child value on Newtonsoft.Json.Linq.{name}."
    )


def _wrong_key(owner: str, key: Any, expected: str) -> DotNetException:
    shown = "null" if key is None else f'"{key}"' if isinstance(key, str) else str(key)
    return DotNetException(
        "ArgumentException", f"Accessed {owner} values with invalid key value: {shown}. {expected}"
    )


def set_token_at(token: JToken, key: Any, value: Any) -> None:
    """`token[key] = value` with a key of static type object."""
    if isinstance(token, JObject):
        if not isinstance(key, str):
            raise _wrong_key("JObject", key, "Object property name expected.")
        token.set(key, value)
    elif isinstance(token, JArray):
        if type(key) is not int:
            raise _wrong_key("JArray", key, "Int32 array index expected.")
        token.set(key, value)
    else:
        name = "JValue" if isinstance(token, JValue) else "JProperty"
        raise DotNetException(
            "InvalidOperationException", f"Cannot set child value on Newtonsoft.Json.Linq.{name}."
        )


def dynamic_is_null(value: Any) -> bool:
    """`d == null`: null, or a token of null."""
    return value is None or (isinstance(value, JValue) and value.value is None)


_MEMBERS_OF_VALUES: Final = frozenset(
    {"Value", "Type", "Parent", "Root", "Path", "First", "Last", "Next", "Previous", "HasValues"}
)


def dynamic_member(value: Any, name: str) -> Any:
    """`d.name` of a dynamic value: a property of a JObject."""
    if value is None:
        raise DotNetException("RuntimeBinderException", "Cannot perform runtime binding on a null reference")
    if isinstance(value, JObject):
        return value.get(name)
    if isinstance(value, JValue) and name not in _MEMBERS_OF_VALUES:
        raise DotNetException(
            "RuntimeBinderException",
            f"'Newtonsoft.Json.Linq.JValue' does not contain a definition for '{name}'",
        )
    raise UnsupportedError(f"the member {name} of a dynamic value that is no JObject")


def dynamic_index(value: Any, key: Any) -> Any:
    """`d[key]` of a dynamic value."""
    if value is None:
        raise DotNetException("RuntimeBinderException", "Cannot perform runtime binding on a null reference")
    if isinstance(value, JToken):
        return token_at(value, key)
    raise UnsupportedError("an index of a dynamic value that is no JSON")


def dynamic_to_string(value: Any) -> str:
    """`d.ToString()` of a dynamic value."""
    if value is None:
        raise DotNetException("RuntimeBinderException", "Cannot perform runtime binding on a null reference")
    if isinstance(value, JToken):
        return value.clr_text()
    raise UnsupportedError("a method of a dynamic value that is no JSON")
