"""Errors in the format of the agent service."""

from starlette.responses import JSONResponse


class FoundryError(Exception):
    """A refusal, in the shape of OpenAI's API.

    Args:
        status: of HTTP.
        kind: such as `invalid_request_error`.
        message: for the developer.
        param: the part of the request that is wrong.
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
    """A request that is wrong."""
    return FoundryError(400, "invalid_request_error", message, param)
