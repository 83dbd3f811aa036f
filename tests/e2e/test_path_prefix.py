"""A gateway below a path prefix: the Python SDK finds it from a URL, and a verification passes."""

from collections.abc import Iterator

import anyio
import pytest

from gateway.verify.stack import Options, find_target
from tests.children import free_port_block
from tests.e2e.conftest import RunningTwin
from tests.e2e.sdk import connected
from tests.e2e.verification import ONE_SERVER, ids, signs_in, verify
from tests.existing import EXISTING
from tests.stacks import FUNCTIONS_ONLY

PREFIX = "ai/mcp"
CONFIG = {
    **FUNCTIONS_ONLY,
    "sku": "StandardV2",
    "pathPrefix": PREFIX,
    **{setting: EXISTING[setting] for setting in ("existingApiManagement", "existingIdentity")},
}


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTwin]:
    twin = RunningTwin(free_port_block(), tmp_path_factory.mktemp("twin") / "state", CONFIG)
    try:
        twin.wait_until_ready()
        yield twin
    finally:
        twin.stop()


@pytest.mark.parametrize("entrance", ["/mcp", "/mcp/sse"])
def test_the_sdk_signs_in_from_the_url_of_a_server(twin: RunningTwin, entrance: str) -> None:
    async def tools() -> set[str]:
        async with connected(f"{twin.gateway}/{PREFIX}{entrance}", twin.person()) as client:
            await client.call_tool("hello_mcp", {})
            return {tool.name for tool in (await client.list_tools()).tools}

    assert "save_snippet" in anyio.run(tools)


def test_the_verification_passes(twin: RunningTwin) -> None:
    target = find_target(Options(url=twin.gateway, stack="dev", config=CONFIG))
    _, rows = verify(target, open_page=signs_in(twin), sections=lambda section: section != "Azure")
    assert {row.check.id: row.outcome.details for row in rows if row.outcome.result == "failed"} == {}
    assert ids(rows, "skipped") == ONE_SERVER
