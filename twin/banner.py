"""Prints the addresses of the services when the twin is ready."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from twin.containers import Container
from twin.server_process import State
from twin.supervisor import Running

_HIDDEN = "(secret)"


def show(console: Console, running: Running, seconds: float) -> None:
    """Prints the addresses of the services and how to connect.

    Args:
        console: the console to print to.
        running: the twin.
        seconds: the duration of the start.
    """
    options, plan = running.options, running.plan
    notice = Text.assemble(
        (f"Local twin of stack '{options.stack}', ready in {seconds:.1f} s.", "bold"),
        "\nThis is not Azure: it runs the declared resources of the stack on this machine, with test users.",
    )
    console.print(Panel(notice, border_style="cyan", expand=False))
    _print_table(console, "Outputs of the stack", _output_rows(plan.stack.outputs, plan.stack.secret_outputs))
    _print_table(
        console,
        "Who can sign in (no password)",
        ((user.name, user.principal_name) for user in plan.directory.users),
    )
    endpoint = _endpoint(plan.stack.outputs) or f"http://localhost:{options.port}/mcp"
    inspector = f"{_python()} -m twin inspector"
    _print_table(
        console,
        "Connect MCP Inspector (from this folder)",
        (
            ("in a browser", f"{inspector} --transport http --server-url {endpoint}"),
            ("in a terminal", f"{inspector} --cli {endpoint} --transport http --method tools/list"),
        ),
    )
    _print_table(
        console,
        "This twin",
        (
            ("control API", f"http://localhost:{options.ports.control} (GET / lists the calls)"),
            ("state", f"{options.state} (survives a restart; make clean removes it)"),
            *(
                [
                    (
                        "agents",
                        f"may use the project's servers: {_python()} -m agent_demo --url http://localhost:{options.port}",
                    )
                ]
                if options.admit_agents
                else []
            ),
            *(("reading", f"{name}={option}") for name, option in options.readings.changed().items()),
            *(("note", note) for note in _encrypted_notice(plan.stack.encrypted)),
            *(("warning", warning) for warning in plan.stack.warnings),
            *(("warning", problem) for problem in _problems(running.containers)),
            *(
                ("starting", f"{container.name}: requests are answered with 503 until it is ready")
                for container in running.containers
                if container.process.state is State.STARTING
            ),
        ),
    )
    console.print(Text("Ctrl-C stops it.", style="dim"))


def _problems(containers: Iterable[Container]) -> Iterator[str]:
    """The problems of the servers that do not run; servers with the same problem share one line."""
    names: dict[str, list[str]] = {}
    for container in containers:
        process = container.process
        if process.state in {State.WAITING, State.FAILED}:
            problem = process.problem.removeprefix(f"{container.name} ")
            names.setdefault(problem, []).append(container.name)
    for problem, affected in names.items():
        yield f"{', '.join(affected)} {problem}"


def _encrypted_notice(encrypted: Sequence[str]) -> Iterator[str]:
    """The note that encrypted settings were not read, if the stack has any."""
    if encrypted:
        options = " ".join(f"--secret {name}" for name in encrypted)
        yield (
            f"{', '.join(encrypted)}: encrypted in the stack's file, so not read and not needed; servers "
            f"that use them run with test data. To use real values: python -m twin up {options}"
        )


def _print_table(console: Console, title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Prints a title and a table. Lines are not wrapped, so that URLs and commands can be copied."""
    listed = list(rows)
    width = max((len(name) for name, _ in listed), default=0)
    console.print(Text(title, style="bold"))
    for name, value in listed:
        console.print(Text.assemble("  ", (name.ljust(width), "cyan"), "  ", value), soft_wrap=True)
    console.print()


def _python() -> str:
    """The path of this Python relative to the current folder."""
    path = Path(sys.executable)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _output_rows(outputs: Mapping[str, Any], secret: frozenset[str]) -> Iterator[tuple[str, str]]:
    for name in sorted(outputs):
        if name in secret:
            yield name, _HIDDEN
        else:
            yield from _value_rows(name, outputs[name])


def _value_rows(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key in sorted(value):
            yield from _value_rows(f"{name}.{key}", value[key])
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _value_rows(f"{name}[{index}]", item)
    else:
        yield name, str(value)


def _endpoint(outputs: Mapping[str, Any]) -> str | None:
    """The streamable HTTP URL of the first declared MCP server behind the gateway."""
    settings = outputs.get("agentSettings")
    servers = settings.get("servers", ()) if isinstance(settings, Mapping) else ()
    urls = (str(server.get("url")) for server in servers if isinstance(server, Mapping))
    return next((url for url in urls if url.startswith(f"{outputs.get('gatewayUrl')}/")), None)
