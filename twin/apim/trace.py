"""What happened to one request: which policies ran where, what they changed, what was sent, how long it took.

Values are shown with their secrets masked: see `Shown`.
"""

import re
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from twin.apim.csharp import DotNetException, to_text
from twin.apim.csharp.context import Response
from twin.apim.failure import Failure, FinishedError

if TYPE_CHECKING:
    from twin.apim.run import Run
    from twin.apim.statements import Statement

_LONGEST = 200
_TOKEN_LIKE = re.compile(r"[A-Za-z0-9_\-+/=%~]{20,}")
_LONG_SEGMENT = re.compile(r"[^/.:]{20,}")
_CREDENTIALS = re.compile(r"authorization|cookie|key|token|secret|password|code|state", re.IGNORECASE)


class Shown:
    """Writes values for people, without what must not be seen.

    The values of secret named values, whatever is long enough to be a token, a key or a handle, and all that
    has a name like a credential's become `***`.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted((secret for secret in secrets if secret), key=len, reverse=True)

    def text(self, text: str) -> str:
        """A text with its secrets masked, and not too long."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = _TOKEN_LIKE.sub("***", text)
        return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."

    def url(self, url: str) -> str:
        """A URL without its query, with long segments masked."""
        return _LONG_SEGMENT.sub("***", url.partition("?")[0])

    def value(self, name: str, value: object) -> str:
        """A value of that name."""
        if value is None or isinstance(value, bool | int):
            return str(value)
        if isinstance(value, Response):
            return f"response {value.status_code}"
        if _CREDENTIALS.search(name):
            return "***"
        return self.text(value if isinstance(value, str) else to_text(value) or "")


@dataclass(slots=True, kw_only=True)
class Performed:
    """One statement that ran.

    Attributes:
        milliseconds: with everything within it.
        outcome: "done", "finished" (it gave the answer), or the failure's reason.
        status: `context.Response.StatusCode` afterwards; None without a response.
        changes: of variables, headers and the request line, each as "name = value", secrets masked.
    """

    element: str
    scope: str
    section: str
    path: str
    document: str
    line: int
    column: int
    milliseconds: float = 0.0
    outcome: str = "done"
    status: int | None = None
    changes: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Call:
    """One request that the gateway sent; `status` is None when no response came."""

    method: str
    url: str
    status: int | None
    milliseconds: float


@dataclass(slots=True, kw_only=True)
class Trace:
    """One request.

    Attributes:
        path: without its query, where secrets travel.
        operation: "api/operation"; empty when none matched.
        calls: what was sent while the policies ran.
        messages: of the trace policy.
    """

    request_id: str
    method: str
    path: str
    shown: Shown = field(repr=False)
    operation: str = ""
    statements: list[Performed] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    status: int | None = None
    milliseconds: float = 0.0

    def data(self) -> dict[str, object]:
        """The trace as plain data, ready for JSON."""
        return {
            "request_id": self.request_id,
            "method": self.method,
            "path": self.shown.url(self.path),
            "operation": self.operation,
            "status": self.status,
            "milliseconds": self.milliseconds,
            "statements": [asdict(statement) for statement in self.statements],
            "calls": [asdict(call) for call in self.calls],
            "messages": list(self.messages),
        }

    @contextmanager
    def statement(self, statement: "Statement", run: "Run") -> Generator[None]:
        """Records a statement while it runs."""
        record = Performed(
            element=statement.element,
            scope=statement.scope,
            section=statement.section,
            path=statement.path,
            document=statement.document,
            line=statement.line,
            column=statement.column,
        )
        self.statements.append(record)
        before, start = _state(run), time.perf_counter()
        try:
            yield
        except FinishedError:
            record.outcome = "finished"
            raise
        except Failure as failure:
            record.outcome = failure.reason
            raise
        except DotNetException:
            record.outcome = "ExpressionValueEvaluationFailure"
            raise
        finally:
            record.milliseconds = (time.perf_counter() - start) * 1000
            response = run.context.response
            record.status = response.status_code if response else None
            record.changes = tuple(self._changes(before, _state(run)))

    def _changes(
        self, before: dict[tuple[str, str], object], after: dict[tuple[str, str], object]
    ) -> Generator[str]:
        for key, value in after.items():
            if key not in before or (before[key] is not value and before[key] != value):
                yield f"{key[0]} {key[1]} = {self.shown.value(key[1], value)}".replace("  ", " ")
        for kind, name in before:
            if (kind, name) not in after:
                yield f"{kind} {name} removed"


def _state(run: "Run") -> dict[tuple[str, str], object]:
    """What a statement may change, by kind and name."""
    context = run.context
    state: dict[tuple[str, str], object] = {
        ("variable", name): value for name, value in context.variables.items()
    }
    state["method", ""] = context.request.method
    state["url", ""] = f"{context.request.url.scheme}://{context.request.url.host}{context.request.url.path}"
    for name, values in context.request.headers.items():
        state["request header", name] = ",".join(values)
    if context.response is not None:
        for name, values in context.response.headers.items():
            state["response header", name] = ",".join(values)
    return state
