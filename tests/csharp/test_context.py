"""The members of `context` in expressions, and API Management's extensions of strings and bytes."""

import pytest

from apim.csharp import DotNetException, compile_expression, to_text
from apim.csharp.context import LastError
from tests.csharp.evaluation import context, evaluate, jwt, request, response


def throws(text: str, given: object = None) -> str:
    with pytest.raises(DotNetException) as caught:
        evaluate(text, given)  # ty: ignore[invalid-argument-type]
    return caught.value.type_name


def test_header_names_are_case_insensitive() -> None:
    given = request(headers={"X-Many": ["a", "b"]})
    assert evaluate('@(context.Request.Headers["x-many"][1])', given) == "b"
    assert evaluate('@(context.Request.Headers.ContainsKey("X-MANY"))', given) is True
    assert evaluate('@(context.Request.Headers.GetValueOrDefault("x-many", ""))', given) == "a,b"
    assert evaluate('@(context.Request.Headers.GetValueOrDefault("nope", "d"))', given) == "d"
    assert evaluate('@(context.Request.Headers.GetValueOrDefault("nope"))', given) is None
    assert throws('@(context.Request.Headers["nope"])', given) == "KeyNotFoundException"


def test_headers_are_a_dictionary_for_linq() -> None:
    given = request(headers={"A": ["1"], "B": ["2", "3"]})
    assert (
        evaluate(
            '@(string.Join(",", context.Request.Headers.Where(h => h.Value.Length > 1).Select(h => h.Key)))',
            given,
        )
        == "B"
    )
    assert evaluate('@(string.Join(",", context.Request.Headers.Keys))', given) == "A,B"
    assert (
        evaluate(
            '@{ foreach (var h in context.Request.Headers) { return h.Key + h.Value[0]; } return ""; }', given
        )
        == "A1"
    )
    assert (
        evaluate(
            '@{ string[] v; return context.Request.Headers.TryGetValue("a", out v) ? v[0] : "none"; }', given
        )
        == "1"
    )


def test_the_query_keeps_every_value() -> None:
    given = request(url="https://gateway.example/a?x=1&x=2&e=")
    assert evaluate('@(context.Request.Url.Query["x"].Length)', given) == 2
    assert evaluate('@(context.Request.Url.Query.GetValueOrDefault("x"))', given) == "1,2"
    assert evaluate('@(context.Request.Url.Query["e"][0] == "")', given) is True
    assert evaluate("@(context.Request.Url.QueryString)", given) == "?x=1&x=2&e="
    assert evaluate("@(context.Request.Url.Path + context.Request.Url.Port)", given) == "/a443"


def test_a_body_is_null_when_there_is_none() -> None:
    assert evaluate("@(context.Request.Body == null)", request()) is True
    assert throws("@(context.Request.Body.As<string>())", request()) == "NullReferenceException"


def test_a_body_is_read_once_unless_it_is_preserved() -> None:
    given = request(body='{"a":[1]}')
    assert evaluate("@(context.Request.Body.As<string>(preserveContent: true).Length)", given) == 9
    assert evaluate('@((int)context.Request.Body.As<JObject>(true)["a"][0])', given) == 1
    assert evaluate("@(context.Request.Body.As<byte[]>(true).Length)", given) == 9
    assert evaluate("@(context.Request.Body.As<JToken>().Type.ToString())", given) == "Object"
    assert throws("@(context.Request.Body.As<string>())", given) == "InvalidOperationException"


@pytest.mark.parametrize("body", ["", "{", "[1]", "nonsense", "{} x"])
def test_a_body_that_is_not_an_object_throws(body: str) -> None:
    given = context(request={"body": body})
    assert throws("@(context.Request.Body.As<JObject>())", given) == "JsonReaderException"


def test_a_form_is_decoded() -> None:
    given = request(body="a=1+2&b=%C3%A9&a=3&c")
    read = "context.Request.Body.AsFormUrlEncodedContent(preserveContent: true)"
    assert (
        evaluate(f'@({read}["a"][0] + {read}["a"].Count + {read}["b"].First() + {read}["c"][0])', given)
        == "1 22é"
    )
    assert evaluate(f'@({read}.ContainsKey("d"))', given) is False


def test_variables_are_objects() -> None:
    given = context(variables={"s": "x", "n": 5, "nothing": None})
    given.variables["answer"] = response(404, '{"a":1}')
    assert evaluate('@((string)context.Variables["s"])', given) == "x"
    assert evaluate('@((int)context.Variables["n"] + 1)', given) == 6
    assert evaluate('@(context.Variables.GetValueOrDefault<int>("nope", 7))', given) == 7
    assert evaluate('@(context.Variables.GetValueOrDefault("nope", "d"))', given) == "d"
    assert evaluate('@(context.Variables.GetValueOrDefault<bool>("nope"))', given) is False
    assert evaluate('@(context.Variables["nothing"] == null)', given) is True
    assert evaluate('@(((IResponse)context.Variables["answer"]).StatusCode)', given) == 404
    assert (
        evaluate('@((int)((IResponse)context.Variables["answer"]).Body.As<JObject>(true)["a"])', given) == 1
    )
    assert throws('@((int)context.Variables["s"])', given) == "InvalidCastException"
    assert throws('@(context.Variables.GetValueOrDefault<int>("s"))', given) == "InvalidCastException"
    assert throws('@((string)context.Variables["nope"])', given) == "KeyNotFoundException"
    assert (
        throws('@(((IResponse)context.Variables["nothing"]).StatusCode)', given) == "NullReferenceException"
    )


