"""Evaluated resources are registered without source positions."""

from typing import Any

import pytest

from tests.stacks import FUNCTIONS_ONLY
from twin.monitor import Monitor
from twin.stack import evaluate


def test_resources_are_registered_without_a_stack_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    frames: list[int] = []
    register = Monitor.RegisterResource

    def noted(self: Monitor, request: Any) -> Any:
        frames.append(len(request.stackTrace.frames))
        return register(self, request)

    monkeypatch.setattr(Monitor, "RegisterResource", noted)
    evaluate(FUNCTIONS_ONLY)
    assert len(frames) > 50
    assert set(frames) == {0}
