"""The exceptions that end a request or a call to a backend."""

from dataclasses import dataclass, field


class FinishedError(Exception):
    """The request is finished: `context.Response` is final (return-response, a preflight, a mock)."""


class SendError(Exception):
    """There was no response; `timed_out` distinguishes a timeout from a failed connection."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


@dataclass(slots=True, kw_only=True, eq=False)
class Failure(Exception):  # noqa: N818 -- `context.LastError` is the error; this is its cause
    """A failed request, whose processing continues in on-error; `context.LastError` is created from it.

    https://learn.microsoft.com/azure/api-management/api-management-error-handling-policies

    Attributes:
        status: status of the response, unless on-error changes it.
        public: the message in the response; None for "Internal server error".
        headers: additional headers of the response.
        keep_response: whether `context.Response` remains the backend's response.
        source, scope, section, path, policy_id: set by the statement that failed.
        location: document name, line and column of that statement.
    """

    reason: str
    message: str
    status: int = 500
    public: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    keep_response: bool = False
    source: str = ""
    scope: str = ""
    section: str = ""
    path: str = ""
    policy_id: str = ""
    location: tuple[str, int, int] | None = None

    def __str__(self) -> str:
        return f"{self.source}: {self.message} ({self.reason})"
