"""Declares the members of .NET types, in one module for each family of types.

Expressions cannot use a type or a member that is not declared. API Management allows these types:
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
    "string_comparer",
    "string_builder",
    "convert",
    "math",
    "guid",
    "date_times",
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
    """Declares all types and members; a second call has no effect."""
    for family in _FAMILIES:
        import_module(f"{__name__}.{family}")
