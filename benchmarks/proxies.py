"""The cost of a proxy in front of an MCP server: the same authorized tool call, sent in five ways.

`python -m benchmarks.proxies [--seconds 4] [--concurrency 1 16 64] [--without-fastmcp]`
"""

import argparse
import contextlib
import json
import secrets
import tempfile
import time
from pathlib import Path
from statistics import median

import jwt
import uv
import uvloop

from benchmarks import load, servers
from benchmarks.passthrough import AUDIENCE, ISSUER
from benchmarks.progress import machine, say, show
from benchmarks.sign_in import access_token

_CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "echo", "arguments": {"text": "hello"}},
}
_HEADERS = {
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
    "MCP-Protocol-Version": "2025-06-18",
    "User-Agent": "benchmark",
}
_ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="duration of each measurement")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument(
        "--without-fastmcp",
        action="store_true",
        help="skip FastMCP's proxy, which uv installs into its own environment",
    )
    arguments = parser.parse_args()
    before = machine()
    first = servers.free_ports(30)
    key = secrets.token_hex(32)
    with contextlib.ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "state"
        running = {"direct": stack.enter_context(servers.null_backend(first))}
        running["passthrough"] = stack.enter_context(servers.passthrough(first + 1, first, key))
        running["bare gateway"] = stack.enter_context(servers.bare_gateway(first + 3, first, key))
        if not arguments.without_fastmcp:
            proxy = servers.fastmcp(first + 2, first, key, uv.find_uv_bin())
            running["FastMCP"] = stack.enter_context(proxy)
        running["twin"] = stack.enter_context(servers.twin(first + 4, first, state))
        say("signing in")
        encrypted = access_token(f"http://localhost:{first + 4}", f"http://localhost:{first + 6}")
        signed = jwt.encode(
            {"iss": ISSUER, "aud": AUDIENCE, "sub": "benchmark", "exp": time.time() + 86_400}, key, "HS256"
        )
        tokens = {name: encrypted if name == "twin" else signed for name in running}
        targets = [_target(name, server.port, tokens[name]) for name, server in running.items()]
        uvloop.run(_measure(targets, running, arguments.concurrency, arguments.seconds, before))


def _target(name: str, port: int, token: str) -> load.Target:
    return load.Target(
        name=name,
        url=f"http://localhost:{port}/mcp",
        headers={**_HEADERS, "Authorization": f"Bearer {token}"},
        body=json.dumps(_CALL).encode(),
    )


async def _measure(
    targets: list[load.Target],
    running: dict[str, servers.Server],
    concurrencies: list[int],
    seconds: float,
    before: str,
) -> None:
    for target in targets:
        say(f"warming up {target.name}")
        await load.run(target, concurrency=8, seconds=1.0)
    for concurrency in concurrencies:
        medians: dict[str, list[float]] = {target.name: [] for target in targets}
        best: dict[str, tuple[load.Latencies, float]] = {}
        for round_ in range(_ROUNDS):
            # Rounds alternate, so that other load on the machine affects all equally.
            for target in targets:
                say(f"{target.name}, {concurrency} at a time, round {round_ + 1} of {_ROUNDS}")
                cpu = running[target.name].cpu
                latencies = await load.run(target, concurrency=concurrency, seconds=seconds / _ROUNDS)
                cost = (running[target.name].cpu - cpu) / len(latencies.seconds) * 1000
                medians[target.name].append(latencies.percentile(50))
                if medians[target.name][-1] == min(medians[target.name]):
                    best[target.name] = latencies, cost
        typical = {name: median(values) for name, values in medians.items()}
        floor, floor_cost = typical["passthrough"], best["passthrough"][1]
        rows: list[tuple[str, ...]] = []
        for target in targets:
            latencies, cost = best[target.name]
            rows.append(
                (
                    target.name,
                    f"{typical[target.name]:.2f}",
                    *(f"{latencies.percentile(percent):.2f}" for percent in (50, 95, 99)),
                    f"{latencies.per_second:,.0f}",
                    f"{cost:.2f}",
                    f"{typical[target.name] / floor:.2f}",
                    f"{cost / floor_cost:.2f}" if floor_cost else "",
                )
            )
        show(
            f"An authorized tools/call, {concurrency} at a time (milliseconds)",
            ("", "median", "best round: p50", "p95", "p99", "calls/s", "CPU", "x passthrough", "CPU x"),
            rows,
            f"{before}. CPU: of the server, per call; its ratio depends least on other load. "
            f"median: of {_ROUNDS} alternating rounds.",
        )


if __name__ == "__main__":
    main()
