"""Cosmos DB's errors: status, substatus and `{code, message}`.

Source: learn.microsoft.com/rest/api/cosmos-db/http-status-codes-for-cosmosdb
"""

from http import HTTPStatus

_CODES = {
    HTTPStatus.BAD_REQUEST: "BadRequest",
    HTTPStatus.UNAUTHORIZED: "Unauthorized",
    HTTPStatus.FORBIDDEN: "Forbidden",
    HTTPStatus.NOT_FOUND: "NotFound",
    HTTPStatus.METHOD_NOT_ALLOWED: "MethodNotAllowed",
    HTTPStatus.CONFLICT: "Conflict",
    HTTPStatus.PRECONDITION_FAILED: "PreconditionFailed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "RequestEntityTooLarge",
    HTTPStatus.TOO_MANY_REQUESTS: "TooManyRequests",
}


class CosmosError(Exception):
    """An error response.

    Attributes:
        status: the HTTP status.
        message: describes the error.
        substatus: Cosmos DB's substatus, sent as `x-ms-substatus`; 0 if there is none.
        retry_after_ms: with status 429, the milliseconds after which the client may retry; otherwise None.
    """

    def __init__(
        self, status: HTTPStatus, message: str, *, substatus: int = 0, retry_after_ms: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.substatus = substatus
        self.retry_after_ms = retry_after_ms

    @property
    def code(self) -> str:
        """The `code` of the body."""
        return _CODES[self.status]


def bad_request(message: str, *, substatus: int = 0) -> CosmosError:
    """An error with status 400 (Bad Request)."""
    return CosmosError(HTTPStatus.BAD_REQUEST, message, substatus=substatus)


def not_found(message: str = "Entity with the specified id does not exist in the system.") -> CosmosError:
    """An error with status 404 (Not Found)."""
    return CosmosError(HTTPStatus.NOT_FOUND, message)


def conflict() -> CosmosError:
    """An error with status 409 (Conflict)."""
    return CosmosError(HTTPStatus.CONFLICT, "Entity with the specified id already exists in the system.")


def precondition_failed() -> CosmosError:
    """An error with status 412 (Precondition Failed)."""
    return CosmosError(HTTPStatus.PRECONDITION_FAILED, "One of the specified pre-condition is not met")


def throttled(retry_after_ms: int) -> CosmosError:
    """An error with status 429 (Too Many Requests), as if the account had used all its request units."""
    return CosmosError(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Request rate is large. More Request Units may be needed, so no changes were made. Please retry this "
        "request later.",
        substatus=3200,
        retry_after_ms=retry_after_ms,
    )
