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
"""The .NET names of these types, by keyword."""

KEYWORDS: Final = {name: keyword for keyword, name in PREDEFINED.items()}
"""The keywords, by the .NET name of the type."""
