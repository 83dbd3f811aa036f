"""A problem of a stack's configuration, with the command that fixes it."""

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem of the configuration.

    Attributes:
        key: the configuration key.
        wrong: the problem, without the value of a secret.
        why: the reason, or the valid values.
        remedy: the command that fixes it.
    """

    key: str
    wrong: str
    why: str
    remedy: str


class SettingsError(pulumi.RunError):
    """The configuration has problems. Pulumi shows only the message, without a stack trace."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        noun = "problem" if len(problems) == 1 else "problems"
        parts = [
            f"  {problem.key}: {problem.wrong}\n    {problem.why}\n    > {problem.remedy}"
            for problem in problems
        ]
        super().__init__(
            f"The stack's configuration has {len(problems)} {noun}; nothing was deployed.\n\n"
            + "\n\n".join(parts)
        )
