"""A twin for the clients, and which of them run."""

from collections.abc import Iterator

import pytest

from tests.clients import page
from tests.clients.client import clients
from tests.e2e.conftest import RunningTwin, started_twin
from tests.stacks import FUNCTIONS_ONLY


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-clients", action="store_true", help="run every client, not only the fast ones")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--all-clients") and not hasattr(config, "workerinput"):
        page.clear()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "client" not in metafunc.fixturenames:
        return
    everything = metafunc.config.getoption("--all-clients")
    runs = [
        pytest.param(
            client,
            transport,
            id=f"{client.id}-{transport}",
            marks=pytest.mark.skipif(not client.runs_here, reason=f"{client.name} needs {client.machine}"),
        )
        for client in clients()
        if everything or client.fast
        for transport in client.transports
    ]
    metafunc.parametrize(("client", "transport"), runs)


@pytest.fixture(scope="module")
def twin_of_clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTwin]:
    with started_twin(tmp_path_factory.mktemp("twin") / "state", FUNCTIONS_ONLY) as twin:
        yield twin


@pytest.fixture
def twin(twin_of_clients: RunningTwin) -> RunningTwin:
    """The twin in its initial state, with the machine's time."""
    twin_of_clients.control.post("/reset").raise_for_status()
    return twin_of_clients
