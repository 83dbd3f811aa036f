"""The common headers of the REST API's requests and responses.

Source: learn.microsoft.com/rest/api/cosmos-db/common-cosmosdb-rest-request-headers and -response-headers
"""

import email.utils
import re
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

from starlette.requests import Request
from starlette.responses import Response

from twin.cosmos.documents import MAX_ITEM, dump
from twin.cosmos.errors import CosmosError, bad_request

_VERSION = re.compile(r"20\d\d-\d\d-\d\d\Z")
_CONTINUATION = "twin:"
_PAGE = 100
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The result of an operation.

    Attributes:
        status: the HTTP status.
        body: the JSON body; None for a response without a body.
        etag: ETag of the document, with quotes.
        charge: the consumed request units, of a similar size as in Azure.
        continuation: sequence number of the last document in the page; None for the last page.
        count: the number of items in the page; None if the result is not a page.
        error: the error, if the operation failed.
    """

    status: int = 200
    body: dict[str, Any] | None = None
    etag: str | None = None
    charge: float = 1.0
    continuation: int | None = None
    count: int | None = None
    error: CosmosError | None = None

    @classmethod
    def of_error(cls, error: CosmosError) -> Self:
        """The answer for an error."""
        return cls(status=error.status, error=error)

    @classmethod
    def not_modified(cls, etag: str) -> Self:
        """An answer with status 304 (Not Modified)."""
        return cls(status=HTTPStatus.NOT_MODIFIED, etag=etag)


def check_headers(http: Request) -> None:
    """Checks the version and date headers, which are required.

    Raises:
        CosmosError: 400 without a valid version, 401 without a valid date.
    """
    if not _VERSION.match(http.headers.get("x-ms-version", "")):
        raise bad_request("Invalid API version. Ensure a valid x-ms-version header value is passed.")
    try:
        email.utils.parsedate_to_datetime(http.headers.get("x-ms-date") or http.headers.get("date") or "")
    except ValueError as error:
        raise CosmosError(
            HTTPStatus.UNAUTHORIZED,
            "Authorization token mandates Date header. Please pass x-ms-date in RFC 1123 style date format.",
        ) from error


async def read_body(http: Request) -> bytes:
    """The request's body.

    Raises:
        CosmosError: 413, if it is larger than the largest permitted item.
    """
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > MAX_ITEM:
            raise CosmosError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request size is too large")
    return bytes(body)


def page_size(http: Request) -> int:
    """The largest number of items in a page, from `x-ms-max-item-count` (-1 for the default).

    Raises:
        CosmosError: 400, if the header is not valid.
    """
    text = http.headers.get("x-ms-max-item-count", "-1")
    try:
        size = int(text)
    except ValueError as error:
        raise bad_request(f"Invalid value '{text}' specified for x-ms-max-item-count.") from error
    if size == -1:
        return _PAGE
    if size < 1:
        raise bad_request(f"Invalid value '{text}' specified for x-ms-max-item-count.")
    return size


def page_start(http: Request) -> int:
    """The sequence number of the last document of the previous page, from `x-ms-continuation`; 0 without it.

    Raises:
        CosmosError: 400, if the header is not valid.
    """
    text = http.headers.get("x-ms-continuation")
    if not text:
        return 0
    number = text.removeprefix(_CONTINUATION)
    if number == text or not number.isdecimal() or len(number) > _MAX_DIGITS:
        raise bad_request("Malformed Continuation Token")
    return int(number)


def respond(http: Request, answer: Answer, *, last_write: int) -> Response:
    """The HTTP response, with the common headers."""
    activity = _activity_id(http.headers.get("x-ms-activity-id"))
    headers = {
        "server": "Cosmos DB stand-in (twin)",
        "x-ms-activity-id": activity,
        "x-ms-request-charge": f"{answer.charge:g}",
        "x-ms-session-token": f"0:-1#{last_write}",
        "x-ms-version": http.headers.get("x-ms-version", "2018-12-31"),
        "cache-control": "no-store, no-cache",
        "x-content-type-options": "nosniff",
    }
    if "database" in http.path_params and "container" in http.path_params:
        path = f"dbs/{http.path_params['database']}/colls/{http.path_params['container']}"
        if path.isascii() and path.isprintable():
            headers["x-ms-alt-content-path"] = path
    if answer.etag is not None:
        headers["etag"] = answer.etag
    if answer.continuation is not None:
        headers["x-ms-continuation"] = f"{_CONTINUATION}{answer.continuation}"
    if answer.count is not None:
        headers["x-ms-item-count"] = str(answer.count)
    body = answer.body
    if answer.error is not None:
        headers["x-ms-substatus"] = str(answer.error.substatus)
        if answer.error.retry_after_ms is not None:
            headers["x-ms-retry-after-ms"] = str(answer.error.retry_after_ms)
        body = {
            "code": answer.error.code,
            "message": f"{answer.error.message}\r\nActivityId: {activity}, twin",
        }
    if body is None:
        return Response(status_code=answer.status, headers=headers)
    return Response(
        dump(body).encode("utf-8", "replace"),
        status_code=answer.status,
        headers=headers,
        media_type="application/json",
    )


def _activity_id(header: str | None) -> str:
    try:
        return str(uuid.UUID(header or ""))
    except ValueError:
        return str(uuid.uuid4())
