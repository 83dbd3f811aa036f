"""Tables of the members of .NET types, one module for each family of types.

Expressions cannot use a type or member that is not in a table. API Management allows these:
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
    """Fills the tables; a second call has no effect."""
    for family in _FAMILIES:
        import_module(f"{__name__}.{family}")
