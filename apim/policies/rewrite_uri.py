"""https://learn.microsoft.com/azure/api-management/rewrite-uri-policy."""

import re
from urllib.parse import quote

from apim.failure import Failure
from apim.node import Node
from apim.policy import INBOUND, Policy
from apim.run import Run
from apim.shape import Attribute, Kind, Shape
from apim.statements import Action

_PARAMETER = re.compile(r"\{\*?([^{}]+)\}")
_UNSAFE = re.compile(r"[^A-Za-z0-9\-._~!$&'()*+,;=:@%/?]")


def _compile(node: Node) -> Action:
    template_of, copy_of = node.string("template"), node.boolean("copy-unmatched-params")

    def rewrite_uri(run: Run) -> None:
        context = run.context
        template, parameters = template_of(context) or "", context.request.matched_parameters

        def parameter(match: re.Match[str]) -> str:
            if match[1] not in parameters:
                message = f"The URL template has no parameter {match[1]}."
                raise Failure(reason="RewriteTemplateInvalid", message=message)
            return quote(parameters[match[1]], safe="/" if match[0].startswith("{*") else "")

        path, _, query = _PARAMETER.sub(parameter, template).partition("?")
        path = _UNSAFE.sub(lambda match: quote(match[0]), path if path.startswith("/") else "/" + path)
        queries = [_UNSAFE.sub(lambda match: quote(match[0]), query)] if query else []
        if copy_of(context):
            used = _used_by_template(run)
            queries += [
                part
                for part in context.request.url.query_string.removeprefix("?").split("&")
                if part and part.partition("=")[0] not in used
            ]
        run.set_rest(path, "&".join(queries))

    return rewrite_uri


def _used_by_template(run: Run) -> set[str]:
    """The names of the query parameters in the operation's URL template."""
    operation = run.context.operation
    _, _, query = operation.url_template.partition("?") if operation else ("", "", "")
    return {part.partition("=")[0] for part in query.split("&")} if query else set()


POLICY = Policy(
    name="rewrite-uri",
    sections=INBOUND,
    shape=Shape(
        (
            Attribute("template", required=True),
            Attribute("copy-unmatched-params", default="true", kind=Kind.BOOLEAN),
        )
    ),
    compile=_compile,
)
