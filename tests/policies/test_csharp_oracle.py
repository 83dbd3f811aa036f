"""The evaluator and a real C# runtime have the same results for the project's own expressions.

One run of Mono computes all generated cases. Expressions with random numbers are excluded, because their
results differ in every run, and expressions that read a Jwt, because only API Management creates it. The time
is fixed.
"""

import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from apim.csharp import DotNetException, Expression, compile_expression
from apim.csharp.context import Body, Context, Headers, LastError, Operation, Response
from apim.csharp.dotnet.types import STRING
from apim.csharp.dotnet.values import Array, to_python, type_of
from apim.csharp.golden import build_context, printed
from apim.csharp.json.reader import parse
from apim.csharp.language.literals import utf16
from tests.policies.compiler import mono
from tests.policies.test_csharp_compiler import expressions
from tests.stacks import FUNCTIONS_ONLY
from twin.gateway_plan import plan_stack

pytestmark = pytest.mark.usefixtures("compiler")

CASES_EACH = 4
EXCLUDED = ("RNGCryptoServiceProvider", "Guid.NewGuid", "Random", "(Jwt)")
WORDS = [
    "",
    " ",
    "a",
    "a b",
    "é",
    "\U0001f600",
    "http://localhost:3000/cb",
    "https://a.example/x?y=1#z",
    "1",
    "-5",
]
WORDS += [
    "true",
    "2020-01-01T00:00:00Z",
    "QUJD",
    "QUJD.QUJD",
    "a=b; c=d",
    "\"\\'<>&\n\x01",
    "S256",
    "A" * 43,
    "=x",
]


def own_expressions() -> list[mono.Expression]:
    """Every distinct expression of the dev stack that the evaluator and Mono can run."""
    # Of the expressions that differ only in a number, such as an index, one is enough.
    distinct = {
        re.sub("[0-9]+", "0", expression.text): expression
        for expression in expressions(plan_stack(FUNCTIONS_ONLY).service())
    }
    return [
        expression
        for expression in distinct.values()
        if not any(word in expression.text for word in EXCLUDED)
    ]


def cases_of(number: int, text: str) -> st.SearchStrategy[dict[str, Any]]:
    """Random cases for one expression. They use its names and strings, so that many of its branches run."""
    literals = sorted(set(re.findall(r'"([^"\\{}]{1,60})"', text)))
    words = st.one_of(st.sampled_from(WORDS), st.sampled_from(literals or WORDS), st.text(max_size=6))
    names = st.sampled_from(sorted(set(re.findall(r'\["(\w+)"\]', text))) or ["a"])
    values = st.one_of(
        words, st.integers(-(2**40), 2**40), st.booleans(), st.none(), st.lists(words, max_size=3)
    )
    objects = st.dictionaries(st.one_of(names, words), values, max_size=8)
    lists = st.dictionaries(
        st.sampled_from([*literals, "Cookie", "Origin", "Content-Type"]),
        st.lists(words, min_size=1, max_size=2),
        max_size=5,
    )
    headers = lists.map(
        lambda members: list({name.lower(): (name, v) for name, v in members.items()}.values())
    ).map(dict)
    body = st.one_of(st.none(), words, objects.map(json.dumps), pairs(names, words))
    response = st.fixed_dictionaries(
        {
            "status": st.sampled_from([200, 201, 204, 304, 404, 409, 412, 429, 500]),
            "reason": words,
            "headers": headers,
            "body": st.one_of(body, objects.map(json.dumps)),
        }
    )
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "string": words,
        "bool": st.booleans(),
        "JObject": objects.map(json.dumps),
        "IResponse": response,
        "string[]": st.lists(words, max_size=4),
    }
    variables = {
        name: kinds[kind].map(lambda value, kind=kind: {"type": kind, "value": value})
        for name, kind in variables_of(text).items()
    }
    parts: dict[str, st.SearchStrategy[Any]] = {"expression": st.just(number), "request": st.just(_REQUEST)}
    if "context.Request" in text:
        url = st.builds(
            lambda query, text: {**_URL, "query": query, "queryString": text}, lists, pairs(names, words)
        )
        parts["request"] = st.builds(
            lambda url, headers, body: {**_REQUEST, "url": url, "headers": headers, "body": body},
            url,
            headers,
            body,
        )
    parts["response"] = response if "context.Response" in text else st.just(_RESPONSE)
    parts["lastError"] = st.fixed_dictionaries(dict.fromkeys(("source", "reason", "message"), words))
    if "context.LastError" not in text:
        parts["lastError"] = st.just(dict.fromkeys(("source", "reason", "message"), ""))
    ids = re.findall(r'"([a-z-]+)"', text) if "context.Operation" in text else []
    parts["operation"] = st.sampled_from(["other", *ids])
    optional = "ContainsKey" in text or "GetValueOrDefault" in text
    parts["variables"] = (
        st.fixed_dictionaries({}, optional=variables) if optional else st.fixed_dictionaries(variables)
    )
    return st.fixed_dictionaries(parts)


