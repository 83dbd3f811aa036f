"""Resources are registered without a stack trace, which would take a third of the time of an evaluation."""

from typing import Any

import pytest

from tests.stacks import FUNCTIONS_ONLY
from twin.monitor import Monitor
from twin.stack import evaluate


def test_resources_are_registered_without_a_stack_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    frame_counts: list[int] = []
    register = Monitor.RegisterResource

    def record(self: Monitor, request: Any) -> Any:
        frame_counts.append(len(request.stackTrace.frames))
        return register(self, request)

    monkeypatch.setattr(Monitor, "RegisterResource", record)
    evaluate(FUNCTIONS_ONLY)
    assert len(frame_counts) > 50
    assert set(frame_counts) == {0}
