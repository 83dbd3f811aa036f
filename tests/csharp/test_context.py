"""The members of `context` in expressions, and API Management's extensions of strings and bytes."""

import pytest

from apim.csharp import DotNetException, compile_expression, to_text
from apim.csharp.context import LastError
from tests.csharp.evaluation import context, evaluate, jwt, request, response


def throws(text: str, policy_context: object = None) -> str:
    with pytest.raises(DotNetException) as caught:
        evaluate(text, policy_context)  # ty: ignore[invalid-argument-type]
    return caught.value.type_name


def test_header_names_are_case_insensitive() -> None:
    policy_context = request(headers={"X-Many": ["a", "b"]})
    assert evaluate('@(context.Request.Headers["x-many"][1])', policy_context) == "b"
    assert evaluate('@(context.Request.Headers.ContainsKey("X-MANY"))', policy_context) is True
    assert evaluate('@(context.Request.Headers.GetValueOrDefault("x-many", ""))', policy_context) == "a,b"
    assert evaluate('@(context.Request.Headers.GetValueOrDefault("missing", "d"))', policy_context) == "d"
    assert evaluate('@(context.Request.Headers.GetValueOrDefault("missing"))', policy_context) is None
    assert throws('@(context.Request.Headers["missing"])', policy_context) == "KeyNotFoundException"


def test_linq_can_enumerate_headers() -> None:
    policy_context = request(headers={"A": ["1"], "B": ["2", "3"]})
    assert (
        evaluate(
            '@(string.Join(",", context.Request.Headers.Where(h => h.Value.Length > 1).Select(h => h.Key)))',
            policy_context,
        )
        == "B"
    )
    assert evaluate('@(string.Join(",", context.Request.Headers.Keys))', policy_context) == "A,B"
    assert (
        evaluate(
            '@{ foreach (var h in context.Request.Headers) { return h.Key + h.Value[0]; } return ""; }',
            policy_context,
        )
        == "A1"
    )
    assert (
        evaluate(
            '@{ string[] v; return context.Request.Headers.TryGetValue("a", out v) ? v[0] : "none"; }',
            policy_context,
        )
        == "1"
    )


def test_the_query_has_every_value_of_a_repeated_parameter() -> None:
    policy_context = request(url="https://gateway.example/a?x=1&x=2&e=")
    assert evaluate('@(context.Request.Url.Query["x"].Length)', policy_context) == 2
    assert evaluate('@(context.Request.Url.Query.GetValueOrDefault("x"))', policy_context) == "1,2"
    assert evaluate('@(context.Request.Url.Query["e"][0] == "")', policy_context) is True
    assert evaluate("@(context.Request.Url.QueryString)", policy_context) == "?x=1&x=2&e="
    assert evaluate("@(context.Request.Url.Path + context.Request.Url.Port)", policy_context) == "/a443"


def test_the_body_of_a_request_without_a_body_is_null() -> None:
    assert evaluate("@(context.Request.Body == null)", request()) is True
    assert throws("@(context.Request.Body.As<string>())", request()) == "NullReferenceException"


def test_a_body_is_read_once_unless_it_is_preserved() -> None:
    policy_context = request(body='{"a":[1]}')
    assert evaluate("@(context.Request.Body.As<string>(preserveContent: true).Length)", policy_context) == 9
    assert evaluate('@((int)context.Request.Body.As<JObject>(true)["a"][0])', policy_context) == 1
    assert evaluate("@(context.Request.Body.As<byte[]>(true).Length)", policy_context) == 9
    assert evaluate("@(context.Request.Body.As<JToken>().Type.ToString())", policy_context) == "Object"
    assert throws("@(context.Request.Body.As<string>())", policy_context) == "InvalidOperationException"


@pytest.mark.parametrize("body", ["", "{", "[1]", "nonsense", "{} x"])
def test_a_body_that_is_not_an_object_throws(body: str) -> None:
    policy_context = context(request={"body": body})
    assert throws("@(context.Request.Body.As<JObject>())", policy_context) == "JsonReaderException"


