"""https://learn.microsoft.com/azure/api-management/set-query-parameter-policy."""

from urllib.parse import parse_qsl, quote, urlencode

from apim.failure import Failure
from apim.node import Node
from apim.policy import REQUEST, Policy
from apim.run import Run
from apim.shape import Attribute, Child, Shape, Text
from apim.statements import Action

_ACTIONS = ("override", "skip", "append", "delete")


def _compile(node: Node) -> Action:
    name_of, action_of = node.string("name"), node.string("exists-action")
    values_of = [value.text() for value in node.children("value")]

    def set_query_parameter(run: Run) -> None:
        context = run.context
        name, action = name_of(context) or "", action_of(context)
        if action not in _ACTIONS:
            raise Failure(reason="ExistsActionInvalid", message=f"{action!r} is not a valid exists-action.")
        pairs = parse_qsl(context.request.url.query_string.removeprefix("?"), keep_blank_values=True)
        exists = any(key == name for key, _ in pairs)
        if exists and action == "skip":
            return
        if action in {"override", "delete"}:
            pairs = [(key, value) for key, value in pairs if key != name]
        if action != "delete":
            pairs += [(name, value(context) or "") for value in values_of]
        run.set_rest(run.rest, urlencode(pairs, quote_via=quote))

    return set_query_parameter


POLICY = Policy(
    name="set-query-parameter",
    sections=REQUEST,
    shape=Shape(
        (Attribute("name", required=True), Attribute("exists-action", default="override", values=_ACTIONS)),
        children=(Child("value", Shape(text=Text.VALUE), most=None),),
    ),
    compile=_compile,
)
