"""The values of a request that traces and logs may show.

A value is shown only if it cannot be a secret, so no code has to recognise secrets:

- null, booleans, numbers, and statuses of responses;
- a string that is a literal in the policy documents (and not a secret named value), except in headers with
  credentials or redirects;
- HTTP methods; of a URL the scheme, the host, and segments of the path that occur in a URL template or a
  policy, or are plain words.

Other values are replaced by their .NET type, and strings by their length.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from apim.csharp import to_text
from apim.csharp.context import Response
from apim.csharp.dotnet.values import type_of

_LONGEST = 200
_LONGEST_LITERAL = 80
_TOKEN_LIKE = re.compile(r"[A-Za-z0-9_\-+/=%~]{20,}")
# Handles, keys and codes contain digits or capital letters, or are longer than this.
_WORD = re.compile(r"\.?[a-z]{1,14}(?:[.-][a-z]{1,14})?")
_NEVER = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "location", "ocp-apim-subscription-key"}
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


@lru_cache(maxsize=4096)
def literals_in(code: str) -> frozenset[str]:
    """The string literals in C#, except those with escapes; cached, because templates repeat expressions."""
    return frozenset(text for text in _QUOTED.findall(code) if "\\" not in text)


class Shown:
    """Formats values for traces and logs.

    Args:
        secrets: values of secret named values.
        literals: the strings in the policy documents.
        templates: URL templates and paths of APIs.
    """

    def __init__(
        self, secrets: Iterable[str], literals: Iterable[str] = (), templates: Iterable[str] = ()
    ) -> None:
        self._secrets = sorted((secret for secret in secrets if secret), key=len, reverse=True)
        self._literals = frozenset(
            text
            for text in literals
            if len(text) <= _LONGEST_LITERAL and not any(secret in text for secret in self._secrets)
        )
        paths = (*templates, *self._literals)
        self._segments = frozenset(segment for path in paths for segment in path.split("/"))

    def log_line(self, text: str) -> str:
        """A string for the log, in which secrets and parts that look like tokens are masked."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = _TOKEN_LIKE.sub("***", text)
        return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."

    def text(self, text: str) -> str:
        """The string if it may be shown, or else its length."""
        if text in self._literals:
            return f'"{text}"'
        return f"text, {len(text)} characters"

    def method(self, method: str) -> str:
        """An HTTP method if it may be shown, or else `***`."""
        return method if method in _METHODS or method in self._literals else "***"

    def path(self, path: str) -> str:
        """A path without its query; segments that may contain a secret are replaced by `***`."""
        segments = path.partition("?")[0].split("/")
        return "/".join(
            segment if segment in self._segments or _WORD.fullmatch(segment) else "***"
            for segment in segments
        )

    def url(self, url: str) -> str:
        """An absolute URL without user, query and fragment."""
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{self.path(parts.path)}"

    def header(self, name: str, value: str) -> str:
        """The value of a header if it may be shown, or else its length."""
        return f"text, {len(value)} characters" if name.lower() in _NEVER else self.text(value)

    def value(self, value: object) -> str:
        """The value of an expression if it may be shown, or else its type."""
        if value is None:
            return "null"
        if isinstance(value, bool | int | float):
            return to_text(value) or ""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Response):
            return f"response {value.status_code}"
        return str(type_of(value))
