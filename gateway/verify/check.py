"""A check, and how it can end."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal

from gateway.verify.session import Session

_LISTED = 4

Result = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a check ended.

    Attributes:
        result: skipped means that it could not be tried.
        details: what was seen; never a secret.
        remedy: what to do, as a sentence or a command; empty when nothing is to be done.
    """

    result: Result
    details: str
    remedy: str = ""


class FailedError(Exception):
    """What was checked does not hold.

    Args:
        details: what was seen; never a secret.
        remedy: the command or edit that fixes it; the check's own remedy if it is empty.
    """

    def __init__(self, details: str, remedy: str = "") -> None:
        super().__init__(details)
        self.details = details
        self.remedy = remedy


class SkippedError(Exception):
    """The check cannot be tried.

    Args:
        details: what is missing.
        remedy: how to make it possible.
    """

    def __init__(self, details: str, remedy: str = "") -> None:
        super().__init__(details)
        self.details = details
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One row of the report.

    Attributes:
        id: its name in the JSON report, such as `cors` or `sign-in:slack`.
        section: the heading under which it is listed.
        title: what is checked, as a statement that holds or not.
        run: tries it; gives the details of a success.
        remedy: what to do when it failed, where `FailedError` says nothing more precise.
        needs: ids of the checks without whose success this one cannot be tried.
        after: ids of further checks that have to end before, whatever their result.
    """

    id: str
    section: str
    title: str
    run: Callable[[Session], Coroutine[Any, Any, str]]
    remedy: str = ""
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A check with its outcome."""

    check: Check
    outcome: Outcome


def require(problems: list[str], details: str, remedy: str = "") -> str:
    """The details of a success, when there are no problems.

    Raises:
        FailedError: there are; it lists the first of them.
    """
    if problems:
        more = [f"and {len(problems) - _LISTED} more"] if len(problems) > _LISTED else []
        raise FailedError("; ".join([*problems[:_LISTED], *more]), remedy)
    return details
