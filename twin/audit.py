"""The audit records that policies wrote, as JSON and as a page.

GET /audit              the records, newest first; ?event=tool-call, ?outcome=refused, ?subject=, ?client=,
                        ?server= and ?operationId= leave those with this value.
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
    """The calls that read audit records.

    Args:
        telemetry: the records that trace policies sent, oldest first.
    """

    async def listed(request: Request) -> Response:
        return JSONResponse({"records": _wanted(telemetry, request)})

    async def page(request: Request) -> Response:
        return render_page(
            "audit.html",
            200,
            records=_wanted(telemetry, request),
            filters={name: request.query_params.get(name, "") for name in _FILTERS},
            kept=len(_records(telemetry)),
        )

    return [Route("/audit", listed, methods=["GET"]), Route("/audit/view", page, methods=["GET"])]


def _wanted(telemetry: Sequence[TraceTelemetry], request: Request) -> list[dict[str, str]]:
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
