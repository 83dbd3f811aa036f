"""The table of readings (docs/readings.md), and how options are chosen."""

from dataclasses import fields
from typing import get_args, get_type_hints

import pytest

from apim.readings import TABLE, ReadingError, Readings, question
from apim.readings.table import parse_question


def test_the_class_readings_has_the_questions_options_and_defaults_of_the_table() -> None:
    hints = get_type_hints(Readings)
    assert [field.name for field in fields(Readings)] == [question.field for question in TABLE], (
        "the fields of Readings in apim/readings/record.py are not the questions of table.toml, in its order"
    )
    for field, entry in zip(fields(Readings), TABLE, strict=True):
        assert set(get_args(hints[field.name])) == {option.name for option in entry.options}
        assert field.default == entry.default.name


def test_a_question_with_a_missing_key_is_reported_with_its_file() -> None:
    with pytest.raises(ValueError, match=r"^R99 in apim/readings/table\.toml has no text, .*, remedy$"):
        parse_question({"id": "R99", "name": "new"})


def test_questions_are_numbered_without_gaps() -> None:
    assert [question.id for question in TABLE] == [f"R{number}" for number in range(1, len(TABLE) + 1)]
    assert len({question.name for question in TABLE}) == len(TABLE)


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry.name)
def test_a_question_has_at_least_two_options_and_evidence_for_them(entry) -> None:
    assert len({option.name for option in entry.options}) == len(entry.options) >= 2
    assert entry.strict in {option.name for option in entry.options}
    assert entry.text.endswith("?")
    assert entry.evidence
    assert entry.check
    assert entry.remedy
    assert all(source.url.startswith("https://") for source in entry.sources)
    assert all(option.meaning.endswith(".") for option in entry.options)


def test_a_reading_is_chosen_by_name_or_by_id() -> None:
    assert Readings.parse(["query=decoded"]).query == "decoded"
    assert Readings.parse(["R16=apart", "duration-limit = 30s"]).changed() == {
        "duration-limit": "30s",
        "unit-clocks": "apart",
    }
    assert Readings.parse([]) == Readings.default()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("query", "Write NAME=OPTION, such as query=raw. Readings: query="),
        ("colour=red", "There is no reading 'colour'. Readings: query="),
        ("colour=red", "; duration-limit=none|30s; "),
        ("unit-clocks=late", "unit-clocks is one of equal, apart, not 'late'."),
    ],
)
def test_an_unknown_reading_is_rejected_with_the_list_of_readings(text: str, message: str) -> None:
    with pytest.raises(ReadingError) as refused:
        Readings.parse([text])
    assert message in str(refused.value)


def test_a_question_cannot_have_two_answers() -> None:
    with pytest.raises(ReadingError, match="query is given twice: raw and decoded"):
        Readings.parse(["query=raw", "R1=decoded"])


def test_a_chosen_option_has_an_explanation() -> None:
    assert Readings.parse(["R4=30s"]).chosen("duration-limit").meaning.startswith("A request, its streamed")
    assert question("R4") is question("duration-limit")
    with pytest.raises(LookupError):
        question("R99")


def test_strict_and_lenient_readings_differ_for_every_question() -> None:
    strict, lenient = Readings.strict().as_dict(), Readings.lenient().as_dict()
    assert all(strict[name] != lenient[name] for name in strict)
    assert list(strict) == [question.name for question in TABLE]
