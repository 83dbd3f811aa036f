"""A check, and its outcome."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal

from verify.session import Session

_MAX_PROBLEMS = 4

Result = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a check.

    Attributes:
        result: `skipped` means that the check could not run.
        details: the observation; never a secret.
        remedy: the fix, as a sentence or a command; empty if none is needed.
    """

    result: Result
    details: str
    remedy: str = ""


class FailedError(Exception):
    """The check failed.

    Args:
        details: the observation; never a secret.
        remedy: the command or edit that fixes it; if empty, `Check.remedy` is shown.
    """

    def __init__(self, details: str, remedy: str = "") -> None:
        super().__init__(details)
        self.details = details
        self.remedy = remedy


class SkippedError(Exception):
    """The check cannot run.

    Args:
        details: the reason.
        remedy: the action that makes the check possible.
    """

    def __init__(self, details: str, remedy: str = "") -> None:
        super().__init__(details)
        self.details = details
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One row of the report.

    Attributes:
        id: id in the JSON report, such as `cors` or `sign-in:slack`.
        section: the heading in the report.
        title: the checked property, as a statement that is true or false.
        run: runs the check; returns the details of a success.
        remedy: the fix if the check fails, unless `FailedError` has a more precise remedy.
        needs: ids of the checks that must succeed before this check can run.
        after: ids of additional checks that must end before this check, with any result.
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
    """Returns `details` if there are no problems.

    Raises:
        FailedError: there are problems; the error lists the first four.
    """
    if problems:
        more = [f"and {len(problems) - _MAX_PROBLEMS} more"] if len(problems) > _MAX_PROBLEMS else []
        raise FailedError("; ".join([*problems[:_MAX_PROBLEMS], *more]), remedy)
    return details
