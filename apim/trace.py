"""The trace of one request: the policies that ran, their changes, the requests they sent, and the times.

A value is shown only if it cannot be a secret: see `apim.shown`.
"""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from apim.csharp import DotNetException
from apim.csharp.context import Context
from apim.failure import Failure, FinishedError
from apim.messages import PayloadTooLargeError
from apim.position import Position
from apim.shown import Shown
from apim.source_locations import SourceLocations
from apim.source_map import SourceLocation

_LONGEST_SOURCE = 160

Evaluate = Callable[[Context], object]


@dataclass(frozen=True, slots=True)
class Source:
    """An expression in its document; `part` is its attribute or element, `text` contains no named values."""

    part: str
    text: str
    document: str
    line: int
    column: int


def watched(evaluate: Evaluate, source: Source) -> Evaluate:
    """The expression, changed to report its value to the trace of the request."""

    def read(context: Context) -> object:
        watch = context.watch
        return evaluate(context) if watch is None else watch(source, evaluate)

    return read


@dataclass(slots=True, kw_only=True)
class Evaluated:
    """One expression that was evaluated.

    Attributes:
        source: its C#, shortened; named values are not replaced.
        value: its value as `Shown` formats it; after an exception, the type of the exception.
    """

    part: str
    source: str
    document: str
    line: int
    column: int
    value: str = ""
    threw: bool = False
    milliseconds: float = 0.0


@dataclass(slots=True, kw_only=True)
class Call:
    """One request that the gateway sent.

    Attributes:
        service: the local service that replaces the host, or the host.
        start: milliseconds after the request arrived.
        status: None if there was no response.
        milliseconds: time until the headers of the response.
        by: index of the statement that sent it; None if no statement was running.
    """

    service: str
    method: str
    url: str
    start: float
    by: int | None
    status: int | None = None
    milliseconds: float = 0.0


