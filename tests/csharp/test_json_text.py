"""JSON is parsed as leniently as by Newtonsoft.Json; invalid JSON throws a .NET exception."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apim.csharp import DotNetException, Expression, compile_expression
from apim.csharp.context import Context
from tests.csharp.evaluation import context, request

READ = compile_expression(
    '@{ var t = JToken.Parse((string)context.Variables["t"]);'
    ' return t.Type + " " + t.ToString(Newtonsoft.Json.Formatting.None); }',
    name="test",
)


def outcome(expression: Expression, policy_context: Context) -> object:
    """The value or the name of the exception; of a defect of the evaluator, also the message."""
    try:
        return expression.evaluate(policy_context)
    except DotNetException as error:
        return f"{error.type_name} {error.message}" if "defect" in error.message else error.type_name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Numbers: a leading zero means another base; large numbers are a BigInteger or Infinity.
        ("0x10", "Integer 16"),
        ("0XfF", "Integer 255"),
        ("0xFFFFFFFFFFFFFFFF", "Integer -1"),
        ("0x1FFFFFFFFFFFFFFFF", "JsonReaderException"),
        ("0x", "JsonReaderException"),
        ("-0x10", "JsonReaderException"),
        ("01", "Integer 1"),
        ("0777", "Integer 511"),
        ("09", "JsonReaderException"),
        ("-010", "Integer -10"),
        ("1e400", 'Float "Infinity"'),
        ("-1e400", 'Float "-Infinity"'),
        ("1e-400", "Float 0.0"),
        ("1.", "Float 1.0"),
        (".5", "Float 0.5"),
        ("1e", "JsonReaderException"),
        ("+1", "JsonReaderException"),
        ("--1", "JsonReaderException"),
        ("1+1", "JsonReaderException"),
        ("9223372036854775807", "Integer 9223372036854775807"),
        ("9223372036854775808", "Integer 9223372036854775808"),
        ("9" * 380, f"Integer {'9' * 380}"),
        ("9" * 381, "JsonReaderException"),
        ("9" * 5000, "JsonReaderException"),
        ("NaN", 'Float "NaN"'),
        ("[Infinity, -Infinity]", 'Array ["Infinity","-Infinity"]'),
        ("\u0663", "JsonReaderException"),
        # 64 levels are allowed, in a document of any length; the depth of a replaced value also counts.
        ("[" * 64 + "]" * 64, "Array " + "[" * 64 + "]" * 64),
        ('{"a":' * 64 + "1" + "}" * 64, "Object " + '{"a":' * 64 + "1" + "}" * 64),
        ('{"a":' * 65 + "1" + "}" * 65, "JsonReaderException"),
        (f"[{','.join(['[{}]'] * 70)}]", f"Array [{','.join(['[{}]'] * 70)}]"),
        (f"[{','.join(['[]'] * 70)},{'[' * 64}{']' * 64}]", "JsonReaderException"),
        (f'{{"a":{"[" * 64}{"]" * 64},"a":1}}', "JsonReaderException"),
        # Strings
        ("'a\"b'", 'String "a\\"b"'),
        ('"a\nb"', 'String "a\\nb"'),
        ('"\\ud83d\\ude00"', 'String "\U0001f600"'),
        ('"\\ud800x"', 'String "\ufffdx"'),
        ('"\\ud800\\ud83d\\ude00"', 'String "\ufffd\U0001f600"'),
        ('"\\udc00"', 'String "\ufffd"'),
        ('"\\u12g4"', "JsonReaderException"),
        ('"\\x41"', "JsonReaderException"),
        ('"abc', "JsonReaderException"),
        # Dates
        ('"/Date(1)/"', 'Date "1970-01-01T00:00:00.001Z"'),
        ('"/Date(-1)/"', 'Date "1969-12-31T23:59:59.999Z"'),
        ('"/Date(0+0100)/"', 'Date "1970-01-01T00:00:00+00:00"'),
        ('"/Date(x)/"', 'String "/Date(x)/"'),
        ('"/Date(1+1)/"', 'String "/Date(1+1)/"'),
        ('"/Date(1-01+01)/"', 'String "/Date(1-01+01)/"'),
        ('"/Date(999999999999999)/"', "ArgumentOutOfRangeException"),
        ('"/Date(99999999999999999999)/"', 'String "/Date(99999999999999999999)/"'),
        ('"2020-01-31T24:00:00Z"', 'Date "2020-02-01T00:00:00Z"'),
        ('"2020-01-31T24:00:01Z"', 'String "2020-01-31T24:00:01Z"'),
        ('"0001-01-01T00:00:00+01:00"', 'Date "0001-01-01T00:00:00+00:00"'),
        # JavaScript syntax
        ("new Date(1)", "Constructor new Date(1)"),
        ("[new Date ( 1 , 'a' )]", 'Array [new Date(1,"a")]'),
        ("new (1)", "ArgumentException"),
        ("new Date", "JsonReaderException"),
        ("undefined", "Undefined undefined"),
        ("[1,,2]", "Array [1,undefined,2]"),
        ('{"a":,}', 'Object {"a":undefined}'),
        ("[1,]", "Array [1]"),
        # Names and comments
        ("{a:1, $b_2:2, 'c':3}", 'Object {"a":1,"$b_2":2,"c":3}'),
        ("{a-b:1}", "JsonReaderException"),
        ("{\u00b2:1}", "JsonReaderException"),
        ('{"a":1,"b":2,"a":3}', 'Object {"a":3,"b":2}'),
        ('{"a"/**/:1}', "JsonReaderException"),
        ('{/*x*/"a":/*y*/1/*z*/}', 'Object {"a":1}'),
        ("/*x*/1", "Comment /*x*/"),
        ("/*x*/1 2", "JsonReaderException"),
        ("1//x", "Integer 1"),
        ("/", "JsonReaderException"),
        # White space
        ("\u00a0\x001\x00", "Integer 1"),
        ("\x1c1", "JsonReaderException"),
        ("\ufeff1", "JsonReaderException"),
        # Structure
        ("", "JsonReaderException"),
        ("[1}", "JsonReaderException"),
        ("[1] 2", "JsonReaderException"),
        ("true1", "JsonReaderException"),
        ("[" * 64 + "1" + "]" * 64, "Array " + "[" * 64 + "1" + "]" * 64),
        ("[" * 65 + "]" * 65, "JsonReaderException"),
    ],
)
def test_json_is_parsed_like_newtonsoft(text: str, expected: str) -> None:
    assert outcome(READ, context(variables={"t": text})) == expected


READERS = [
    compile_expression(text, name="test")
    for text in (
        '@(JObject.Parse((string)context.Variables["t"]).ToString())',
        '@(JArray.Parse((string)context.Variables["t"]).ToString())',
        '@(JToken.Parse((string)context.Variables["t"]).ToString())',
        "@(context.Request.Body.As<JObject>(preserveContent: true).ToString())",
        "@(context.Request.Body.As<JToken>(preserveContent: true).ToString())",
        '@(string.Join("", JObject.Parse((string)context.Variables["t"]).Values().OfType<JValue>()))',
        '@(JObject.Parse((string)context.Variables["t"]).Properties().All(one => one.Value is JValue))',
    )
]
PIECES = st.sampled_from(
    [
        *(
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            '"',
            "'",
            "/",
            "*",
            "//",
            "/*",
            "*/",
            "new ",
            "Date",
            "(",
            ")",
            "0x1",
        ),
        *("01", "1e400", "-", ".", "NaN", "Infinity", "undefined", "true", "null", "\\u", "\\ud800", "\\"),
        *("9" * 400, "/Date(", "2020-01-01T00:00:00", "+01:00", "a", "$", " ", "\n", "\x00", "\u00b2", "1"),
    ]
)


@settings(max_examples=150)
@given(st.one_of(st.text(max_size=30), st.lists(PIECES, max_size=12).map("".join)))
@example('{"a":"/Date(1)/"}')
@example('{"a":new Date(1)}')
@example('{"a":' + "9" * 4301 + "}")
def test_parsing_any_string_results_in_a_value_or_a_dotnet_exception(text: str) -> None:
    for reader in READERS:
        result = outcome(reader, request_with(text))
        assert isinstance(result, (str, bool))
        assert "NotSupported" not in str(result)
        assert "defect" not in str(result)


def request_with(text: str) -> Context:
    """A context with the text as a variable and as the body."""
    policy_context = request(body=text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
    policy_context.variables["t"] = text
    return policy_context


CONVERSIONS = [
    compile_expression(
        f'@{{ var t = JObject.Parse((string)context.Variables["t"])["v"]; return {conversion}; }}',
        name="test",
    )
    for conversion in (
        "(string)t",
        "t.ToString()",
        "(int?)t",
        "(long)t",
        "(bool?)t",
        "t.Value<string>()",
        "(double)t",
        "(decimal?)t",
        "t is JArray",
        "t as JObject",
        "t.Type == JTokenType.Array",
        "t.HasValues",
        "t.Path",
        "(DateTime)t",
    )
]
VALUES = [
    "1",
    "0x10",
    "1e400",
    "NaN",
    "9" * 30,
    "9" * 300,
    "-1.5",
    '"1"',
    '"x"',
    '"/Date(1)/"',
    "true",
    "null",
]
VALUES += ["undefined", "new Date(1)", "[1]", "{}", '"2020-01-01T00:00:00Z"', "9223372036854775808", "''"]


@pytest.mark.parametrize("value", VALUES)
def test_converting_any_parsed_value_causes_no_defect_of_the_evaluator(value: str) -> None:
    for conversion in CONVERSIONS:
        result = outcome(conversion, context(variables={"t": f'{{"v":{value}}}'}))
        assert "defect" not in str(result)
