"""White space, and the case of characters."""

from typing import Final

from apim.csharp.errors import UnsupportedError

WHITE_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


# Characters whose case has a special mapping, which differs between versions and cultures of .NET.
_UNCERTAIN: Final = frozenset("\u0131\u0130\u017f\u212a\u1e9e\u01c5\u01c8\u01cb\u01f2")


def upper(text: str) -> str:
    """ToUpperInvariant, for each character separately."""
    if text.isascii():
        return text.upper()
    return "".join(_mapped(c, c.upper()) for c in text)


def lower(text: str) -> str:
    """ToLowerInvariant, for each character separately."""
    if text.isascii():
        return text.lower()
    return "".join(_mapped(c, c.lower()) for c in text)


def _mapped(character: str, mapped: str) -> str:
    if character in _UNCERTAIN:
        raise UnsupportedError(f"the case of {character!r}, which depends on the version and culture of .NET")
    return mapped if len(mapped) == 1 else character
