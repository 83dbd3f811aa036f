"""https://learn.microsoft.com/azure/api-management/return-response-policy."""

from dataclasses import replace

from apim.csharp.context import Body, Response
from apim.failure import Failure, FinishedError
from apim.node import Node
from apim.policies import set_body, set_header, set_status
from apim.policy import Policy
from apim.run import Run
from apim.shape import Attribute, Child, Shape
from apim.statements import Action

_EDITS = {"set-status": set_status.edit, "set-header": set_header.edit, "set-body": set_body.edit}


def _compile(node: Node) -> Action:
    variable = node.constant("response-variable-name")
    edits = [_EDITS[child.element.name](child) for child in node.ordered()]

    def return_response(run: Run) -> None:
        context = run.context
        if variable:
            stored = context.variables.get(variable)
            if not isinstance(stored, Response):
                raise Failure(
                    reason="ResponseVariableInvalid",
                    message=f"The variable {variable} does not contain a response.",
                )
            body = Body(stored.body.content) if stored.body else None
            response = replace(stored, headers=stored.headers.copy(), body=body)
        else:
            response = Response(status_code=200, status_reason="OK")
        for edit in edits:
            edit(context, response)
        run.drop_reply()
        if run.readings.cors_return_response == "not-added":
            run.cors = None
        context.response = response
        raise FinishedError

    return return_response


POLICY = Policy(
    name="return-response",
    shape=Shape(
        (Attribute("response-variable-name", expression=False),),
        children=(
            Child("set-status", set_status.POLICY.shape),
            Child("set-header", set_header.POLICY.shape, most=None),
            Child("set-body", set_body.POLICY.shape),
        ),
    ),
    compile=_compile,
)
