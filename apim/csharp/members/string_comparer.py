"""StringComparer, and the interfaces of comparers."""

from typing import Any, Final

from apim.csharp.dotnet.comparison import compare, compare_ignoring_case, folded
from apim.csharp.dotnet.signature import define
from apim.csharp.dotnet.types import clr


class StringComparer:
    """StringComparer, which compares ordinally, with or without case."""

    __slots__ = ("clr_type", "ignores_case")

    def __init__(self, ignores_case: bool) -> None:
        self.ignores_case = ignores_case
        self.clr_type = clr("StringComparer")

    def key(self, text: Any) -> Any:
        """A value that is equal for strings that the comparer considers equal."""
        return folded(text) if self.ignores_case and isinstance(text, str) else text

    def compare(self, left: str | None, right: str | None) -> int:
        """Compare."""
        return compare_ignoring_case(left, right) if self.ignores_case else compare(left, right)


_COMPARERS: Final = {
    "Ordinal": False,
    "OrdinalIgnoreCase": True,
    "InvariantCulture": False,
    "InvariantCultureIgnoreCase": True,
    "CurrentCulture": False,
    "CurrentCultureIgnoreCase": True,
}
define("interface IEqualityComparer<T>")
define("interface IComparer<T>")
define(
    "class System.StringComparer : IEqualityComparer<string>, IComparer<string>",
    {
        **{f"static StringComparer {name}": StringComparer(ignores) for name, ignores in _COMPARERS.items()},
        "int Compare(string x, string y)": StringComparer.compare,
        "bool Equals(string x, string y)": lambda comparer, left, right: comparer.compare(left, right) == 0,
    },
)
