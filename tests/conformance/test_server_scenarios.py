"""The server scenarios of the official suite, directly and through the gateway: no difference.

https://github.com/modelcontextprotocol/conformance
"""

from pathlib import Path

import pytest

from tests.conformance import official
from tests.conformance.report import differences, not_passed, reasons, record


@pytest.mark.timeout(600)
@pytest.mark.parametrize("protocol", official.SERVER_VERSIONS)
def test_the_suite_finds_no_difference_between_the_server_and_the_gateway(
    direct: str, through_the_gateway: str, tmp_path: Path, protocol: str
) -> None:
    at_server = official.run_server_scenarios(direct, protocol, tmp_path / "direct")
    at_gateway = official.run_server_scenarios(through_the_gateway, protocol, tmp_path / "gateway")
    record(f"server-{protocol}-direct", at_server)
    record(f"server-{protocol}-gateway", at_gateway)
    assert differences(at_server, at_gateway) == []
    assert not_passed(at_gateway) <= set(reasons("server"))
