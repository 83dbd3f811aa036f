"""The gateway's plan of the project's own stacks, without evaluating the whole program."""

from collections.abc import Mapping

import pulumi
from pulumi.runtime import set_all_config
from pulumi.runtime.settings import reset_options

from backends import registry
from configuration.stack_file import Configuration, ConfigurationError
from gateway.plan import Plan, plan_gateway
from settings import Settings, load
from twin import own_thread
from twin.stack import PROJECT, StackError, read_configuration

LOCAL = {"local": "true", "localUrl": "http://localhost:8000", "entraAuthority": "http://localhost:8002"}
"""Settings of a stack that runs in the twin, which needs no credentials."""


def plan_stack(
    config: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None, *, stack: str = "dev"
) -> Plan:
    """Plans the gateway of a stack.

    Args:
        config: values that override those of `Pulumi.<stack>.yaml`; keys of the project need no namespace.
        secrets: the same for secret values.
        stack: the stack whose file is read.

    Raises:
        StackError: the configuration is wrong; the message says how.
    """
    settings = load_settings(config, secrets, stack=stack)
    return plan_gateway(settings, registry.describe(settings))


def load_settings(
    config: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None, *, stack: str = "dev"
) -> Settings:
    """Reads the settings of a stack; arguments and exceptions as for `plan_stack`."""
    try:
        values = read_configuration(config, secrets, stack=stack)
        # Pulumi's settings belong to a thread: in one of their own they change nobody else's.
        return own_thread.start(lambda: _load(values), "settings").result()
    except (ConfigurationError, pulumi.RunError) as error:
        raise StackError(str(error)) from error


def _load(values: Configuration) -> Settings:
    reset_options(project=values.project, stack=values.stack, root_directory=str(PROJECT))
    set_all_config(dict(values.values), sorted(values.secret_keys))
    return load()
