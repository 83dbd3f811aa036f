"""https://learn.microsoft.com/azure/api-management/check-header-policy."""

from apim.failure import Failure
from apim.node import Node
from apim.policy import INBOUND, Policy
from apim.run import Run
from apim.shape import Attribute, Child, Kind, Shape, Text
from apim.statements import Action


def _compile(node: Node) -> Action:
    name_of, code_of = node.string("name"), node.integer("failed-check-httpcode")
    message_of, ignore_case_of = node.string("failed-check-error-message"), node.boolean("ignore-case")
    allowed_of = [value.text() for value in node.children("value")]

    def check_header(run: Run) -> None:
        context = run.context
        name = name_of(context) or ""
        values = context.request.headers.get(name)
        if not values:
            message = f"Header {name} was not found in the request. Access denied."
            raise Failure(
                reason="HeaderNotFound", message=message, status=code_of(context), public=message_of(context)
            )
        if not allowed_of:
            return
        value, allowed = ",".join(values), [(read(context) or "").strip() for read in allowed_of]
        if ignore_case_of(context):
            ok = value.casefold() in [one.casefold() for one in allowed]
        else:
            ok = value in allowed
        if not ok:
            message = f"Header {name} value of {value} is not allowed. Access denied."
            raise Failure(
                reason="HeaderValueNotAllowed",
                message=message,
                status=code_of(context),
                public=message_of(context),
            )

    return check_header


POLICY = Policy(
    name="check-header",
    sections=INBOUND,
    shape=Shape(
        (
            Attribute("name", required=True),
            Attribute("failed-check-httpcode", required=True, kind=Kind.INTEGER, least=100, most=999),
            Attribute("failed-check-error-message", required=True),
            Attribute("ignore-case", required=True, kind=Kind.BOOLEAN),
        ),
        children=(Child("value", Shape(text=Text.VALUE, text_required=True), most=None),),
    ),
    compile=_compile,
)
