"""https://learn.microsoft.com/azure/api-management/find-and-replace-policy."""

from typing import TYPE_CHECKING

from apim.csharp.context import Body
from apim.shape import Attribute, Policy, Shape

if TYPE_CHECKING:
    from apim.csharp.context import Request, Response
    from apim.node import Node
    from apim.run import Run
    from apim.statements import Action


def _compile(node: "Node") -> "Action":
    from_of, to_of = node.string("from"), node.string("to")
    inbound = node.compiler.section_name in {"inbound", "backend"}
    node.reads.add("request.body" if inbound else "response.body")

    def find_and_replace(run: "Run") -> None:
        context = run.context
        message: Request | Response | None = context.request if inbound else context.response
        old, new = (from_of(context) or "").encode(), (to_of(context) or "").encode()
        if message is not None and message.body is not None and old:
            message.body = Body(message.body.content.replace(old, new))

    return find_and_replace


POLICY = Policy(
    name="find-and-replace",
    shape=Shape((Attribute("from", required=True), Attribute("to", required=True))),
    compile=_compile,
)
