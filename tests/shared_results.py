"""Results that the processes of one test run compute once and share."""

import os
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

_FOLDER = "SHARED_TEST_RESULTS"


def configure(config: pytest.Config) -> None:
    """Creates the folder for results, which is deleted when the run ends."""
    if not hasattr(config, "workerinput"):
        folder = TemporaryDirectory(prefix="shared-test-results-")
        config.add_cleanup(folder.cleanup)
        os.environ[_FOLDER] = folder.name


def shared(name: str, compute: Callable[[], Any]) -> Any:
    """A result, from this process or another one of the run.

    Args:
        name: name of the result, and of its file.
        compute: computes the result, which must be picklable.
    """
    folder = os.environ.get(_FOLDER)
    if folder is None:
        return compute()
    file = Path(folder) / name
    with suppress(FileNotFoundError):
        return pickle.loads(file.read_bytes())
    result = compute()
    written = file.with_name(f"{name}.{os.getpid()}")
    written.write_bytes(pickle.dumps(result))
    written.replace(file)
    return result