@dataclass(slots=True, kw_only=True)
class Performed:
    """One statement that ran.

    Attributes:
        element: the policy's name.
        path: its position within other policies, such as "choose[1]/when[2]".
        depth: the number of statements that contain it.
        start: milliseconds after the request arrived.
        milliseconds: duration, including the statements in it.
        outcome: "done", "finished" (it ended the request), "broken off" (the request was cancelled or failed
            unexpectedly), or the reason of the failure.
        status: `context.Response.StatusCode` afterwards; None without a response.
        changes: of variables, headers, bodies, status and the request line, each as "name = value".
        expressions: its own expressions, in the order of evaluation.
    """

    element: str
    scope: str
    section: str
    path: str
    document: str
    line: int
    column: int
    depth: int = 0
    start: float = 0.0
    milliseconds: float = 0.0
    outcome: str = "done"
    status: int | None = None
    changes: tuple[str, ...] = ()
    expressions: list[Evaluated] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Trace:
    """The trace of one request.

    Attributes:
        path: path without the query, which may contain secrets.
        at: time of arrival in POSIX seconds of the gateway's clock.
        operation: "api/operation"; empty when no operation matched.
        calls: the requests that policies sent.
        messages: messages of the trace policy and of `context.Trace`.
        status: None before the response.
        milliseconds: time until the headers of the response; a stream may continue after that.
    """

    request_id: str
    method: str
    path: str
    at: float
    shown: Shown = field(repr=False)
    source_locations: SourceLocations = field(repr=False)
    operation: str = ""
    statements: list[Performed] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    status: int | None = None
    milliseconds: float = 0.0
    _began: float = field(default_factory=time.perf_counter)
    _running: list[int] = field(default_factory=list)

    def summary(self) -> dict[str, object]:
        """One line of a list of traces, ready for JSON."""
        return {
            "request_id": self.request_id,
            "at": datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds"),
            "method": self.method,
            "path": self.path,
            "operation": self.operation,
            "status": self.status,
            "milliseconds": self.milliseconds,
        }

    def data(self) -> dict[str, object]:
        """The trace as plain data, ready for JSON."""
        return {
            **self.summary(),
            "statements": [
                {
                    **asdict(statement),
                    "written": self.written(statement),
                    "expressions": [
                        {**asdict(each), "written": self.written(each)} for each in statement.expressions
                    ],
                }
                for statement in self.statements
            ],
            "calls": [asdict(call) for call in self.calls],
            "messages": list(self.messages),
        }

    def written(self, record: Performed | Evaluated) -> str:
        """The source location `file:line:column`, or the position in a document without a source map."""
        written = self.source_locations.find(record.document, record.line, record.column)
        return str(written or SourceLocation(record.document, record.line, record.column))

    def elapsed(self) -> float:
        """Milliseconds since the request arrived."""
        return round((time.perf_counter() - self._began) * 1000, 3)

    def end(self, status: int) -> None:
        """Records the response."""
        self.status = status
        self.milliseconds = self.elapsed()

    def note(self, message: str) -> None:
        """Records a message of a policy."""
        self.messages.append(self.shown.text(message))

    def watch(self, context: Context) -> None:
        """Records the expressions that are evaluated with a context."""

        def evaluated(source: Source, evaluate: Evaluate) -> object:
            record = Evaluated(
                part=source.part,
                source=_shortened(source.text),
                document=source.document,
                line=source.line,
                column=source.column,
            )
            if self._running:
                self.statements[self._running[-1]].expressions.append(record)
            start = time.perf_counter()
            try:
                value = evaluate(context)
            except DotNetException as error:
                record.value, record.threw = error.type_name, True
                raise
            finally:
                record.milliseconds = round((time.perf_counter() - start) * 1000, 3)
            record.value = self.shown.value(value)
            return value

        context.watch = evaluated
        context.tracing = True
        context.trace = self.note

    @contextmanager
    def call(self, service: str, method: str, url: str) -> Generator[Call]:
        """Records a request until the headers of its response arrive."""
        call = Call(
            service=service,
            method=self.shown.method(method),
            url=self.shown.url(url),
            start=self.elapsed(),
            by=self._running[-1] if self._running else None,
        )
        self.calls.append(call)
        try:
            yield call
        finally:
            call.milliseconds = round(self.elapsed() - call.start, 3)

    @contextmanager
    def statement(self, position: Position, context: Context) -> Generator[None]:
        """Records a statement while it runs."""
        record = Performed(
            element=position.element,
            scope=position.scope,
            section=position.section,
            path=position.path,
            document=position.document,
            line=position.line,
            column=position.column,
            depth=len(self._running),
            outcome="broken off",
        )
        before = _state(context)
        self._running.append(len(self.statements))
        self.statements.append(record)
        record.start = self.elapsed()
        try:
            yield
            record.outcome = "done"
        except FinishedError:
            record.outcome = "finished"
            raise
        except Failure as failure:
            record.outcome = failure.reason
            raise
        except DotNetException:
            record.outcome = "ExpressionValueEvaluationFailure"
            raise
        except PayloadTooLargeError:
            record.outcome = "MessagePayloadTooLarge"
            raise
        finally:
            record.milliseconds = round(self.elapsed() - record.start, 3)
            self._running.pop()
            response = context.response
            record.status = response.status_code if response else None
            record.changes = tuple(self._changes(before, _state(context)))

    def _changes(
        self, before: dict[tuple[str, str], object], after: dict[tuple[str, str], object]
    ) -> Generator[str]:
        for key, value in after.items():
            if key not in before or (before[key] is not value and before[key] != value):
                kind, name = key
                yield f"{kind} {name}".strip() + f" = {self._written(kind, name, value)}"
        for key in before:
            if key not in after:
                yield " ".join(key).strip() + " removed"

    def _written(self, kind: str, name: str, value: object) -> str:
        if not isinstance(value, str) or kind == "variable":
            return self.shown.value(value)
        if kind == "method":
            return self.shown.method(value)
        return self.shown.url(value) if kind == "url" else self.shown.header(name, value)


def _shortened(code: str) -> str:
    """C# on one line, shortened to the maximum length."""
    line = " ".join(code[: 4 * _LONGEST_SOURCE].split())
    return line if len(line) <= _LONGEST_SOURCE else line[:_LONGEST_SOURCE] + "..."


def _state(context: Context) -> dict[tuple[str, str], object]:
    """The values that a statement may change, by kind and name."""
    request, response = context.request, context.response
    state: dict[tuple[str, str], object] = {
        ("variable", name): value for name, value in context.variables.items()
    }
    state["method", ""] = request.method
    state["url", ""] = f"{request.url.scheme}://{request.url.host}{request.url.path}"
    for name, values in request.headers.items():
        state["request header", name] = ",".join(values)
    if response is not None:
        state["status", ""] = response.status_code
        for name, values in response.headers.items():
            state["response header", name] = ",".join(values)
        if response.body is not None:
            state["bytes of the response's body", ""] = len(response.body.content)
    return state
