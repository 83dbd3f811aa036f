"""Reads the parameters of queries and forms, of which each may be sent once."""

from collections.abc import Iterable
from urllib.parse import parse_qsl

from starlette.requests import Request

from twin.entra.errors import EntraError, duplicated_parameter

_MAX_BODY = 65536


def unique_parameters(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The parameters of a query or form.

    Raises:
        EntraError: AADSTS9000411, if a parameter was sent twice.
    """
    parameters: dict[str, str] = {}
    for name, value in pairs:
        if name in parameters:
            raise duplicated_parameter(name)
        parameters[name] = value
    return parameters


async def read_form(http: Request) -> dict[str, str]:
    """The parameters of an `application/x-www-form-urlencoded` body of at most 64 KiB.

    Raises:
        EntraError: another content type, too large, not UTF-8, or a parameter that was sent twice.
    """
    content_type = http.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise EntraError(
            9002313, "invalid_request", "The request body must be sent as application/x-www-form-urlencoded."
        )
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise EntraError(90056, "invalid_request", "The request body is too large.", status=413)
    try:
        return unique_parameters(parse_qsl(body.decode(), keep_blank_values=True))
    except ValueError as error:
        raise EntraError(
            9002313, "invalid_request", "Invalid request. Request is malformed or invalid."
        ) from error