def test_a_form_is_decoded() -> None:
    policy_context = request(body="a=1+2&b=%C3%A9&a=3&c")
    read = "context.Request.Body.AsFormUrlEncodedContent(preserveContent: true)"
    assert (
        evaluate(
            f'@({read}["a"][0] + {read}["a"].Count + {read}["b"].First() + {read}["c"][0])', policy_context
        )
        == "1 22é"
    )
    assert evaluate(f'@({read}.ContainsKey("d"))', policy_context) is False


def test_variables_are_objects_that_an_expression_must_cast() -> None:
    policy_context = context(variables={"s": "x", "n": 5, "nothing": None})
    policy_context.variables["answer"] = response(404, '{"a":1}')
    assert evaluate('@((string)context.Variables["s"])', policy_context) == "x"
    assert evaluate('@((int)context.Variables["n"] + 1)', policy_context) == 6
    assert evaluate('@(context.Variables.GetValueOrDefault<int>("missing", 7))', policy_context) == 7
    assert evaluate('@(context.Variables.GetValueOrDefault("missing", "d"))', policy_context) == "d"
    assert evaluate('@(context.Variables.GetValueOrDefault<bool>("missing"))', policy_context) is False
    assert evaluate('@(context.Variables["nothing"] == null)', policy_context) is True
    assert evaluate('@(((IResponse)context.Variables["answer"]).StatusCode)', policy_context) == 404
    assert (
        evaluate(
            '@((int)((IResponse)context.Variables["answer"]).Body.As<JObject>(true)["a"])', policy_context
        )
        == 1
    )
    assert throws('@((int)context.Variables["s"])', policy_context) == "InvalidCastException"
    assert (
        throws('@(context.Variables.GetValueOrDefault<int>("s"))', policy_context) == "InvalidCastException"
    )
    assert throws('@((string)context.Variables["missing"])', policy_context) == "KeyNotFoundException"
    assert (
        throws('@(((IResponse)context.Variables["nothing"]).StatusCode)', policy_context)
        == "NullReferenceException"
    )


def test_values_keep_their_type_between_expressions() -> None:
    policy_context = context()
    for name, text in {
        "long": "@(5L)",
        "bytes": "@(new byte[] { 1 })",
        "token": '@(JObject.Parse("{}"))',
        "char": "@('c')",
    }.items():
        policy_context.variables[name] = evaluate(text, policy_context)
    assert evaluate('@((long)context.Variables["long"])', policy_context) == 5
    assert throws('@((int)context.Variables["long"])', policy_context) == "InvalidCastException"
    assert bytes(evaluate('@((byte[])context.Variables["bytes"])', policy_context)) == b"\1"  # ty: ignore[invalid-argument-type]
    assert to_text(policy_context.variables["char"]) == "c"
    assert to_text(policy_context.variables["token"]) == "{}"
    assert to_text(evaluate("@(true)", policy_context)) == "True"
    assert to_text(evaluate("@(1.0)", policy_context)) == "1"
    assert to_text(None) is None


def test_characters_above_u_ffff_have_length_two_and_are_returned_unchanged() -> None:
    policy_context = context(variables={"s": "a\U0001f600"})
    assert evaluate('@(((string)context.Variables["s"]).Length)', policy_context) == 3
    assert evaluate('@((string)context.Variables["s"])', policy_context) == "a\U0001f600"
    assert evaluate('@(((string)context.Variables["s"]).Substring(1))', policy_context) == "\U0001f600"


def test_last_error_has_the_error_of_the_context_or_is_null() -> None:
    policy_context = context()
    policy_context.last_error = LastError(source="validate-jwt", reason="TokenExpired", message="gone")
    assert evaluate(
        "@(context.LastError.Source + context.LastError.Reason + context.LastError.Message)", policy_context
    ) == ("validate-jwtTokenExpiredgone")
    assert evaluate('@(context.LastError?.PolicyId ?? "none")', context()) == "none"


def test_expressions_use_the_clock_of_the_context() -> None:
    policy_context = context()
    assert evaluate("@(DateTimeOffset.UtcNow.ToUnixTimeSeconds())", policy_context) == 1700000000
    assert evaluate('@(DateTime.UtcNow.ToString("r"))', policy_context) == "Tue, 14 Nov 2023 22:13:20 GMT"
    policy_context.now = lambda: 1700000060.5
    assert evaluate("@(context.Elapsed.TotalSeconds)", policy_context) == 60.5
    assert evaluate("@(DateTime.UtcNow > context.Timestamp)", policy_context) is True


