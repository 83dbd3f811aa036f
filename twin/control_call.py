"""One call of the control API: the members of its body."""

import json
from collections.abc import Set
from typing import Any

from starlette.requests import Request

_LARGEST_BODY = 64 * 1024


class InvalidCallError(Exception):
    """A call that cannot be done; the message says what would be accepted."""


async def read_fields(
    request: Request, known: Set[str], *, required: Set[str] = frozenset()
) -> dict[str, Any]:
    """The members of a JSON body; none when there is no body.

    Raises:
        InvalidCallError: not a JSON object, or its members are not the known ones.
    """
    accepted = f"Accepted: {', '.join(sorted(known))}."
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise InvalidCallError(f"The body is larger than {_LARGEST_BODY} bytes.")
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
