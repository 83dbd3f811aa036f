"""Fixtures of all tests of the policies in this process."""

from types import SimpleNamespace

import pytest

from apim.policies import retry


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Policies retry without a pause; other threads of this process still wait."""

    async def passed(_seconds: float) -> None:
        return

    monkeypatch.setattr(retry, "asyncio", SimpleNamespace(sleep=passed))
