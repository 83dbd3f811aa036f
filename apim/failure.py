"""How a policy ends a request before its time."""

from dataclasses import dataclass, field


class FinishedError(Exception):
    """The pipeline is over: `context.Response` is the answer (return-response, a preflight, a mock)."""


class SendError(Exception):
    """No response came; `timed_out` tells a timeout from a failed connection."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


@dataclass(slots=True, kw_only=True, eq=False)
class Failure(Exception):  # noqa: N818 -- the documentation's word; it becomes context.LastError
    """Processing jumps to on-error; `context.LastError` is made of this.

    https://learn.microsoft.com/azure/api-management/api-management-error-handling-policies

    Attributes:
        status: of the answer unless on-error changes it.
        public: the message that the answer carries; None says only "Internal server error".
        headers: of the answer.
        keep_response: whether `context.Response` is the backend's and stays.
        source, scope, section, path, policy_id: filled in where the failure passes its statement.
        place: of that statement: the name of its document, line and column.
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
    place: tuple[str, int, int] | None = None

    def __str__(self) -> str:
        return f"{self.source}: {self.message} ({self.reason})"
