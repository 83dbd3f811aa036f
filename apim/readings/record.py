"""The chosen readings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Self

from apim.readings.question import Option
from apim.readings.table import TABLE, question


class ReadingError(ValueError):
    """A reading that does not exist; the message lists the existing ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """The assumed answer to each question of `TABLE`, which explains the options."""

    query: Literal["raw", "decoded"] = "raw"
    system_net: Literal["not-imported", "imported"] = "not-imported"
    hop_by_hop: Literal["visible", "removed"] = "visible"
    duration_limit: Literal["none", "30s"] = "none"
    claims_exp: Literal["absent", "present"] = "absent"
    cache_remove: Literal["error", "no-op"] = "error"
    null_variable: Literal["error", "stored"] = "error"
    failed_send_request: Literal["unset", "null"] = "unset"
    cors_return_response: Literal["not-added", "added"] = "not-added"
    preflight: Literal["not-found", "answered"] = "not-found"
    named_value_order: Literal["together", "values-first", "policies-first"] = "together"
    client_address: Literal["client", "proxy"] = "client"
    container_authorization: Literal["passed", "removed"] = "passed"
    functions_modern_protocol: Literal["ignored", "refused", "supported"] = "ignored"
    functions_streamable_http: Literal["works", "fails"] = "works"
    unit_clocks: Literal["equal", "apart"] = "equal"
    limit_concurrency: Literal["until-head", "until-end"] = "until-head"
    failed_managed_identity: Literal["null", "unset"] = "null"

    @classmethod
    def default(cls) -> Self:
        """The most likely answers, or the most demanding ones where none is more likely."""
        return cls()

    @classmethod
    def strict(cls) -> Self:
        """The answer to each question that is the most demanding for the policies."""
        return cls().choose({entry.name: entry.strict for entry in TABLE})

    @classmethod
    def lenient(cls) -> Self:
        """For each question, the first answer that is not the strict one."""
        return cls().choose(
            {
                entry.name: next(option.name for option in entry.options if option.name != entry.strict)
                for entry in TABLE
            }
        )

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """The default readings with changes such as "query=raw" or "R1=raw".

        Raises:
            ReadingError: a string is malformed, or its question or option does not exist.
        """
        chosen: dict[str, str] = {}
        for text in texts:
            name, equals, option = (part.strip() for part in text.partition("="))
            if not equals:
                raise ReadingError(
                    f"{text!r} is not a reading. Write NAME=OPTION, such as query=raw. {_listed()}"
                )
            chosen[name] = option
        return cls().choose(chosen)

    def choose(self, options: Mapping[str, str]) -> Self:
        """These readings with other options for some questions, by a question's name or id.

        Raises:
            ReadingError: a question or an option does not exist.
        """
        changes: dict[str, str] = {}
        for name, option in options.items():
            try:
                entry = question(name)
            except LookupError:
                raise ReadingError(f"There is no reading {name!r}. {_listed()}") from None
            if option not in {known.name for known in entry.options}:
                raise ReadingError(f"{entry.name} is one of {entry.choices}, not {option!r}.")
            if changes.setdefault(entry.field, option) != option:
                raise ReadingError(f"{entry.name} is given twice: {changes[entry.field]} and {option}.")
        return replace(self, **changes)

    def chosen(self, name: str) -> Option:
        """The chosen option of a question, by the question's name or id.

        Raises:
            LookupError: there is no such question.
        """
        entry = question(name)
        return entry.option(getattr(self, entry.field))

    def as_dict(self) -> dict[str, str]:
        """The option of every question by the question's name, in the order of the table."""
        return {entry.name: getattr(self, entry.field) for entry in TABLE}

    def changed(self) -> dict[str, str]:
        """The options that are not the default."""
        return {
            entry.name: option
            for entry in TABLE
            if (option := getattr(self, entry.field)) != entry.default.name
        }


def _listed() -> str:
    return (
        "Readings: "
        + "; ".join(f"{entry.name}={'|'.join(option.name for option in entry.options)}" for entry in TABLE)
        + "."
    )
