"""A rendered policy is indented by its elements, independently of the indentation in its templates."""

from gateway import policy
from gateway.indentation import indented

WRITTEN = """<policies>
<inbound>
            <base />
  <choose>
 <when condition="@(1 < 2)">
        <set-variable name="a" value="@{
int one = 1;
    return "<b>" + one;
}" />
<set-body>@(new JObject
{
    ["a"] = 1
}.ToString())</set-body>
    <value>
    text
    </value>
 </when>
  </choose>
            </inbound>
</policies>
"""
INDENTED = """<policies>
    <inbound>
        <base />
        <choose>
            <when condition="@(1 < 2)">
                <set-variable name="a" value="@{
                    int one = 1;
                        return "<b>" + one;
                }" />
                <set-body>@(new JObject
                    {
                        ["a"] = 1
                    }.ToString())</set-body>
                <value>
    text
                </value>
            </when>
        </choose>
    </inbound>
</policies>
"""


def test_elements_and_expressions_are_indented_but_texts_are_not() -> None:
    assert "\n".join(indented(WRITTEN, WRITTEN.split("\n"))) == INDENTED


def test_an_indented_document_is_not_changed() -> None:
    assert "\n".join(indented(INDENTED, INDENTED.split("\n"))) == INDENTED


def test_an_invalid_document_is_not_changed() -> None:
    broken = "<policies>\n  <inbound>\n</policies>"
    assert indented(broken, broken.split("\n")) == broken.split("\n")


def test_an_indented_line_is_located_at_its_line_and_column_in_the_template() -> None:
    text = policy.render("oauth/preflight.xml.j2")
    lines = text.split("\n")
    number = next(number for number, line in enumerate(lines, 1) if "<set-status" in line)
    assert lines[number - 1].startswith("            <set-status")
    written = text.source_map.find(number, 13)
    assert written is not None
    assert (written.file, written.column) == ("policies/oauth/preflight.xml.j2", 5)
