"""The settings of the demo, from the outputs of a stack or of a local twin, and from `.env`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx2
from dotenv import dotenv_values

from agent_demo.error import AgentError
from configuration import stack_outputs
from configuration.stack_outputs import Remedies, StackOutputsError

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ENDPOINT, _MODEL = "FOUNDRY_PROJECT_ENDPOINT", "FOUNDRY_MODEL_DEPLOYMENT_NAME"
_GITHUB_TOKEN = "GITHUB_TOKEN"  # noqa: S105 -- the name of a variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An MCP server.

    Attributes:
        name: name in the stack, and label in the definition of the agent.
        title: display name.
        url: address for streamable HTTP.
        behind_gateway: True if the gateway protects the server; otherwise it authenticates callers itself.
        connection: name of the connection with its credentials in the Foundry project, or None.
        read_only_tools: names of tools that only read, as the operator of the stack has declared.
    """

    name: str
    title: str
    url: str
    behind_gateway: bool
    connection: str | None
    read_only_tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """The settings of the demo.

    Attributes:
        endpoint: endpoint of the Foundry project.
        model: name of the model deployment.
        scope: scope of tokens for the gateway; None if the stack's output does not have it.
        servers: the MCP servers.
        tokens: tokens for servers that authenticate callers themselves, by server; secrets.
        stand_in: whether the agent service is the twin's stand-in.
        environment: variables with which `azure-identity` signs in; they contain secrets.
    """

    endpoint: str
    model: str
    scope: str | None
    servers: tuple[Server, ...]
    tokens: Mapping[str, str] = field(repr=False)
    stand_in: bool
    environment: Mapping[str, str] = field(repr=False)


def read_twin(url: str) -> AgentSettings:
    """Reads the settings of a local twin.

    Args:
        url: the URL of the twin's gateway.

    Raises:
        AgentError: no twin responds, or its stack has no Foundry project or no MCP servers.
    """
    parts = urlsplit(url)
    port = _port(parts)
    if parts.scheme != "http" or parts.hostname not in _LOOPBACK or port is None:
        raise AgentError(
            f"'{url}' is not the URL of a local twin, such as http://localhost:8000. For a stack on Azure "
            "use --stack."
        )
    # The control API has the port after the gateway's; see docs/twin.md.
    control = f"http://127.0.0.1:{port + 1}"
    try:
        answer = httpx2.get(f"{control}/agent", timeout=10)
        answered = answer.raise_for_status().json()
    except httpx2.HTTPStatusError as error:
        raise AgentError(
            f"{control}/agent returned HTTP {error.response.status_code}, so {url} is not the gateway of a "
            "twin with agents. Use the URL that `make up` prints."
        ) from None
    except (httpx2.HTTPError, ValueError) as error:
        raise AgentError(
            f"No twin responds at {url} ({type(error).__name__}). Start it in another terminal with `make "
            "up`, or name a stack on Azure: make agent STACK=dev"
        ) from None
    return _read(
        answered["settings"],
        {**_environment(), **answered["environment"]},
        tokens=answered["tokens"],
        stand_in=True,
        where=f"the twin at {url}",
    )


def _port(parts: SplitResult) -> int | None:
    """The port of a URL; None if it is not a valid port."""
    try:
        return parts.port or 80
    except ValueError:
        return None


def read_stack(stack: str) -> AgentSettings:
    """Reads the settings of a deployed stack.

    Raises:
        AgentError: the Pulumi CLI cannot read the outputs, or the stack has no Foundry project or no MCP
            servers.
    """
    outputs = _stack_outputs(stack)
    environment = _environment()
    token = environment.get(_GITHUB_TOKEN)
    return _read(
        outputs.get("agentSettings") or {},
        environment,
        tokens={"github": token} if token else {},
        stand_in=False,
        where=f"the stack {stack}",
    )


def _read(
    settings: Mapping[str, Any],
    environment: Mapping[str, str],
    *,
    tokens: Mapping[str, str],
    stand_in: bool,
    where: str,
) -> AgentSettings:
    foundry = settings.get("foundry") or {}
    endpoint = foundry.get("endpoint") if stand_in else environment.get(_ENDPOINT) or foundry.get("endpoint")
    model = foundry.get("model") if stand_in else environment.get(_MODEL) or foundry.get("model")
    missing = [name for name, value in ((_ENDPOINT, endpoint), (_MODEL, model)) if not value]
    if missing:
        raise AgentError(
            f"{where[0].upper()}{where[1:]} has no Foundry project. Run `pulumi config set foundryProject "
            f"<resource id>` and `pulumi up`, or set {' and '.join(missing)} in .env."
        )
    servers = tuple(
        Server(
            name=server["name"],
            title=server["title"],
            url=server["url"],
            behind_gateway=server["signIn"] == "gateway",
            connection=server.get("connection"),
            read_only_tools=tuple(server.get("readOnlyTools") or ()),
        )
        for server in settings.get("servers") or ()
    )
    if not servers:
        raise AgentError(
            f"The output agentSettings of {where} has no MCP servers. Add one with `pulumi config set --path "
            "'backends[0]' functions`, then run `pulumi up`."
        )
    return AgentSettings(
        endpoint=str(endpoint).rstrip("/"),
        model=str(model),
        scope=settings.get("scope"),
        servers=servers,
        tokens=tokens,
        stand_in=stand_in,
        environment={name: value for name, value in environment.items() if name != _GITHUB_TOKEN},
    )


def _environment() -> dict[str, str]:
    """The variables of the process and of `.env` in the current folder; those of `.env` take precedence."""
    written = {name: value for name, value in dotenv_values(".env").items() if value}
    return {**os.environ, **written}


def _stack_outputs(stack: str) -> Mapping[str, Any]:
    other = "For a local twin, pass its URL instead: make agent URL=http://localhost:8000"
    try:
        return stack_outputs.read(
            stack,
            "agentSettings",
            Remedies(
                no_cli=f"Install it to read the stack's outputs. {other}",
                failed_call=f"Run `pulumi login`, and check the name with `pulumi stack ls`. {other}",
                no_output=f". {other}",
            ),
        )
    except StackOutputsError as error:
        raise AgentError(str(error)) from None
