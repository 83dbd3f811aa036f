"""The server scenarios of the official suite have the same results directly and through the gateway.

https://github.com/modelcontextprotocol/conformance
"""

from pathlib import Path

import pytest

from tests.conformance import official
from tests.conformance.check import Check
from tests.conformance.report import differences, not_passed, reasons, record


def repeat_scenario(scenario: str, url: str, protocol: str, checks: list[Check], folder: Path) -> list[Check]:
    """Runs one scenario alone, and returns the checks with the new results of this scenario.

    The scenarios have limits of 2, 5 and 10 seconds for single messages, which no option changes. A busy
    machine exceeds them, so a difference counts only if a second run also has it.
    """
    again = official.run_server_scenarios(url, protocol, folder / scenario, only=scenario)
    return [check for check in checks if check.scenario != scenario] + again


@pytest.mark.timeout(600)
@pytest.mark.parametrize("protocol", official.SERVER_VERSIONS)
def test_the_suite_has_the_same_result_for_the_server_and_the_gateway(
    direct: str, through_the_gateway: str, tmp_path: Path, protocol: str
) -> None:
    at_server = official.run_server_scenarios(direct, protocol, tmp_path / "direct")
    at_gateway = official.run_server_scenarios(through_the_gateway, protocol, tmp_path / "gateway")
    for scenario in {name.partition(":")[0] for name, _ in differences(at_server, at_gateway)}:
        at_server = repeat_scenario(scenario, direct, protocol, at_server, tmp_path / "direct again")
        at_gateway = repeat_scenario(
            scenario, through_the_gateway, protocol, at_gateway, tmp_path / "gateway again"
        )
    record(f"server-{protocol}-direct", at_server)
    record(f"server-{protocol}-gateway", at_gateway)
    assert differences(at_server, at_gateway) == []
    assert not_passed(at_gateway) <= set(reasons("server"))
