"""The result of one check of a conformance suite."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """The result of one check of a suite.

    Attributes:
        scenario: the suite's name of the group to which the check belongs.
        id: the suite's name of the check; unique in its scenario or repeated by it.
        result: passed, failed, warning, skipped or info.
        message: the suite's message.
    """

    scenario: str
    id: str
    result: str
    message: str
