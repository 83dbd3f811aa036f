"""The order and equality of strings."""

from apim.csharp.dotnet.characters import upper


def folded(text: str) -> str:
    """A string as OrdinalIgnoreCase compares it."""
    return upper(text)


def compare(left: str | None, right: str | None) -> int:
    """Ordinal comparison. As in .NET, the result is a difference of characters or of lengths."""
    if left is None or right is None:
        return (left is not None) - (right is not None)
    for ours, theirs in zip(left, right, strict=False):
        if ours != theirs:
            return ord(ours) - ord(theirs)
    return len(left) - len(right)


def compare_ordinal(left: str | None, right: str | None) -> int:
    """String.CompareOrdinal, which also compares the null character after the end of the shorter string."""
    if left is None or right is None:
        return compare(left, right)
    count = min(len(left), len(right))
    count = max(count + count % 2, 2)
    padded_left, padded_right = left.ljust(count, "\0"), right.ljust(count, "\0")
    difference = compare(padded_left[:count], padded_right[:count])
    return difference or len(left) - len(right)


def compare_ignoring_case(left: str | None, right: str | None) -> int:
    """OrdinalIgnoreCase comparison.

    The result is the difference of the upper-case characters, or of the original characters if one of them
    or a character before them is beyond ASCII.
    """
    if left is None or right is None:
        return compare(left, right)
    beyond = False
    for ours, theirs in zip(left, right, strict=False):
        beyond = beyond or not (ours.isascii() and theirs.isascii())
        if ours != theirs and folded(ours) != folded(theirs):
            return ord(ours) - ord(theirs) if beyond else ord(ours.upper()) - ord(theirs.upper())
    return len(left) - len(right)
