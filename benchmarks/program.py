"""The cost of evaluating the Pulumi program, without Azure, by the number of MCP servers.

    .venv/bin/python -m benchmarks.program [--runs 3] [--threads] [--profile N]

The servers are entries of `containers` with only a name, an image and a port. `bare` declares the same number
of the same resources with as few inputs as possible, which measures Pulumi's part of the cost. The result is
the minimum of several runs; rounds alternate, so that other load on the machine affects all equally.
"""

import argparse
import cProfile
import gc
import json
import os
import pstats
import resource
import tempfile
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from twin import stack
from twin.stack import Stack, evaluate

_COUNTS = (1, 3, 10, 30, 100)
_BASE = {"backends": '["functions"]'}

_BARE = """
import pulumi
from pulumi_azure_native import apimanagement, app, authorization

# As in the program.
authorization.get_client_config()
where = {{"resource_group_name": "group"}}
service = {{**where, "service_name": "service"}}
policy = {{"policy_id": "policy", "format": "rawxml", "value": "<policies />"}}


class Component(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("bare:index:Component", name)
        self.register_outputs({{}})


for number in range({count}):
    name = f"server-{{number}}"
    options = pulumi.ResourceOptions(parent=Component(f"{{name}}-app"))
    app.ContainerApp(name, **where, opts=options)
    app.ContainerAppsAuthConfig(name, **where, container_app_name=name, opts=options)
    options = pulumi.ResourceOptions(parent=Component(name))
    apimanagement.Api(name, **service, api_id=name, path=name, opts=options)
    apimanagement.ApiPolicy(name, **service, api_id=name, **policy, opts=options)
    for method in ("POST", "GET", "DELETE", "OPTIONS"):
        apimanagement.ApiOperation(
            f"{{name}}-{{method}}", **service, api_id=name, display_name=method, method=method,
            url_template="/", opts=options,
        )
"""


@dataclass(frozen=True)
class Measured:
    """One evaluation.

    Attributes:
        seconds: elapsed time.
        cpu: processor time in seconds.
        resources: number of declared resources.
    """

    seconds: float
    cpu: float
    resources: int


def program(count: int) -> Stack:
    """Evaluates the project's program with `count` additional servers."""
    entries = [
        {"name": f"server-{number}", "image": "ghcr.io/example/server:1.0.0", "port": 8080}
        for number in range(count)
    ]
    return evaluate({**_BASE, "containers": json.dumps(entries)})


def bare(count: int) -> Stack:
    """Declares only the resources of `count` servers."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "Pulumi.yaml").write_text("name: bare\nruntime: python\n")
        (root / "Pulumi.dev.yaml").write_text("config: {}\n")
        (root / "__main__.py").write_text(_BARE.format(count=count))
        return evaluate(root=root)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", type=int, metavar="N", help="print a profile with N servers")
    parser.add_argument("--runs", type=int, default=3, help="number of runs; the minimum is printed")
    parser.add_argument(
        "--threads", action="store_true", help="register resources in threads, as `pulumi up` does"
    )
    arguments = parser.parse_args()
    with _threads() if arguments.threads else nullcontext():
        if arguments.profile is not None:
            _profile(arguments.profile)
        else:
            _measure(arguments.runs)


def _measure(runs: int) -> None:
    # A first run, after which imports, compiled templates and expressions are cached.
    program(1)
    bare(1)
    measurements: dict[tuple[Callable[[int], Stack], int], list[Measured]] = {}
    for _ in range(runs):
        for count in _COUNTS:
            for work in (program, bare):
                measurements.setdefault((work, count), []).append(_once(work, count))
    best = {key: min(measured, key=lambda run: run.cpu) for key, measured in measurements.items()}
    table = Table("servers", "resources", "seconds", "CPU s", "CPU ms per server", "bare")
    for last, count in zip((None, *_COUNTS), _COUNTS, strict=False):
        whole = best[program, count]
        marginal = [
            f"{(best[work, count].cpu - best[work, last].cpu) / (count - last) * 1000:.1f}" if last else ""
            for work in (program, bare)
        ]
        table.add_row(str(count), str(whole.resources), f"{whole.seconds:.2f}", f"{whole.cpu:.2f}", *marginal)
    for column in table.columns:
        column.justify = "right"
    console = Console()
    console.print(table)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console.print(
        f"The cost per server is the difference to the previous line. Memory at most {most:.0f} MiB; "
        f"load at the end {os.getloadavg()[0]:.1f}."
    )


def _once(work: Callable[[int], Stack], count: int) -> Measured:
    gc.collect()
    clock, cpu = time.perf_counter(), time.process_time()
    evaluated = work(count)
    return Measured(time.perf_counter() - clock, time.process_time() - cpu, len(evaluated.resources))


def _profile(count: int) -> None:
    program(1)
    profile = cProfile.Profile()
    run = stack._run  # noqa: SLF001 -- the part that runs in the evaluation's own thread, where a profile must begin

    def profiled(*arguments: object) -> None:
        profile.enable()
        try:
            run(*arguments)  # ty: ignore[invalid-argument-type]  passed on as they are
        finally:
            profile.disable()

    with patch.object(stack, "_run", profiled):
        program(count)
    pstats.Stats(profile).sort_stats("cumulative").print_stats(60)
    pstats.Stats(profile).sort_stats("tottime").print_stats(30)


@contextmanager
def _threads() -> Generator[None]:
    with patch.object(stack, "_InlineExecutor", ThreadPoolExecutor):
        yield


if __name__ == "__main__":
    main()
