"""How policy documents are read: they are not XML, and every error has a place."""

import pytest

from apim.findings import PolicyError
from apim.rawxml import parse
from tests.policies.engine.harness import harness, policies, service


def findings(operation: str, **parts: object) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        harness(operation, **parts)
    return [str(finding) for finding in caught.value.findings]


def test_csharp_stands_in_attributes_as_it_is() -> None:
    root = parse('<a b="@(x["k"] < 3 && y == "a>b")" c=\'d\' />', "test")
    assert root.attributes["b"].text == '@(x["k"] < 3 && y == "a>b")'
    assert root.attributes["b"].expression
    assert root.attributes["c"].text == "d"


def test_csharp_stands_between_tags_as_it_is() -> None:
    root = parse('<a>\n  @{ var t = "</a>"; return t; }\n</a>', "test")
    assert root.text is not None
    assert root.text.text == '@{ var t = "</a>"; return t; }'
    assert (root.text.line, root.text.column) == (2, 3)


def test_csharp_with_entities_is_decoded_with_a_warning() -> None:
    made = harness(
        policies(
            '<set-header name="X"><value>@(&quot;a)&quot; + (1 &lt; 2 ? "b" : "c"))</value></set-header>'
        )
    )
    assert [warning.line for warning in made.gateway.warnings] == [1]
    made.ask()
    assert made.wire.sent[0].header("X") == "a)b"


def test_entities_within_a_csharp_string_are_left_alone() -> None:
    made = harness(policies('<return-response><set-body>@("a &amp; b")</set-body></return-response>'))
    assert made.ask().body == b"a &amp; b"
    assert not made.gateway.warnings


def test_entities_in_literals_are_resolved() -> None:
    made = harness(policies("<return-response><set-body>&lt;b&gt; &amp; &#65;</set-body></return-response>"))
    assert made.ask().body == b"<b> & A"


def test_character_data_is_taken_as_it_is() -> None:
    made = harness(
        policies("<return-response><set-body><![CDATA[<p>&amp;</p>]]></set-body></return-response>")
    )
    assert made.ask().body == b"<p>&amp;</p>"


def test_an_expression_may_stand_in_character_data() -> None:
    made = harness(
        policies('<return-response><set-body><![CDATA[@("<" + "p>")]]></set-body></return-response>')
    )
    assert made.ask().body == b"<p>"


def test_comments_are_no_policies() -> None:
    made = harness(
        policies(
            "<!-- <return-response /> @( --><set-header name='A'><!-- x --><value>1</value></set-header>"
        )
    )
    assert made.ask().status == 200
    assert made.wire.sent[0].header("A") == "1"


@pytest.mark.parametrize(
    ("xml", "place", "words"),
    [
        ("<policies>\n  <inbound>\n</policies>", "3:1", "does not match <inbound> in line 2"),
        ("<policies>", "1:1", "is not closed"),
        ('<policies><inbound a="1" a="2" /></policies>', "1:26", "occurs twice"),
        ('<policies a="&nbsp;" />', "1:14", "write &amp;"),
        ('<policies a="<" />', "1:14", "write &lt;"),
        ("<policies /><policies />", "1:13", "after the end"),
        ("<policies><!-- ", "1:15", "comment is not closed"),
        ('<policies a="@(x) y" />', "1:19", "one whole expression"),
        ("<policies>Bearer @(x)</policies>", "1:18", "mixes text and an expression"),
        ("<policies>@(x) text</policies>", "1:15", "mixes text and an expression"),
        ('<policies a="@(x" />', "1:14", "is not closed"),
        ("<policies a=1 />", "1:13", "in quotes"),
    ],
)
def test_what_cannot_be_read_is_reported_with_its_place(xml: str, place: str, words: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(xml, "doc")
    (finding,) = caught.value.findings
    assert str(finding).startswith(f"doc:{place}: ")
    assert words in finding.message


def test_named_values_are_put_into_literals_and_csharp() -> None:
    made = harness(
        policies('<set-header name="A"><value>{{one}}</value><value>@("{{two}}" + "!")</value></set-header>'),
        values={"one": "1&2", "two": "zwei"},
    )
    made.ask()
    assert made.wire.sent[0].header("A") == "1&2,zwei!"


def test_a_named_value_may_be_a_whole_expression() -> None:
    made = harness(
        policies('<set-header name="A"><value>{{e}}</value></set-header>'), values={"e": '@("x" + "y")'}
    )
    made.ask()
    assert made.wire.sent[0].header("A") == "xy"


def test_an_undeclared_named_value_is_refused_where_it_stands() -> None:
    (finding,) = findings(
        '<policies>\n<inbound><set-variable name="a" value="b{{nix}}" /></inbound></policies>'
    )
    assert finding == "operation:2:41: the named value nix is not declared"


def test_an_error_in_csharp_has_its_place_although_named_values_were_put_in() -> None:
    text = (
        "<policies><inbound>\n"
        '<set-variable name="a" value="@("{{long}}" + System.IO.File.ReadAllText("x"))" />\n'
        "</inbound></policies>"
    )
    (finding,) = findings(text, values={"long": "v" * 50})
    document, line, column, _ = finding.split(":", 3)
    assert (document, line) == ("operation", "2")
    assert 43 <= int(column) <= 75


def test_which_named_values_are_used_is_known() -> None:
    made = harness(policies('<set-variable name="a" value="{{one}}" />'), values={"one": "1", "two": "2"})
    assert made.gateway.used_values == {"one"}


def test_a_document_may_not_be_larger_than_azure_allows() -> None:
    huge = policies(f"<!-- {'x' * 256 * 1024} -->")
    assert "API Management accepts at most 262,144" in findings(huge)[0]
    assert "accepts at most 16,384" in findings(policies(f"<!-- {'x' * 17_000} -->"), sku="Consumption")[0]


def test_all_that_is_wrong_is_reported_at_once() -> None:
    found = findings(
        policies('<nonsense /><set-header nme="a" /><choose><when condition="maybe" /></choose>')
    )
    assert len(found) == 4


def test_service_records_can_be_made_without_policies() -> None:
    assert harness().ask().body == b"from the backend"
    assert service().policy is None
