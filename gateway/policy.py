"""Renders the policies that API Management runs from the templates under `policies/`.

Templates are Jinja with custom delimiters, `[[ value ]]`, `[% statement %]` and `[# comment #]`, because
`{{name}}` is API Management's syntax for a named value and must not be changed. C# is in files under
`policies/csharp/`, pages are in `policies/pages/`; templates include both.

Every template has the variables `organisation`, `issuer`, and `issuer_path`, which is empty or begins with a
slash. `{{gateway-url}}` is the gateway's origin: browsers send it as `Origin`, and every URL begins with it.
"""

import base64
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import cast

import jinja2

from gateway import characters, source_map
from gateway.indentation import indented
from gateway.source_map import SourceMarks, TemplateSourceMap, lines_of, unmarked

_FOLDER = Path(__file__).resolve().parent.parent / "policies"

# {= name =} is the text of a context variable, HTML-encoded; {? name ?} ... {/ name /} is shown when the
# context variable of that name is true; {* name *} are the items of a list, from an array of strings.
_PAGE_MARK = re.compile(r"\{(?P<kind>[=?/*]) (?P<name>[a-z-]+) (?P=kind)\}")
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


class RenderedPolicy(str):
    """The text of a policy document, with its source locations in templates."""

    __slots__ = ("source_map",)
    source_map: TemplateSourceMap

    def __new__(cls, text: str, source_map: TemplateSourceMap) -> "RenderedPolicy":
        """The text with its source map; a string derived from it, such as a slice, has none."""
        rendered = super().__new__(cls, text)
        rendered.source_map = source_map
        return rendered

    def __getnewargs__(self) -> tuple[str, TemplateSourceMap]:  # ty: ignore[incompatible-method-override] -- for copies
        return str(self), self.source_map


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """The organisation that runs the gateway, as its pages show it.

    Attributes:
        name: its name; empty for none.
        logo: a `data:` URI; empty for none.
    """

    name: str = ""
    logo: str = ""


def render(
    template: str, /, *, organisation: Organisation | None = None, prefix: str = "", **variables: object
) -> RenderedPolicy:
    """The text of one policy document.

    Args:
        template: path below `policies/`, such as `oauth/token.xml.j2`.
        organisation: the organisation that its pages name.
        prefix: the first segments of all URLs of the gateway, without slashes; empty for none.
        variables: the variables of the template; its first lines list them.

    Raises:
        jinja2.UndefinedError: a variable that the template needs is missing.
        jinja2.TemplateNotFound: the template does not exist.
    """
    loaded = _environment(organisation, prefix).get_template(template)
    return _document(_BLANK_LINES.sub("\n", loaded.render(**variables)))


@lru_cache(maxsize=512)
def _document(marked: str) -> RenderedPolicy:
    """The indented document of a rendered template. Most documents are the same in all stacks."""
    marked = "\n".join(indented(unmarked(marked), marked.split("\n")))
    return RenderedPolicy(unmarked(marked), TemplateSourceMap(marked))


def issuer_path(prefix: str) -> str:
    """The path of the issuer: `/` and the prefix, or an empty string."""
    return f"/{prefix}" if prefix else ""


def issuer(prefix: str) -> str:
    """The issuer, as policies write it: the named value with the gateway's origin, and the path prefix."""
    return f"{{{{gateway-url}}}}{issuer_path(prefix)}"


def templates() -> tuple[str, ...]:
    """All templates, as paths below `policies/`."""
    return tuple(sorted(_environment().list_templates()))


def written_lines(template: str) -> frozenset[int]:
    """The lines of a template with text outside blocks and comments, from which documents are rendered."""
    environment = _environment()
    return lines_of(environment, (_FOLDER / template).read_text(encoding="utf-8"), template)


def csharp_literal(text: str) -> str:
    """A C# string literal. JSON's escapes are all valid in C#."""
    return json.dumps(text)


def base64url(text: str) -> str:
    """Unpadded base64url of a string (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def page_expression(html: str) -> str:
    """A C# expression whose value is the page, with every variable HTML-encoded.

    A page cannot contain a variable that is not encoded.
    """
    parts: list[str] = []
    position = 0
    for mark in _PAGE_MARK.finditer(html):
        parts.append(csharp_literal(html[position : mark.start()]))
        name = mark["name"]
        if mark["kind"] == "=":
            parts.append(f'System.Net.WebUtility.HtmlEncode((string)context.Variables["{name}"])')
        elif mark["kind"] == "?":
            parts.append(f'((bool)context.Variables["{name}"] ? ""')
        elif mark["kind"] == "*":
            item = '"<li>" + System.Net.WebUtility.HtmlEncode(item) + "</li>"'
            parts.append(f'string.Concat(((string[])context.Variables["{name}"]).Select(item => {item}))')
        else:
            parts.append('"" : "")')
        position = mark.end()
    parts.append(csharp_literal(html[position:]))
    return " + ".join(parts)


def style_hash(html: str) -> str:
    """The CSP source expression for a page's one style element (CSP level 3, section 2.3.1)."""
    (style,) = _STYLE.findall(html)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _without_marks(change: Callable[[str], str]) -> Callable[[str], str]:
    """A filter that removes the source marks and then applies `change`; its result has no marks."""

    def filtered(text: str) -> str:
        return change(unmarked(text))

    return filtered


def _bytecode_cache() -> jinja2.BytecodeCache | None:
    """Stores compiled templates below `__pycache__`, like Python's compiled modules, unless that is disabled.

    A compiled template depends on its text, which Jinja compares, and on the modules in `sources`, because
    Jinja applies filters to constants at compile time.
    """
    if sys.dont_write_bytecode:
        return None
    sources = (Path(__file__), Path(source_map.__file__), Path(characters.__file__))
    version = hashlib.blake2b(b"".join(file.read_bytes() for file in sources), digest_size=8).hexdigest()
    folder = Path(__file__).with_name("__pycache__") / f"templates-{jinja2.__version__}-{version}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return jinja2.FileSystemBytecodeCache(str(folder)) if os.access(folder, os.W_OK) else None


@lru_cache(maxsize=8)
def _environment(organisation: Organisation | None = None, prefix: str = "") -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 -- policies are not HTML; pages encode in page_expression
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        extensions=[SourceMarks],
        bytecode_cache=_bytecode_cache(),
    )
    # An imported template can only use the environment's globals, not the importer's variables.
    cast("dict[str, object]", environment.globals).update(
        organisation=organisation or Organisation(),
        issuer_path=issuer_path(prefix),
        issuer=issuer(prefix),
    )
    environment.filters.update(
        characters=characters.pattern,
        csharp=_without_marks(csharp_literal),
        base64url=_without_marks(base64url),
        page=_without_marks(page_expression),
        style_hash=_without_marks(style_hash),
    )
    return environment
