"""The recorded traces of requests, as JSON and as web pages.

    GET /traces             the requests, newest first; ?path=/mcp (a prefix), ?status=401 (or 4xx).
    GET /traces/{id}        the trace of one request, with all statements, expressions and sent requests.
    GET /traces/view        the requests as a page, with the same filters; GET /traces/{id}/view one request.

Pages have no scripts and load no other resources. Values are masked when they are recorded; see `apim.shown`.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from apim.trace import Call, Performed, Trace

_FOLDER = Path(__file__).with_name("trace_pages")
_STYLE = (_FOLDER / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_TEMPLATES = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TRUSTED_STYLE = Markup(_STYLE)  # noqa: S704 - our own file; the CSP admits exactly its hash
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_STATUS = re.compile(r"[1-5](?:[0-9]{2}|xx)")
_MIN_BAR_WIDTH = 0.4
_FIRST_ERROR = 400


class Recorder(Protocol):
    """An object that has traces, such as the gateway."""

    @property
    def traces(self) -> Sequence[Trace]:
        """The recorded traces, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Bar:
    """A period of time within a request; its start and length in percent of the duration of the request."""

    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Row:
    """A statement on the page of a trace.

    Attributes:
        statement: the statement.
        written: its source location.
        bar: the period in which it ran.
        calls: the requests that it sent, with their periods.
        section: name of the policy section; empty if it is that of the previous statement.
    """

    statement: Performed
    written: str
    bar: Bar
    calls: list[tuple[Call, Bar]]
    section: str


class InvalidFilterError(Exception):
    """An invalid filter; the message lists the accepted values."""


def trace_routes(recorder: Recorder) -> list[Route]:
    """The routes that return traces."""
    handlers = _Handlers(recorder)
    return [
        Route("/traces", handlers.list_json, methods=["GET"]),
        Route("/traces/view", handlers.list_page, methods=["GET"]),
        Route("/traces/{id}", handlers.trace_json, methods=["GET"]),
        Route("/traces/{id}/view", handlers.trace_page, methods=["GET"]),
    ]


class _Handlers:
    """The handlers, one for each operation."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def list_json(self, request: Request) -> Response:
        try:
            traces = self._matching(request)
        except InvalidFilterError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse({"traces": [trace.summary() for trace in traces]})

    async def list_page(self, request: Request) -> Response:
        problem, traces = "", []
        try:
            traces = self._matching(request)
        except InvalidFilterError as error:
            problem = str(error)
        return render_page(
            "list.html",
            400 if problem else 200,
            traces=[trace.summary() for trace in traces],
            slowest=max((trace.milliseconds for trace in traces), default=0.0),
            path=request.query_params.get("path", ""),
            status=request.query_params.get("status", ""),
            kept=len(self._recorder.traces),
            problem=problem,
            bar=_bar,
        )

    async def trace_json(self, request: Request) -> Response:
        trace = self._trace(request)
        return JSONResponse({"error": _NO_TRACE}, status_code=404) if trace is None else _json(trace)

    async def trace_page(self, request: Request) -> Response:
        trace = self._trace(request)
        if trace is None:
            return render_page("missing.html", 404, message=_NO_TRACE)
        return render_page(
            "trace.html",
            200,
            trace=trace.summary(),
            rows=rows(trace),
            messages=trace.messages,
            calls=len(trace.calls),
            failed=_failed,
        )

    def _matching(self, request: Request) -> list[Trace]:
        """The traces that match the filters, newest first.

        Raises:
            InvalidFilterError: `status` is neither a status code nor a class of status codes.
        """
        path, status = request.query_params.get("path", ""), request.query_params.get("status", "").lower()
        if status and not _STATUS.fullmatch(status):
            raise InvalidFilterError("status must be a status such as 401, or a class such as 4xx.")
        prefix = status.removesuffix("xx")
        return [
            trace
            for trace in reversed(list(self._recorder.traces))
            if trace.path.startswith(path) and (not status or str(trace.status or "").startswith(prefix))
        ]

    def _trace(self, request: Request) -> Trace | None:
        wanted = request.path_params["id"]
        return next((trace for trace in self._recorder.traces if trace.request_id == wanted), None)


_NO_TRACE = (
    "No trace has this id. Only the last 200 requests while tracing was on are kept. GET /traces lists them."
)


def rows(trace: Trace) -> list[Row]:
    """The rows of the page of a trace, one for each statement."""
    total = trace.milliseconds or trace.elapsed()
    statement_rows: list[Row] = []
    section = ""
    for index, statement in enumerate(trace.statements):
        sent = [
            (call, _bar(call.start, call.milliseconds, total)) for call in trace.calls if call.by == index
        ]
        bar = _bar(statement.start, statement.milliseconds, total)
        heading = "" if statement.section == section else statement.section
        statement_rows.append(Row(statement, trace.written(statement), bar, sent, heading))
        section = statement.section
    return statement_rows


def _bar(start: float, length: float, whole: float) -> Bar:
    if whole <= 0:
        return Bar(0.0, 100.0)
    left = min(100 * start / whole, 100 - _MIN_BAR_WIDTH)
    return Bar(round(left, 2), round(max(min(100 * length / whole, 100 - left), _MIN_BAR_WIDTH), 2))


def _failed(status: int | None) -> bool:
    return status is None or status >= _FIRST_ERROR


def _json(trace: Trace) -> Response:
    return JSONResponse(trace.data())


def render_page(template: str, code: int, **values: object) -> HTMLResponse:
    """Renders a template in `trace_pages` as an HTML page."""
    html = _TEMPLATES.get_template(template).render(style=_TRUSTED_STYLE, **values)
    return HTMLResponse(html, status_code=code, headers=_HEADERS)
