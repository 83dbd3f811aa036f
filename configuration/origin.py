"""Checks URL origins in settings."""

import re
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def is_origin(text: str) -> bool:
    """Whether a string is exactly an origin (RFC 6454, section 6.1) with TLS or with a loopback address."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    bracketed = f"[{host}]" if ":" in host else host
    default = {"https": 443, "http": 80}.get(parts.scheme)
    if not re.fullmatch(r"[a-z0-9.:-]+", host) or default is None:
        return False
    if parts.scheme == "http" and host not in LOOPBACK:
        return False
    return text == f"{parts.scheme}://{bracketed}" + ("" if port in (None, default) else f":{port}")


def is_loopback(text: str) -> bool:
    """Whether a string is an origin on this machine."""
    return is_origin(text) and urlsplit(text).hostname in LOOPBACK
