"""Fixtures of the tests with Pulumi's real engine: stacks to deploy, each in its own Azure account."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.engine.deployment import Deployment, deployment
from tests.engine.stacks import StackSettings

Deploy = Callable[[StackSettings], Deployment]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The longest file runs first, so that the other worker does not wait for it at the end.
    items.sort(key=lambda item: item.path.name != "test_settings.py")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(1200))


@pytest.fixture(scope="module")
def new_stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[Deploy]:
    """Creates a configured stack that is not deployed yet."""
    with ExitStack() as stacks:

        def make(settings: StackSettings) -> Deployment:
            created = stacks.enter_context(deployment(tmp_path_factory.mktemp("stack")))
            created.configure(settings.values, settings.secrets)
            return created

        yield make
