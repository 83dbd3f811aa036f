"""A check and its possible outcomes."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal

from verify.session import Session

_LISTED = 4

Result = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a check.

    Attributes:
        result: skipped means that it could not run.
        details: what was observed; never a secret.
        remedy: the fix, as a sentence or a command; empty when none is needed.
    """

    result: Result
    details: str
    remedy: str = ""


class FailedError(Exception):
    """The check failed.

    Args:
        details: what was observed; never a secret.
        remedy: the command or edit that fixes it; the check's own remedy if it is empty.
    """

    def __init__(self, details: str, remedy: str = "") -> None:
        super().__init__(details)
        self.details = details
        self.remedy = remedy


class SkippedError(Exception):
    """The check cannot run.

    Args:
        details: what is missing.
        remedy: how to make it run.
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
        title: what is checked, as a statement that is true or false.
        run: runs it; returns the details of a success.
        remedy: the fix when it failed, unless `FailedError` has a more precise one.
        needs: ids of the checks that must succeed before this one can run.
        after: ids of further checks that must end before this one, with any result.
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
    """The details of a success, if there are no problems.

    Raises:
        FailedError: there are problems; it lists the first of them.
    """
    if problems:
        more = [f"and {len(problems) - _LISTED} more"] if len(problems) > _LISTED else []
        raise FailedError("; ".join([*problems[:_LISTED], *more]), remedy)
    return details
