"""Errors and warnings about policy documents."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One error or warning.

    Attributes:
        document: the name of the policy document.
        line: from 1.
        column: from 1.
        code: the name of the rule that found it.
    """

    document: str
    line: int
    column: int
    message: str
    code: str = "invalid-policy"

    def __str__(self) -> str:
        return f"{self.document}:{self.line}:{self.column}: {self.message}"


class PolicyError(Exception):
    """Policies that API Management would reject, or that this gateway does not support."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))
