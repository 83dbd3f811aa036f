"""Entra's errors, with its codes and JSON format.

Source: learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

import uuid
from datetime import UTC, datetime
from typing import TypedDict

from starlette.responses import JSONResponse


class ErrorBody(TypedDict):
    """The JSON body of a failed token request."""

    error: str
    error_description: str
    error_codes: list[int]
    timestamp: str
    trace_id: str
    correlation_id: str


class EntraError(Exception):
    """An error, which is shown on a page, sent to a client in a redirect, or returned as JSON.

    Attributes:
        code: the number after `AADSTS`.
        error: OAuth's error code, such as `invalid_grant`.
        message: describes the error; it may contain values of the request and must be escaped in HTML.
        status: the HTTP status of a JSON response.
        subcode: Entra's `error_subcode`, such as `cancel`; None without one.
        trace_id: random id in the message, as in Entra.
        correlation_id: random id in the message, as in Entra.
    """

    def __init__(
        self, code: int, error: str, message: str, *, status: int = 400, subcode: str | None = None
    ) -> None:
        super().__init__(f"AADSTS{code}: {message}")
        self.code = code
        self.error = error
        self.message = message
        self.status = status
        self.subcode = subcode
        self.trace_id = str(uuid.uuid4())
        self.correlation_id = str(uuid.uuid4())

    def description(self, now: float) -> str:
        """The `error_description`: code, message, and the trace and correlation ids."""
        return (
            f"AADSTS{self.code}: {self.message} Trace ID: {self.trace_id} "
            f"Correlation ID: {self.correlation_id} Timestamp: {_timestamp(now)}"
        )

    def response(self, now: float) -> JSONResponse:
        """The JSON response; `now` in POSIX seconds."""
        body: ErrorBody = {
            "error": self.error,
            "error_description": self.description(now),
            "error_codes": [self.code],
            "timestamp": _timestamp(now),
            "trace_id": self.trace_id,
            "correlation_id": self.correlation_id,
        }
        return JSONResponse(body, status_code=self.status)


def missing_parameter(name: str) -> EntraError:
    """The error for a required parameter that is absent or empty."""
    return EntraError(
        900144, "invalid_request", f"The request body must contain the following parameter: '{name}'."
    )


def duplicated_parameter(name: str) -> EntraError:
    """The error for a parameter that was sent twice."""
    return EntraError(
        9000411,
        "invalid_request",
        f"The request is not properly formatted. The parameter '{name}' is duplicated.",
    )


def unknown_tenant(tenant: str) -> EntraError:
    """The error for a path with another tenant than that of this stand-in."""
    return EntraError(
        90002,
        "invalid_request",
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing "
        "into the correct cloud.",
    )


def unknown_application(client_id: str, tenant: str) -> EntraError:
    """The error for a client id that no application has."""
    return EntraError(
        700016,
        "unauthorized_client",
        f"Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can "
        "happen if the application has not been installed by the administrator of the tenant.",
    )


def unknown_resource(resource: str, tenant: str) -> EntraError:
    """The error for a resource without a service principal in the tenant."""
    return EntraError(
        500011,
        "invalid_resource",
        f"The resource principal named {resource} was not found in the tenant named {tenant}. This can "
        "happen if the application has not been installed by the administrator of the tenant or consented to "
        "by any user in the tenant.",
    )


def disabled_account() -> EntraError:
    """The error for a disabled user."""
    return EntraError(50057, "invalid_grant", "The user account is disabled.")


def _timestamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
