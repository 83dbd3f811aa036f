"""Reads the body of a request to the control API."""

import json
from collections.abc import Set
from typing import Any

from starlette.requests import Request

_MAX_BODY = 64 * 1024


class InvalidCallError(Exception):
    """An invalid request; the message lists the accepted values."""


async def read_fields(
    request: Request, known: Set[str], *, required: Set[str] = frozenset()
) -> dict[str, Any]:
    """The members of a JSON body; empty without a body.

    Raises:
        InvalidCallError: the body is too large or not a JSON object, has unknown members, or lacks required
            ones.
    """
    accepted = f"Accepted: {', '.join(sorted(known))}."
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise InvalidCallError(f"The body is larger than {_MAX_BODY} bytes.")
    try:
        fields = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        raise InvalidCallError(f"The body is not JSON. {accepted}") from None
    if not isinstance(fields, dict):
        raise InvalidCallError(f"The body must be a JSON object. {accepted}")
    if unknown := fields.keys() - known:
        raise InvalidCallError(f"Unknown: {', '.join(sorted(unknown))}. {accepted}")
    if missing := required - fields.keys():
        raise InvalidCallError(f"Missing: {', '.join(sorted(missing))}. {accepted}")
    return fields
