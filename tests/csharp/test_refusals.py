"""C# outside of the supported subset is rejected when it is loaded, with its position and name."""

import pytest

from apim.csharp import CSharpError, compile_expression

REFUSED = [
    ('@(context.Variables["s"] == "abc")', 26, "reference comparison"),
    ('@(context.Variables["a"] != context.Variables["b"])', 26, "reference comparison"),
    ('@(System.IO.File.ReadAllText("x"))', 3, "System.IO"),
    ("@(new System.Net.WebClient())", 7, "System.Net.WebClient"),
    ("@(Environment.MachineName)", 3, "Environment.MachineName"),
    ('@(DateTime.ParseExact("a", "b", null))', 12, "DateTime.ParseExact"),
    ('@(Regex.Escape("a"))', 9, "Regex.Escape"),
    ('@(Aes.Create())', 3, "Aes"),
    ('@("a".GetHashCode())', 7, "String.GetHashCode"),
    ('@("a".GetType())', 7, "String.GetType"),
    ("@(typeof(int))", 3, "typeof"),
    ("@((1, 2))", 3, "tuple"),
    ("@(x switch { _ => 1 })", 5, "switch"),
    ('@("a"[^1])', 7, "^"),
    ('@("a"[1..])', 8, ".."),
    ("@(default)", 3, "default"),
    ('@("a" is not null)', 10, "not"),
    ("@{ using var h = SHA256.Create(); return 1; }", 10, "using"),
    ('@{ string s = null; s ??= "a"; return s; }', 23, "??="),
    ("@{ int F() { return 1; } return F(); }", 8, "local function"),
    ("@{ goto a; }", 4, "goto"),
    ("@(from x in new[]{1} select x)", 3, "from"),
    ('@(Regex.IsMatch("a", @"(?(1)a|b)"))', 9, "IsMatch"),
    ('@(Regex.IsMatch("a", "a", RegexOptions.RightToLeft))', 9, "IsMatch"),
    ('@(1.5.ToString("F2000"))', 7, "ToString"),
    ('@(Encoding.GetEncoding("windows-1252"))', 12, "GetEncoding"),
    ('@(context.Request.Body.As<XDocument>())', 27, "XDocument"),
    ('@(new Dictionary<string, int> { ["a"] = 1, { "b", 2 } })', 44, "CS0747"),
    ("@((int)3000000000L)", 3, "CS0221"),
    ("@(int.MaxValue + 1)", 16, "CS0220"),
    ("@(1 / 0)", 5, "CS0020"),
    ("@{ int x; return x; }", 18, "CS0165"),
    ("@{ int x = 1; }", 2, "CS0161"),
    ("@{ int x = 1; int x = 2; return x; }", 19, "CS0128"),
    ("@(unknown)", 3, "unknown"),
    ('@(JObject.Parse("{}")["a"] == "x")', 28, "CS0019"),
    ("@(context.Request.Foo)", 19, "IRequest.Foo"),
    ("@(context.Trace(\"x\"))", 11, "CS0127"),
    ("@(1 + )", 7, "CS1525"),
    ("@(1) + 2", 6, "CS1003"),
    ("1 + 1", 1, "@"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "column", "construct"), REFUSED, ids=[text for text, _, _ in REFUSED])
def test_unsupported_code_is_rejected_with_its_position_and_name(
    text: str, column: int, construct: str
) -> None:
    with pytest.raises(CSharpError) as caught:
        compile_expression(text, name="policy.xml", line=7)
    assert (caught.value.line, caught.value.column, caught.value.construct) == (7, column, construct)
    assert str(caught.value).startswith(f"policy.xml:7:{column}: ")


def test_the_position_of_an_error_is_its_position_in_the_document() -> None:
    text = "@{\n    var a = 1;\n    return b;\n}"
    with pytest.raises(CSharpError) as caught:
        compile_expression(text, name="policy.xml", line=10, column=30)
    assert (caught.value.line, caught.value.column) == (12, 12)
    with pytest.raises(CSharpError) as caught:
        compile_expression("@(b)", name="policy.xml", line=10, column=30)
    assert (caught.value.line, caught.value.column) == (10, 32)


def test_the_error_of_a_reference_comparison_says_how_to_fix_it() -> None:
    with pytest.raises(CSharpError, match="cast"):
        compile_expression('@(context.Variables["s"] == "abc")', name="policy.xml")


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("(?(1)a|b)", "a group that begins with (?( in"),
        (r"\p{Zs}", r"\p{Zs} in"),
        (r"\PX", r"\P in"),
        (r"(a)\k<1>", r"\k<1> in"),
        ("(?-i)a", "(?-i) at the beginning of"),
        ("a(?i)b", "inline options that are not at the beginning of"),
    ],
)
def test_the_error_of_a_regular_expression_names_the_unsupported_construct(pattern: str, named: str) -> None:
    with pytest.raises(CSharpError) as caught:
        compile_expression(f'@(Regex.IsMatch("a", @"{pattern}"))', name="policy.xml")
    assert f"{named} a regular expression" in str(caught.value)


def test_code_that_is_nested_too_deeply_is_rejected() -> None:
    with pytest.raises(CSharpError, match="nested too deeply"):
        compile_expression("@(" + "(" * 3000 + "1" + ")" * 3000 + ")", name="policy.xml")


def test_a_long_chain_of_operators_does_not_count_as_nesting() -> None:
    text = " + ".join(['"a"'] * 300 + ['(string)context.Variables["x"]'] * 100)
    compile_expression(f"@({text})", name="policy.xml")
