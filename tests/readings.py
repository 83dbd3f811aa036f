"""The readings under which tests run: `pytest --reading query=raw`, several times for several.

They hold for the gateways with the project's policies and for the twins that tests start, so any test can be
run under any reading. Tests that choose a reading themselves are not affected.
"""

import os

from apim.readings import Readings

_VARIABLE = "TEST_READINGS"


def choose(texts: list[str]) -> None:
    """Sets them, for this process and those that it starts.

    Raises:
        ReadingError: one does not exist.
    """
    Readings.parse(texts)
    os.environ[_VARIABLE] = " ".join(texts)


def texts() -> list[str]:
    """Such as ["query=raw"]."""
    return os.environ.get(_VARIABLE, "").split()


def chosen() -> Readings:
    """All of them."""
    return Readings.parse(texts())