_URL = {
    "scheme": "https",
    "host": "gateway.example",
    "port": 443,
    "path": "/x",
    "query": {},
    "queryString": "",
}
_REQUEST = {"method": "GET", "ip": "127.0.0.1", "url": _URL, "headers": {}, "body": None}
_REQUEST_ID = UUID(int=0)  # as in `compiler/Running.cs`
_RESPONSE = {"status": 200, "reason": "OK", "headers": {}, "body": None}


def pairs(names: st.SearchStrategy[str], words: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A query string, or a body with form encoding."""
    pair = st.builds(
        "{}={}".format, names, st.one_of(words, st.sampled_from(["%20", "a%2Bb", "+", "%zz", "%C3%A9"]))
    )
    return st.lists(pair, max_size=4).map("&".join)


def variables_of(text: str) -> dict[str, str]:
    """The context variables of an expression, with the types to which the expression casts them."""
    variables = dict.fromkeys(re.findall(r'Variables\.ContainsKey\("([\w-]+)"\)', text), "string")
    casts = re.findall(
        r'\((string|bool|JObject|IResponse|string\[\])\)context\.Variables\["([\w-]+)"\]', text
    )
    casts += re.findall(r'GetValueOrDefault<(string|bool)>\("([\w-]+)"', text)
    return variables | {name: kind for kind, name in casts}


def context_of(case: dict[str, Any]) -> Context:
    """The context that `Running.cs` creates from a case, for the evaluator."""
    context = build_context({"request": {"method": case["request"]["method"]}})
    context.request_id = _REQUEST_ID
    request, url = case["request"], case["request"]["url"]
    context.request.headers = Headers(request["headers"])
    context.request.body = body_of(request)
    context.request.url.path = url["path"]
    context.request.url.query_string = url["queryString"]
    context.request.url.query = url["query"]
    context.response = response_of(case["response"])
    context.last_error = LastError(**case["lastError"])
    context.operation = Operation(id=case["operation"], name="", method="", url_template="")
    for name, variable in case["variables"].items():
        context.variables[name] = value_of(variable["type"], variable["value"])
    return context


def value_of(kind: str, value: Any) -> object:
    """The value of a context variable."""
    match kind:
        case "JObject":
            return parse(utf16(value))
        case "IResponse":
            return response_of(value)
        case "string[]":
            return Array(STRING, [utf16(item) for item in value])
    return value


def response_of(message: dict[str, Any]) -> Response:
    """The response of a case."""
    return Response(
        status_code=message["status"],
        status_reason=message["reason"],
        headers=Headers(message["headers"]),
        body=body_of(message),
    )


def body_of(message: dict[str, Any]) -> Body | None:
    """The body of a request or a response."""
    return None if message["body"] is None else Body(message["body"].encode("utf-8", "replace"))


def evaluated(expression: Expression, context: Context) -> dict[str, Any]:
    """The result of the evaluator, in the form in which `Running.cs` writes results."""
    try:
        value = expression.evaluate(context)
    except DotNetException as error:
        return {"throws": error.type_name}
    if value is None:
        return {"type": "null", "value": None}
    return {"type": type_of(value).clr_name, "value": to_python(printed(value))}


def test_evaluator_and_mono_agree_on_every_expression_of_the_policies(tmp_path: Path) -> None:
    own = own_expressions()
    assert len(own) > 150
    cases: list[dict[str, Any]] = []
    for number, expression in enumerate(own):
        collect(number, expression.text, cases)
    compiled = [
        compile_expression(mono.with_values(expression.text), name=expression.document) for expression in own
    ]
    results = [evaluated(compiled[case["expression"]], context_of(case)) for case in cases]
    mono_results = mono.run_all(own, cases, tmp_path)
    different = [
        (own[case["expression"]].text, case, expected, result)
        for case, expected, result in zip(cases, mono_results, results, strict=True)
        if expected != result
    ]

    assert different == []
    values = [result for result in results if "throws" not in result]
    assert len(values) > len(results) / 2, "most cases must return a value; otherwise too little is compared"


def collect(number: int, text: str, cases: list[dict[str, Any]]) -> None:
    """Appends random cases for one expression; all cases are compared later, after one run of Mono."""

    @seed(number)
    @settings(
        max_examples=CASES_EACH,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases_of(number, text))
    def draw(case: dict[str, Any]) -> None:
        cases.append(case)

    draw()
