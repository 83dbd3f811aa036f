"""A gateway below a path prefix: the Python SDK finds it from a URL, and a verification passes."""

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tests.e2e.conftest import RunningTwin, started_twin
from tests.e2e.sdk import connected
from tests.e2e.verification import ONE_SERVER, ids, signs_in, verify
from tests.existing import EXISTING, SUBSCRIPTION
from tests.stacks import FUNCTIONS_ONLY
from twin.azure.cloud import Cloud
from twin.state import StateFolder
from verify.stack import Options, find_target

PREFIX = "ai/mcp"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder whose seed determines the subscription of the twin."""
    return tmp_path_factory.mktemp("twin") / "state"


@pytest.fixture(scope="module")
def config(state: Path) -> dict[str, str]:
    """A stack whose API Management service exists in that subscription, in another resource group."""
    with StateFolder(state) as folder:
        subscription = Cloud(seed=folder.seed()).subscription.id
    return {
        **FUNCTIONS_ONLY,
        "sku": "StandardV2",
        "pathPrefix": PREFIX,
        **{
            setting: EXISTING[setting].replace(SUBSCRIPTION, subscription)
            for setting in ("existingApiManagement", "existingIdentity")
        },
    }


@pytest.fixture(scope="module")
def twin(state: Path, config: dict[str, str]) -> Iterator[RunningTwin]:
    with started_twin(state, config) as twin:
        yield twin


@pytest.mark.parametrize("path", ["/mcp", "/mcp/sse"])
def test_the_sdk_signs_in_from_the_url_of_a_server(twin: RunningTwin, path: str) -> None:
    async def tools() -> set[str]:
        async with connected(f"{twin.gateway}/{PREFIX}{path}", twin.person()) as client:
            await client.call_tool("hello_mcp", {})
            return {tool.name for tool in (await client.list_tools()).tools}

    assert "save_snippet" in anyio.run(tools)


def test_the_verification_passes(twin: RunningTwin, config: dict[str, str]) -> None:
    target = find_target(Options(url=twin.gateway, stack="dev", config=config))
    _, rows = verify(target, open_page=signs_in(twin))
    assert {row.check.id: row.outcome.details for row in rows if row.outcome.result == "failed"} == {}
    assert ids(rows, "skipped") == ONE_SERVER
