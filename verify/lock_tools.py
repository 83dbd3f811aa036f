"""Writes tools.lock.json from the tools that a running stack lists: `python -m verify.lock_tools --help`."""

import asyncio
import logging
import os
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import httpx2
import typer
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ChainedTokenCredential, EnvironmentCredential, ManagedIdentityCredential

from configuration import tool_lock
from configuration.tool_lock import LockedTool, ToolLockError, Tools
from verify import discovery, registration, sign_in, tool_lists
from verify.check import Check
from verify.run import run
from verify.session import Durations, Session, SignIn
from verify.stack import Options, TargetError, deployed_outputs, find_target
from verify.target import Server, Target, control_url

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class LockError(Exception):
    """The tools cannot be read; the message has the remedy."""


@app.command()
def lock_tools(
    url: Annotated[
        str | None, typer.Argument(help="URL of the gateway; by default the output gatewayUrl of the stack.")
    ] = None,
    *,
    stack: Annotated[
        str, typer.Option(help="The stack whose Pulumi.<stack>.yaml lists the servers.")
    ] = "dev",
    server: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this MCP server; may be repeated.")
    ] = None,
    agent: Annotated[
        bool,
        typer.Option(
            help="Call as the agent of AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET instead of "
            "signing in. The twin already has an agent."
        ),
    ] = False,
    browser: Annotated[
        bool, typer.Option(help="Open the browser; otherwise only print the URL of the page.")
    ] = True,
    file: Annotated[Path, typer.Option(help="The file to write.")] = tool_lock.PATH,
) -> None:
    """Reads the tools of each MCP server of a running stack, and writes tools.lock.json for review.

    The file keeps the tools of other servers, and tools that the caller may not see. The exit status is 0 if
    the file is up to date or was written, and 1 if the tools of a server could not be read; then nothing is
    written.
    """
    logging.disable(logging.CRITICAL)
    try:
        before = tool_lock.load(file)
        target = find_target(Options(url=url, stack=stack, servers=tuple(server or ())))
        _require_complete_lists(target)
        listed = asyncio.run(_read(target, _agent_token(target, agent=agent), browser=browser))
    except (LockError, TargetError, ToolLockError) as error:
        _fail(str(error))
    after = dict(before)
    for expected_server in target.expected.servers:
        _print_differences(expected_server, before.get(expected_server.name), listed[expected_server.name])
        after[expected_server.name] = tool_lists.merge(
            expected_server, before.get(expected_server.name, {}), listed[expected_server.name]
        )
    text = tool_lock.dump(after)
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        typer.echo(f"{file.name} is up to date.")
        return
    file.write_text(text, encoding="utf-8")
    typer.echo(f"Wrote {file.name}. Review the difference (git diff {file.name}), then commit it.")


def _require_complete_lists(target: Target) -> None:
    """Checks that the gateway does not hide tools that differ from the file.

    Raises:
        LockError: it hides them.
    """
    if target.expected.tool_lock == "refuse":
        raise LockError(
            "The stack's setting toolLock is `refuse`: its gateway hides tools that differ from the file. "
            "Read the tools of a stack with `report`, such as a twin: make up ARGS='--config toolLock=report'"
        )


def _print_differences(server: Server, before: Tools | None, listed: Tools) -> None:
    if before is None:
        typer.echo(f"{server.title}: {len(listed)} tools, none of them in the file before")
        return
    lines = list(tool_lists.differences(server, before, listed))
    typer.echo(f"{server.title}: {len(listed)} tools, {len(lines) or 'no'} differences")
    for line in lines:
        typer.echo(f"  {line}")
    if kept := tool_lists.hidden_from_user(server, before.keys() - listed.keys()):
        typer.echo(f"  kept, because the caller may not see them: {', '.join(kept)}")


