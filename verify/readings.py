"""The readings of Azure's undocumented behaviour that a run observed."""

from collections.abc import Sequence
from dataclasses import dataclass

from apim.readings import TABLE, Question
from verify.check import Row
from verify.session import Observation, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An open question about Azure, with the observed answer.

    Attributes:
        question: the question.
        meaning: the meaning of the observed option; empty without an observation.
        observation: the observation; None if there was none.
    """

    question: Question
    meaning: str
    observation: Observation | None


def readings(session: Session, rows: Sequence[Row]) -> tuple[Reading, ...]:
    """All questions of the table, in its order."""
    observed = {**session.observations, **_streamable_http_reading(rows)}
    return tuple(_reading(question, observed.get(question.id)) for question in TABLE)


def _reading(question: Question, observation: Observation | None) -> Reading:
    meaning = question.option(observation.option).meaning if observation else ""
    return Reading(question=question, meaning=meaning, observation=observation)


def _streamable_http_reading(rows: Sequence[Row]) -> dict[str, Observation]:
    """R15: whether the functions support streamable HTTP, if they support HTTP+SSE."""
    results = {row.check.id: row.outcome for row in rows}
    http, sse = results.get("tool:functions:http"), results.get("tool:functions:sse")
    if http is None or sse is None or sse.result != "ok":
        return {}
    if http.result == "ok":
        return {"R15": Observation("works", "a tool call over streamable HTTP was answered")}
    if http.result == "failed":
        return {"R15": Observation("fails", f"HTTP+SSE works; streamable HTTP returns {http.details}")}
    return {}
