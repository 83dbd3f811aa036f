"""Messages that a running twin prints on the console."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """One message.

    Attributes:
        text: one or more sentences.
        warning: whether it is a warning.
    """

    text: str
    warning: bool = False


Notify = Callable[[Notice], object]
"""Handles a notice."""
