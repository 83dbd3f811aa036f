"""https://learn.microsoft.com/azure/api-management/find-and-replace-policy."""

from apim.csharp.context import Body, Request, Response
from apim.node import Node
from apim.policy import Policy
from apim.run import Run
from apim.shape import Attribute, Shape
from apim.statements import Action


def _compile(node: Node) -> Action:
    from_of, to_of = node.string("from"), node.string("to")
    inbound = node.section in {"inbound", "backend"}
    node.reads.add("request.body" if inbound else "response.body")

    def find_and_replace(run: Run) -> None:
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
