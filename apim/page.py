"""The generated parts of docs/policy-support.md."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "policy-support.md"


def part(name: str, page: Path = PAGE) -> str:
    """The content of a generated part of the page.

    Raises:
        ValueError: the page has no part with this name.
    """
    return _match(name, page)[2]


def replace_part(name: str, content: str, page: Path = PAGE) -> None:
    """Replaces the content of a generated part of the page.

    Raises:
        ValueError: the page has no part with this name.
    """
    match = _match(name, page)
    text = match.string
    page.write_text(f"{text[: match.start(2)]}{content}{text[match.end(2) :]}", encoding="utf-8")


def _match(name: str, page: Path) -> re.Match[str]:
    pattern = rf"(<!-- {name}: begin -->\n)(.*)(?=\n<!-- {name}: end -->)"
    match = re.search(pattern, page.read_text(encoding="utf-8"), re.DOTALL)
    if match is None:
        message = f"{page} needs the lines `<!-- {name}: begin -->` and `<!-- {name}: end -->`"
        raise ValueError(message)
    return match
