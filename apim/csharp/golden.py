"""Evaluates the expressions of golden files and compares the results with those of a real C# compiler.

The format is `{"context": {...}, "cases": [{"form": "@(...)", "type": "Int32", "value": "3"}, ...]}`. Instead
of type and value, a case may have `throws` (the name of an exception) or `compile_error` (the number of the
compiler's error).
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from apim.csharp.context import (
    Api,
    Body,
    Context,
    Deployment,
    Headers,
    Operation,
    Request,
    Response,
    Url,
)
from apim.csharp.dotnet.collections import List
from apim.csharp.dotnet.text.values import to_string
from apim.csharp.dotnet.types import BYTE
from apim.csharp.dotnet.values import Array, Sequence, to_python, type_of
from apim.csharp.errors import CSharpError, DotNetException, UnsupportedError
from apim.csharp.expression import compile_expression
from apim.csharp.json.reader import parse
from apim.csharp.json.tokens import JToken

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of one case.

    Attributes:
        form: the expression.
        outcome: `equal`, `refused` (the evaluator rejects the expression) or `different`.
        expected: the result of the C# compiler.
        answer: the result of the evaluator.
    """

    form: str
    outcome: str
    expected: dict[str, Any]
    answer: dict[str, Any]


def compare_file(path: Path) -> list[Comparison]:
    """Evaluates every case of a file and compares the results.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a golden file.
    """
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or not isinstance(document.get("cases"), list):
        message = f"{path} is not a file of golden cases: it must be an object with a list `cases`"
        raise ValueError(message)  # noqa: TRY004 -- the content of the file is invalid, not a type
    return [compare_case(case, document.get("context", {})) for case in document["cases"]]


def compare_case(case: dict[str, Any], context: dict[str, Any]) -> Comparison:
    """Evaluates one case and compares the result. A rejection is equal to any error of the compiler."""
    expected = {key: value for key, value in case.items() if key != "form"}
    evaluated = evaluate_case(case["form"], build_context(context))
    if "refused" in evaluated:
        outcome = "equal" if "compile_error" in expected else "refused"
    else:
        outcome = "equal" if evaluated == expected else "different"
    return Comparison(case["form"], outcome, expected, evaluated)


def evaluate_case(form: str, context: Context) -> dict[str, Any]:
    """The evaluator's result: `type` and `value`, `throws`, `unsupported`, or `refused` with the reason."""
    try:
        expression = compile_expression(form, name="case")
    except CSharpError as error:
        return {"refused": error.message, "construct": error.construct}
    try:
        value = expression.evaluate(context)
        if value is None:
            return {"type": "null", "value": None}
        return {"type": type_of(value).clr_name, "value": to_python(printed(value))}
    except UnsupportedError as error:
        return {"unsupported": error.message}
    except DotNetException as error:
        return {"throws": error.type_name}


def printed(value: Any) -> str:
    """A value as golden files print it."""
    if isinstance(value, Array) and value.clr_type.args[0] is BYTE:
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, JToken):
        return value.clr_text()
    if isinstance(value, (Array, List, Sequence)):
        return f"[{'|'.join(printed(item) for item in value)}]"
    return to_string(value)


def build_context(properties: dict[str, Any], now: Callable[[], float] = lambda: 1700000000.0) -> Context:
    """The Context that a golden file or the file of the option `--context` describes.

    Args:
        properties: the object `context` of the file.
        now: returns the current time in POSIX seconds.
    """
    request = properties.get("request", {})
    url = parse_url(request.get("url", "https://gateway.example/"))
    response = properties.get("response")
    return Context(
        request=Request(
            method=request.get("method", "GET"),
            url=url,
            original_url=url,
            headers=_headers(request),
            body=_body(request),
            matched_parameters=dict(request.get("matchedParameters", {})),
        ),
        response=None if response is None else _response(response),
        variables={name: _variable(value) for name, value in properties.get("variables", {}).items()},
        api=Api(id="api", name="api", path=""),
        operation=Operation(
            id="operation", name="operation", method=request.get("method", "GET"), url_template="/"
        ),
        deployment=Deployment(service_name="gateway"),
        now=now,
        timestamp=now(),
    )


def parse_url(text: str) -> Url:
    """Parses a URL for `context.Request.Url`; names and values of the query are not decoded."""
    parts = urlsplit(text)
    query: dict[str, list[str]] = {}
    for pair in filter(None, parts.query.split("&")):
        name, _equals, value = pair.partition("=")
        query.setdefault(name, []).append(value)
    return Url(
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or _PORTS.get(parts.scheme, -1),
        path=parts.path,
        query_string=f"?{parts.query}" if parts.query else "",
        query=query,
    )


def _headers(message: dict[str, Any]) -> Headers:
    headers = message.get("headers", {})
    return Headers(
        {name: [values] if isinstance(values, str) else list(values) for name, values in headers.items()}
    )


def _body(message: dict[str, Any]) -> Body | None:
    text = message.get("body")
    return None if text is None else Body(text.encode())


def _response(message: dict[str, Any]) -> Response:
    return Response(
        status_code=message.get("status", 200),
        status_reason=message.get("reason", ""),
        headers=_headers(message),
        body=_body(message),
    )


def _variable(value: Any) -> object:
    if isinstance(value, dict) and value.get("$t") == "jtoken":
        return parse(value["v"])
    if isinstance(value, dict) and value.get("$t") == "response":
        return _response(value["v"])
    if isinstance(value, (dict, list)):
        return parse(json.dumps(value))
    return value
