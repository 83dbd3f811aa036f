"""What all tests of the policies in this process share."""

from types import SimpleNamespace

import pytest

from apim.policies import retry


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repetitions follow each other without a pause, in policies only: other threads of this process wait."""

    async def passed(_seconds: float) -> None:
        return

    monkeypatch.setattr(retry, "asyncio", SimpleNamespace(sleep=passed))
