"""The cost of web servers and HTTP clients alone: the same small call, without policies or a proxy.

`python -m benchmarks.servers_and_clients [--calls 3000] [--concurrency 16 64]`. Each candidate is a separate
process with uvloop, and its processor time for each call is measured. Rounds alternate, so that other load on
the machine affects all equally.
"""

import argparse
import contextlib
import json
import subprocess
import sys
from statistics import median

import uv
import uvloop

from benchmarks import load, servers
from benchmarks.progress import machine, show

_SERVERS = (
    "aiohttp web.Server",
    "uvicorn, h11",
    "uvicorn, httptools",
    "granian, ASGI",
    "own protocol, aiohttp's parser",
    "own protocol, httptools",
)
_CLIENTS = (
    "aiohttp ClientSession",
    "httpx",
    "own protocol, aiohttp's parser",
    "own protocol, httptools",
)
_ENVIRONMENT = ("aiohttp", "granian", "httptools", "httpx", "uvicorn", "uvloop")
_ROUNDS = 5
_CALLS_A_SECOND = 3000
_CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {}}}
_HEADERS = {
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
    "MCP-Protocol-Version": "2025-06-18",
    "User-Agent": "benchmark",
    "Authorization": "Bearer " + "x" * 800,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=3000, help="number of calls in each measurement")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[16, 64])
    arguments = parser.parse_args()
    _compare(arguments.calls, arguments.concurrency)


def _compare(calls: int, concurrencies: list[int]) -> None:
    before, first = machine(), servers.free_ports(20)
    columns = ("", *(f"{concurrency} at a time" for concurrency in concurrencies), "x the first")
    with contextlib.ExitStack() as stack:
        running = {
            name: stack.enter_context(servers.server(name, _command("serve", name, str(port)), port))
            for port, name in enumerate(_SERVERS, first)
        }
        measured: dict[str, list[list[float]]] = {name: [] for name in running}
        for _ in range(_ROUNDS):
            for name, server in running.items():
                measured[name].append(_of_server(server, calls, concurrencies))
        show("Servers: CPU of one call, in milliseconds", columns, _rows(measured), before)
    with servers.null_backend(first):
        results: dict[str, list[list[float]]] = {name: [] for name in _CLIENTS}
        for _ in range(_ROUNDS):
            for name, rounds in results.items():
                rounds.append([_of_client(name, first, calls, concurrency) for concurrency in concurrencies])
        show("Clients: CPU of one call, in milliseconds", columns, _rows(results), before)


def _of_server(server: servers.Server, calls: int, concurrencies: list[int]) -> list[float]:
    target = load.Target(
        name="server",
        url=f"http://127.0.0.1:{server.port}/mcp",
        headers=_HEADERS,
        body=json.dumps(_CALL).encode(),
    )
    costs = []
    for concurrency in concurrencies:
        before = server.cpu
        latencies = uvloop.run(load.run(target, concurrency=concurrency, seconds=calls / _CALLS_A_SECOND))
        costs.append((server.cpu - before) / len(latencies.seconds) * 1000)
    return costs


def _of_client(name: str, port: int, calls: int, concurrency: int) -> float:
    command = _command("send", name, str(port), str(calls), str(concurrency))
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _rows(measured: dict[str, list[list[float]]]) -> list[tuple[str, ...]]:
    typical = {
        name: [median(costs) for costs in zip(*rounds, strict=True)] for name, rounds in measured.items()
    }
    floor = next(iter(typical.values()))
    return [
        (name, *(f"{cost:.3f}" for cost in costs), f"{sum(costs) / sum(floor):.2f}")
        for name, costs in typical.items()
    ]


def _command(*options: str) -> list[str]:
    packages = [part for name in _ENVIRONMENT for part in ("--with", name)]
    environment = (uv.find_uv_bin(), "run", "--quiet", "--no-project", "--python", sys.executable, *packages)
    return [*environment, "python", str(servers.ROOT / "benchmarks" / "http_candidates.py"), *options]


if __name__ == "__main__":
    main()
