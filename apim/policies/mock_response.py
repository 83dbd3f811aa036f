"""https://learn.microsoft.com/azure/api-management/mock-response-policy.

Operations here declare no examples and no schemas. In that case the documented response has no content.
"""

from http import HTTPStatus

from apim.csharp.context import Response
from apim.failure import FinishedError
from apim.node import Node
from apim.policy import Policy
from apim.run import Run
from apim.shape import Attribute, Kind, Shape
from apim.statements import Action

_REASONS = {status.value: status.phrase for status in HTTPStatus}


def _compile(node: Node) -> Action:
    status_of, type_of = node.integer("status-code"), node.string("content-type")

    def mock_response(run: Run) -> None:
        context = run.context
        status, content_type = status_of(context), type_of(context)
        reason = _REASONS.get(status, "")
        response = Response(status_code=status, status_reason=reason)
        if content_type:
            response.headers.set("Content-Type", [content_type])
        run.drop_reply()
        context.response = response
        raise FinishedError

    return mock_response


POLICY = Policy(
    name="mock-response",
    sections=frozenset({"inbound", "outbound", "on-error"}),
    shape=Shape(
        (
            Attribute("status-code", default="200", kind=Kind.INTEGER, least=100, most=999),
            Attribute("content-type"),
            Attribute("index", kind=Kind.INTEGER, unsupported="operations of the twin have no examples"),
        )
    ),
    compile=_compile,
)
