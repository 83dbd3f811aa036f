"""Creates the gateway's plan of a stack of this project, without evaluating the whole program."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pulumi
from pulumi.runtime import set_all_config
from pulumi.runtime.settings import reset_options

from apim.service import documents
from apim.source_map import SourceLocation, SourceMap
from backends import registry
from configuration.stack_file import Configuration, ConfigurationError
from gateway.plan import Plan, plan_gateway
from settings import Settings, load
from twin import daemon_thread
from twin.stack import PROJECT, StackError, read_configuration

LOCAL = {"local": "true", "localUrl": "http://localhost:8000", "entraAuthority": "http://localhost:8002"}
"""Settings with which a stack runs in the twin and needs no credentials."""


def plan_stack(
    config: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None, *, stack: str = "dev"
) -> Plan:
    """Plans the gateway of a stack.

    Args:
        config: values that override those of `Pulumi.<stack>.yaml`; keys of the project need no namespace.
        secrets: secret values that override those of the file.
        stack: the stack whose file is read.

    Raises:
        StackError: the configuration is wrong; the message lists the problems.
    """
    return _plan(load_settings(config, secrets, stack=stack))


class PlannedDocuments:
    """The policy documents in the plan of a stack. The plan is created when it is needed for the first time.

    The resources of a stack contain only the text of policies; the plan of the same configuration has their
    source maps.

    Args:
        configuration: configuration of the stack; None for a program other than this project, which has no
            plan.
    """

    def __init__(self, configuration: Configuration | None) -> None:
        self._configuration = configuration

    @cached_property
    def source_maps(self) -> Mapping[str, SourceMap]:
        """The source maps of the rendered documents, by the text of the document."""
        configuration = self._configuration
        if configuration is None:
            return {}
        settings = daemon_thread.start(lambda: _load(configuration), "settings").result()
        planned = documents(_plan(settings).service())
        return {document.xml: document.source_map for document in planned if document.source_map is not None}


@dataclass(frozen=True, slots=True)
class DeclaredSourceMap:
    """The source map of a declared policy, which is that of the planned document with the same text."""

    text: str
    planned: PlannedDocuments

    def find(self, line: int, column: int) -> SourceLocation | None:
        """The source location of a line and column; None for text that is not from a template."""
        source_map = self.planned.source_maps.get(self.text)
        return source_map.find(line, column) if source_map is not None else None

    def lines(self) -> frozenset[tuple[str, int]]:
        """The templates and lines from which the text was rendered."""
        source_map = self.planned.source_maps.get(self.text)
        return source_map.lines() if source_map is not None else frozenset()


def load_settings(
    config: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None, *, stack: str = "dev"
) -> Settings:
    """Reads the settings of a stack; arguments and exceptions as for `plan_stack`."""
    try:
        values = read_configuration(config, secrets, stack=stack)
        # Pulumi keeps its settings per thread. In a new thread, they do not change those of the caller.
        return daemon_thread.start(lambda: _load(values), "settings").result()
    except (ConfigurationError, pulumi.RunError) as error:
        raise StackError(str(error)) from error


def _plan(settings: Settings) -> Plan:
    return plan_gateway(settings, registry.describe(settings), registry.hosted(settings))


def _load(values: Configuration) -> Settings:
    reset_options(project=values.project, stack=values.stack, root_directory=str(PROJECT))
    set_all_config(dict(values.values), sorted(values.secret_keys))
    return load()
