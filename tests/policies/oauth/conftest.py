"""Fixtures of the tests of sign-ins."""

from types import SimpleNamespace

import pytest

from apim.policies import retry


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the pause of the policy retry; `asyncio.sleep` is not changed elsewhere."""

    async def no_sleep(_seconds: float) -> None:
        return

    monkeypatch.setattr(retry, "asyncio", SimpleNamespace(sleep=no_sleep))