def test_values_keep_their_type_between_expressions() -> None:
    given = context()
    for name, text in {
        "long": "@(5L)",
        "bytes": "@(new byte[] { 1 })",
        "token": '@(JObject.Parse("{}"))',
        "char": "@('c')",
    }.items():
        given.variables[name] = evaluate(text, given)
    assert evaluate('@((long)context.Variables["long"])', given) == 5
    assert throws('@((int)context.Variables["long"])', given) == "InvalidCastException"
    assert bytes(evaluate('@((byte[])context.Variables["bytes"])', given)) == b"\1"  # ty: ignore[invalid-argument-type]
    assert to_text(given.variables["char"]) == "c"
    assert to_text(given.variables["token"]) == "{}"
    assert to_text(evaluate("@(true)", given)) == "True"
    assert to_text(evaluate("@(1.0)", given)) == "1"
    assert to_text(None) is None


def test_characters_beyond_u_ffff_count_twice_and_are_returned_unchanged() -> None:
    given = context(variables={"s": "a\U0001f600"})
    assert evaluate('@(((string)context.Variables["s"]).Length)', given) == 3
    assert evaluate('@((string)context.Variables["s"])', given) == "a\U0001f600"
    assert evaluate('@(((string)context.Variables["s"]).Substring(1))', given) == "\U0001f600"


def test_on_error_has_the_last_error() -> None:
    given = context()
    given.last_error = LastError(source="validate-jwt", reason="TokenExpired", message="gone")
    assert evaluate(
        "@(context.LastError.Source + context.LastError.Reason + context.LastError.Message)", given
    ) == ("validate-jwtTokenExpiredgone")
    assert evaluate('@(context.LastError?.PolicyId ?? "none")', context()) == "none"


def test_the_time_is_that_of_the_context() -> None:
    given = context()
    assert evaluate("@(DateTimeOffset.UtcNow.ToUnixTimeSeconds())", given) == 1700000000
    assert evaluate('@(DateTime.UtcNow.ToString("r"))', given) == "Tue, 14 Nov 2023 22:13:20 GMT"
    given.now = lambda: 1700000060.5
    assert evaluate("@(context.Elapsed.TotalSeconds)", given) == 60.5
    assert evaluate("@(DateTime.UtcNow > context.Timestamp)", given) is True


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
    given = context(variables={"t": TOKEN, "h": f"Bearer {TOKEN}", "bad": "a.b", "nothing": None})
    token = '((string)context.Variables["t"]).AsJwt()'
    assert evaluate(
        f"@({token}.Issuer + {token}.Subject + {token}.Id + {token}.Algorithm + {token}.Type)", given
    ) == ("isjRS256JWT")
    assert evaluate(f'@(string.Join(",", {token}.Audiences))', given) == "a,b"
    assert evaluate(f'@({token}.Claims["roles"].Length)', given) == 2
    assert evaluate(f'@({token}.Claims.GetValueOrDefault("roles", ""))', given) == "r1,r2"
    assert (
        evaluate(
            f'@({token}.Claims.GetValueOrDefault("n", "") + {token}.Claims.GetValueOrDefault("x"))', given
        )
        == "1true"
    )
    assert evaluate(f'@({token}.ExpirationTime.Value.ToString("s"))', given) == "2023-11-14T22:13:20"
    assert evaluate(f"@({token}.NotBefore == null)", given) is True
    assert evaluate('@(((string)context.Variables["h"]).AsJwt().Subject)', given) == "s"
    assert evaluate('@(((string)context.Variables["bad"]).AsJwt() == null)', given) is True
    assert evaluate('@(((string)context.Variables["nothing"]).AsJwt()?.Subject)', given) is None
    assert (
        evaluate(
            '@{ Jwt j; return ((string)context.Variables["t"]).TryParseJwt(out j) ? j.Subject : ""; }', given
        )
        == "s"
    )
    assert evaluate('@{ Jwt j; return "x".TryParseJwt(out j); }', given) is False


def test_basic_credentials_are_read() -> None:
    given = request(headers={"Authorization": ["Basic dTpwOnc="]})
    header = 'context.Request.Headers.GetValueOrDefault("Authorization", "")'
    assert evaluate(f"@({header}.AsBasic().UserId + {header}.AsBasic().Password)", given) == "up:w"
    assert evaluate('@("Basic !".AsBasic() == null)', given) is True
    assert evaluate('@{ BasicAuthCredentials c; return "Bearer x".TryParseBasic(out c); }', given) is False


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
    given = context()
    given.trace = messages.append
    evaluate('@{ context.Trace("hello"); return 1; }', given)
    assert messages == ["hello"]


def test_an_infinite_loop_is_stopped() -> None:
    expression = compile_expression("@{ int i = 0; while (i >= 0) { i = 1; } return i; }", name="test")
    with pytest.raises(DotNetException, match="iterations"):
        expression.evaluate(context())
