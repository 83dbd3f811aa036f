"""The audit records that policies wrote, as JSON and as a web page.

GET /audit              the records, newest first; ?event=tool-call, ?outcome=refused, ?subject=, ?client=,
                        ?server= and ?operationId= return only records with this value.
GET /audit/view         the records as a web page, with the same filters.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from apim.services import TraceTelemetry
from twin.traces import render_page

_MESSAGE = "audit"
_FILTERS = ("event", "outcome", "server", "subject", "client", "operationId")


def audit_routes(telemetry: Sequence[TraceTelemetry]) -> list[Route]:
    """The routes that return audit records.

    Args:
        telemetry: the telemetry that trace policies sent, oldest first.
    """

    async def show_json(request: Request) -> Response:
        return JSONResponse({"records": _matching(telemetry, request)})

    async def show_page(request: Request) -> Response:
        return render_page(
            "audit.html",
            200,
            records=_matching(telemetry, request),
            filters={name: request.query_params.get(name, "") for name in _FILTERS},
            kept=len(_records(telemetry)),
        )

    return [Route("/audit", show_json, methods=["GET"]), Route("/audit/view", show_page, methods=["GET"])]


def _matching(telemetry: Sequence[TraceTelemetry], request: Request) -> list[dict[str, str]]:
    """The records that match the filters, newest first."""
    wanted = {name: value for name in _FILTERS if (value := request.query_params.get(name))}
    return [
        record
        for record in reversed(_records(telemetry))
        if all(record.get(name) == value for name, value in wanted.items())
    ]


def _records(telemetry: Sequence[TraceTelemetry]) -> list[dict[str, str]]:
    return [
        {
            "at": datetime.fromtimestamp(record.at, UTC).isoformat(timespec="milliseconds"),
            "operationId": record.operation_id,
            **record.properties,
        }
        for record in list(telemetry)
        if record.message == _MESSAGE
    ]
