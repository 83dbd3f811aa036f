"""Error responses of the agent service."""

from starlette.responses import JSONResponse


class FoundryError(Exception):
    """An error in the format of OpenAI's API.

    Args:
        status: the HTTP status.
        kind: the type of the error, such as `invalid_request_error`.
        message: the message for the developer.
        param: the part of the request that is not valid, or None.
    """

    def __init__(self, status: int, kind: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.param = param

    def response(self) -> JSONResponse:
        """The HTTP response."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.kind}
        return JSONResponse({"error": error}, status_code=self.status)


def invalid(message: str, param: str | None = None) -> FoundryError:
    """Creates the error for an invalid request."""
    return FoundryError(400, "invalid_request_error", message, param)
