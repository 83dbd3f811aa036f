"""Tables of the members of .NET types, one family a module.

A type or member that is not in a table does not exist for expressions. What API Management allows:
https://learn.microsoft.com/azure/api-management/api-management-policy-expressions#CLRTypes
"""

from importlib import import_module
from typing import Final

_FAMILIES: Final = (
    "core",
    "exceptions",
    "enums",
    "numbers",
    "chars",
    "strings",
    "string_builder",
    "convert",
    "math",
    "guid",
    "moments",
    "collections",
    "arrays",
    "linq",
    "regex",
    "uri",
    "web",
    "encoding",
    "crypto",
    "rsa",
    "bits",
    "json",
    "json_convert",
    "context",
    "policy",
)


def load() -> None:
    """Fills the tables; a second call changes nothing."""
    for family in _FAMILIES:
        import_module(f"{__name__}.{family}")