TOKEN = jwt(
    {"alg": "RS256", "typ": "JWT"},
    {
        "iss": "i",
        "sub": "s",
        "aud": ["a", "b"],
        "exp": 1700000000,
        "jti": "j",
        "roles": ["r1", "r2"],
        "n": 1,
        "x": True,
    },
)


def test_a_jwt_is_parsed_with_or_without_its_scheme() -> None:
    policy_context = context(variables={"t": TOKEN, "h": f"Bearer {TOKEN}", "bad": "a.b", "nothing": None})
    token = '((string)context.Variables["t"]).AsJwt()'
    assert evaluate(
        f"@({token}.Issuer + {token}.Subject + {token}.Id + {token}.Algorithm + {token}.Type)", policy_context
    ) == ("isjRS256JWT")
    assert evaluate(f'@(string.Join(",", {token}.Audiences))', policy_context) == "a,b"
    assert evaluate(f'@({token}.Claims["roles"].Length)', policy_context) == 2
    assert evaluate(f'@({token}.Claims.GetValueOrDefault("roles", ""))', policy_context) == "r1,r2"
    assert (
        evaluate(
            f'@({token}.Claims.GetValueOrDefault("n", "") + {token}.Claims.GetValueOrDefault("x"))',
            policy_context,
        )
        == "1true"
    )
    assert evaluate(f'@({token}.ExpirationTime.Value.ToString("s"))', policy_context) == "2023-11-14T22:13:20"
    assert evaluate(f"@({token}.NotBefore == null)", policy_context) is True
    assert evaluate('@(((string)context.Variables["h"]).AsJwt().Subject)', policy_context) == "s"
    assert evaluate('@(((string)context.Variables["bad"]).AsJwt() == null)', policy_context) is True
    assert evaluate('@(((string)context.Variables["nothing"]).AsJwt()?.Subject)', policy_context) is None
    assert (
        evaluate(
            '@{ Jwt j; return ((string)context.Variables["t"]).TryParseJwt(out j) ? j.Subject : ""; }',
            policy_context,
        )
        == "s"
    )
    assert evaluate('@{ Jwt j; return "x".TryParseJwt(out j); }', policy_context) is False


def test_basic_credentials_are_read() -> None:
    policy_context = request(headers={"Authorization": ["Basic dTpwOnc="]})
    header = 'context.Request.Headers.GetValueOrDefault("Authorization", "")'
    assert evaluate(f"@({header}.AsBasic().UserId + {header}.AsBasic().Password)", policy_context) == "up:w"
    assert evaluate('@("Basic !".AsBasic() == null)', policy_context) is True
    assert (
        evaluate('@{ BasicAuthCredentials c; return "Bearer x".TryParseBasic(out c); }', policy_context)
        is False
    )


def test_encrypted_data_can_be_decrypted() -> None:
    text = """@{
        var key = new byte[32]; var iv = new byte[16];
        new RNGCryptoServiceProvider().GetBytes(key);
        new RNGCryptoServiceProvider().GetBytes(iv);
        var secret = Encoding.UTF8.GetBytes("attack at dawn").Encrypt("Aes", key, iv);
        return Encoding.UTF8.GetString(secret.Decrypt("Aes", key, iv)) + secret.Length;
    }"""
    assert evaluate(text) == "attack at dawn16"
    assert throws('@(new byte[5].Decrypt("Aes", new byte[16], new byte[16]))') == "CryptographicException"
    assert throws('@(new byte[5].Encrypt("Aes", new byte[5], new byte[16]))') == "CryptographicException"
    assert throws('@(new byte[5].Encrypt("Aes", new byte[16], new byte[5]))') == "CryptographicException"


def test_trace_messages_are_passed_to_the_context() -> None:
    messages: list[str] = []
    policy_context = context()
    policy_context.trace = messages.append
    evaluate('@{ context.Trace("hello"); return 1; }', policy_context)
    assert messages == ["hello"]


def test_an_infinite_loop_is_stopped() -> None:
    expression = compile_expression("@{ int i = 0; while (i >= 0) { i = 1; } return i; }", name="test")
    with pytest.raises(DotNetException, match="iterations"):
        expression.evaluate(context())
