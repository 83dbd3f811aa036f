"""The twin of the dev stack, with the benchmark's backend instead of the Functions host.

`python -m benchmarks.twin_gateway --port PORT --backend PORT --state FOLDER`. Everything else is as in
`python -m twin up`: the declared policies, Entra and Cosmos DB run in one process.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from apim.http.network import Upstream
from twin import plan
from twin.plan import Options, Plan
from twin.session import run_foreground
from twin.state import StateFolder

CALLS_PER_MINUTE = 100_000
"""The maximum of the setting, because the benchmark is a single user."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--backend", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    arguments = parser.parse_args()
    create_plan = plan.create_plan

    def without_functions(options: Options, state: StateFolder) -> Plan:
        plan_of_the_stack = create_plan(options, state)
        assert plan_of_the_stack.function_app is not None
        backend = Upstream(service="functions", base_url=f"http://127.0.0.1:{arguments.backend}")
        hosts = {**plan_of_the_stack.hosts, plan_of_the_stack.function_app.host: backend}
        return replace(plan_of_the_stack, function_app=None, blob_accounts={}, hosts=hosts)

    vars(plan)["create_plan"] = without_functions
    # A single user makes all calls and opens all streams.
    config = {"callsPerMinute": str(CALLS_PER_MINUTE), "openRequests": "10000"}
    options = Options(port=arguments.port, state=arguments.state, config=config)
    run_foreground(options, started=time.monotonic(), verbose=False)


if __name__ == "__main__":
    main()
