"""The questions of `table.toml`."""

import tomllib
from pathlib import Path
from typing import Any, Final

from apim.readings.question import Option, Question, Source

_FILE: Final = Path(__file__).with_suffix(".toml")
_REQUIRED: Final = ("id", "name", "text", "options", "strict", "evidence", "check", "remedy")


def parse_question(entry: dict[str, Any]) -> Question:
    """Creates a question from an entry of `table.toml`.

    Raises:
        ValueError: a key is missing.
    """
    if missing := [key for key in _REQUIRED if key not in entry]:
        name = entry.get("id", "a question")
        raise ValueError(f"{name} in apim/readings/{_FILE.name} has no {', '.join(missing)}")
    return Question(
        id=entry["id"],
        name=entry["name"],
        text=_one_line(entry["text"]),
        options=tuple(Option(name, _one_line(meaning)) for name, meaning in entry["options"].items()),
        strict=entry["strict"],
        evidence=_one_line(entry["evidence"]),
        sources=tuple(Source(title, url) for title, url in entry.get("sources", {}).items()),
        check=_one_line(entry["check"]),
        remedy=_one_line(entry["remedy"]),
        services=entry.get("services", False),
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


TABLE: Final = tuple(parse_question(entry) for entry in tomllib.loads(_FILE.read_text("utf-8"))["question"])
"""All questions, in the order of their numbers."""

_BY_NAME: Final = {key: entry for entry in TABLE for key in (entry.name, entry.id)}


def question(name: str) -> Question:
    """The question with this name or id.

    Raises:
        LookupError: there is no such question.
    """
    if name not in _BY_NAME:
        raise LookupError(f"There is no reading {name!r}.")
    return _BY_NAME[name]
