"""Determines a stack's URL and expected state from the Pulumi CLI, the stack's file and the command line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pulumi
from pulumi.runtime import set_all_config
from pulumi.runtime.settings import reset_options

from backends import registry
from configuration import stack_file, stack_outputs
from configuration.presets import PRESETS
from configuration.setting import Secret
from configuration.stack_outputs import Remedies, StackOutputsError
from gateway.plan import plan_gateway
from settings import Settings, load
from verify.expectation import expectation
from verify.target import Azure, Expectation, Target, control_url, is_loopback

PROJECT = Path(__file__).resolve().parents[1]
"""The folder of `Pulumi.yaml`."""

# Policies contain no secrets of the configuration, so any string in the right format can replace these
# secrets.
_NO_SECRET = "xoxb-not-needed-for-verification"  # noqa: S105 -- a placeholder
_SECRETS = tuple(
    setting.key for preset in PRESETS.values() for setting in preset.settings if isinstance(setting, Secret)
)


class TargetError(Exception):
    """The stack to verify cannot be determined; the message has the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of the command line.

    Attributes:
        url: URL of the gateway; None to read it with the Pulumi CLI.
        stack: name of the stack.
        config: values that override those of the stack's file.
        servers: names of the MCP servers to which the verification is restricted; empty for all.
        azure: the stack's resources in Azure; missing values are looked up.
        resource_manager: URL to use instead of that of Azure Resource Manager.
    """

    url: str | None
    stack: str
    config: Mapping[str, str] = field(default_factory=dict)
    servers: tuple[str, ...] = ()
    azure: Azure = field(default_factory=Azure)
    resource_manager: str | None = None


def find_target(options: Options) -> Target:
    """Determines the target from the options.

    Raises:
        TargetError: the options are not sufficient, or the configuration of the stack is not valid.
    """
    outputs = deployed_outputs(options.stack) if options.url is None else {}
    url = _origin(options.url or str(outputs.get("gatewayUrl") or ""))
    local = is_loopback(url)
    azure = replace(
        options.azure,
        url=options.resource_manager or (control_url(url) if local else options.azure.url),
        local=local,
    )
    config = {**_twin_settings(control_url(url)), **options.config} if local else options.config
    expected = expected_of(options.stack, config, local=local)
    return Target(url=url, stack=options.stack, expected=_restricted(expected, options.servers), azure=azure)


def _twin_settings(control: str) -> dict[str, str]:
    """The settings that a twin changed, such as the URL of the Foundry project; empty if no twin responds."""
    try:
        answer = httpx2.get(f"{control}/settings", timeout=10)
        return answer.raise_for_status().json()["settings"]
    except (httpx2.HTTPError, ValueError, KeyError):
        return {}


def deployed_outputs(stack: str) -> Mapping[str, Any]:
    """The outputs of a deployed stack, from the Pulumi CLI; secret outputs are not decrypted.

    Raises:
        TargetError: the CLI is not installed, or the stack does not exist or has no outputs.
    """
    other = "or pass the gateway's URL: python -m verify https://<name>.azure-api.net"
    try:
        return stack_outputs.read(
            stack,
            "gatewayUrl",
            Remedies(
                no_cli=f"Install it, {other}",
                failed_call=f"Sign in to Pulumi, {other}",
                no_output=f", {other}",
            ),
        )
    except StackOutputsError as error:
        raise TargetError(str(error)) from None


def expected_of(stack: str, config: Mapping[str, str], *, local: bool) -> Expectation:
    """The expected state of a stack, from its configuration.

    Args:
        stack: name of the stack.
        config: values that override those in the stack's file.
        local: whether the stack runs in the twin, which overrides some settings.

    Raises:
        TargetError: the configuration is not valid; the message has the reason.
    """
    overrides = (
        {"local": "true", "localUrl": "http://localhost", "entraAuthority": "http://localhost"}
        if local
        else {}
    )
    try:
        values = stack_file.load(
            PROJECT,
            stack,
            {**config, **overrides},
            {} if local else dict.fromkeys(_SECRETS, _NO_SECRET),
            encrypted=_NO_SECRET,
        )
        settings = _load(values)
        expected = expectation(
            settings, plan_gateway(settings, registry.describe(settings), registry.hosted(settings))
        )
        elsewhere = settings.existing.api_management or settings.existing.environment
        tags = {"project": values.project, "stack": stack} if elsewhere else {}
        return replace(expected, tags=tags)
    except (stack_file.ConfigurationError, pulumi.RunError) as error:
        raise TargetError(f"The configuration of the stack {stack} cannot be used.\n{error}") from error


def _load(values: stack_file.Configuration) -> Settings:
    reset_options(project=values.project, stack=values.stack, root_directory=str(PROJECT))
    set_all_config(dict(values.values), sorted(values.secret_keys))
    return load()


def _restricted(expected: Expectation, names: Sequence[str]) -> Expectation:
    """The expected state, restricted to some servers.

    Raises:
        TargetError: a server does not exist.
    """
    known = [server.name for server in expected.servers]
    if unknown := sorted(set(names) - set(known)):
        raise TargetError(f"The stack has no server {', '.join(unknown)}; choose from {', '.join(known)}.")
    chosen = tuple(server for server in expected.servers if not names or server.name in names)
    return replace(expected, servers=chosen)


def _origin(url: str) -> str:
    """The URL without a trailing slash.

    Raises:
        TargetError: it is not the origin of a gateway with TLS or on loopback.
    """
    try:
        parts = urlsplit(url)
        known = parts.hostname and parts.port != 0
    except ValueError:
        known = False
    secure = known and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url)))
    if not secure or parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username:
        raise TargetError(
            f"'{url}' is not the URL of a gateway. Use https://<host>, or http://localhost:PORT for a twin."
        )
    return f"{parts.scheme}://{parts.netloc}"
