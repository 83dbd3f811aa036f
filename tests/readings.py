"""The readings under which tests run: `pytest --reading query=raw`; the option can be repeated.

They apply to gateways with the project's policies and to twins that tests start, so any test can run under
any reading. Tests that choose a reading themselves are not affected.
"""

import os

from apim.readings import Readings

_VARIABLE = "TEST_READINGS"


def choose(texts: list[str]) -> None:
    """Sets the readings for this process and the processes that it starts.

    Raises:
        ReadingError: a reading does not exist.
    """
    Readings.parse(texts)
    os.environ[_VARIABLE] = " ".join(texts)


def texts() -> list[str]:
    """The chosen readings, such as ["query=raw"]."""
    return os.environ.get(_VARIABLE, "").split()


def chosen() -> Readings:
    """The readings of this run, including defaults."""
    return Readings.parse(texts())