async def _read(
    target: Target, token: str | None, *, browser: bool
) -> Mapping[str, Mapping[str, LockedTool]]:
    def open_page(purpose: str, page: str) -> None:
        opened = browser and webbrowser.open(page)
        typer.echo(f"{purpose}: sign in {'in the browser' if opened else 'at this page'}: {page}", err=True)

    session = Session(target=target, durations=Durations(), open_browser=open_page)
    if token is not None:
        for server in target.expected.servers:
            session.sign_ins[server.name] = SignIn(server=server, access_token=token, redemption={})
        return await _lists(session)
    return await _as_user(session)


async def _lists(session: Session) -> Mapping[str, Mapping[str, LockedTool]]:
    listed = {}
    for server in session.target.expected.servers:
        try:
            listed[server.name] = await tool_lists.read_tools(session, server)
        except tool_lists.FailedError as error:
            raise LockError(f"{server.title}: {error.details}. Nothing was written.") from error
    return listed


async def _as_user(session: Session) -> Mapping[str, Mapping[str, LockedTool]]:
    """Signs the user in, as the verification does, reads the tools, and ends the sign-ins."""
    listed: dict[str, Mapping[str, LockedTool]] = {}

    async def read(current: Session) -> str:
        listed.update(await _lists(current))
        return ""

    expected = session.target.expected
    sign_ins = tuple(sign_in.checks(expected, ("lock-tools",)))
    needed = tuple(check.id for check in sign_ins if check.id.startswith("sign-in:"))
    reading = Check(id="lock-tools", section="", title="Tools", run=read, needs=needed)
    wanted = [check for check in sign_ins if check.id != "redirect-uri"]
    checks: Sequence[Check] = (*discovery.checks(), *registration.checks(), *wanted, reading)
    checks = [
        check
        for check in checks
        if check.id in {"gateway", "registration", *needed, "used-code", "lock-tools"}
    ]
    rows = await run(checks, session, lambda _check, _outcome: None)
    for row in rows:
        if row.outcome.result != "ok" and row.check.id != "used-code":
            raise LockError(f"{row.check.title}: {row.outcome.details} {row.outcome.remedy}".rstrip())
    return listed


def _agent_token(target: Target, *, agent: bool) -> str | None:
    """A token of an agent; None if a user has to sign in.

    Raises:
        LockError: a server does not admit agents, there is no agent, or Entra issues no token for it.
    """
    if target.expected.local:
        agent_settings = _twin_agent(control_url(target.url))
        # azure-identity reads only the environment of the process.
        os.environ.update(agent_settings.get("environment") or {})
        settings = agent_settings.get("settings") or {}
    elif agent:
        settings = deployed_outputs(target.stack).get("agentSettings") or {}
    else:
        return None
    scope = settings.get("scope")
    admitting = {
        server["name"] for server in settings.get("servers") or () if "agents" in server.get("access", ())
    }
    others = [server.title for server in target.expected.servers if server.name not in admitting]
    if not scope or others:
        if not agent:
            return None
        raise LockError(
            f"No agents are admitted (`access`) to {', '.join(others)}. Run without --agent and sign in, or "
            "choose servers with --server."
        )
    try:
        # A service principal or a managed identity, never a user.
        return (
            ChainedTokenCredential(EnvironmentCredential(), ManagedIdentityCredential())
            .get_token(scope)
            .token
        )
    except ClientAuthenticationError as error:
        reason = " ".join(error.message.split())[:400]
        raise LockError(f"There is no token of an agent for the gateway ({scope}): {reason}") from error


def _twin_agent(control: str) -> Mapping[str, Any]:
    """The settings and the identity of a twin's agents; empty if the twin admits no agents."""
    try:
        answer = httpx2.get(f"{control}/agent", timeout=10)
        return answer.json() if answer.is_success else {}
    except (httpx2.HTTPError, ValueError):
        raise LockError(
            f"No twin responds at {control}. Start it in another terminal with `make up`, or name a stack on "
            "Azure: make lock-tools STACK=dev"
        ) from None


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    app(prog_name="python -m verify.lock_tools")
