"""C#'s keywords for types."""

from typing import Final

PREDEFINED: Final = {
    "bool": "Boolean",
    "byte": "Byte",
    "sbyte": "SByte",
    "short": "Int16",
    "ushort": "UInt16",
    "int": "Int32",
    "uint": "UInt32",
    "long": "Int64",
    "ulong": "UInt64",
    "char": "Char",
    "float": "Single",
    "double": "Double",
    "decimal": "Decimal",
    "string": "String",
    "object": "Object",
}
"""C#'s keywords for types, and the names of these types."""


KEYWORDS: Final = {name: keyword for keyword, name in PREDEFINED.items()}
