"""Drops the aliases that azure-native gives to its resources, which cost most of the time of an evaluation.

Azure's provider gives a resource an alias for each version of Azure's API, twenty and more, so that a program
may change from one to another. Working them out takes three quarters of the time of a program with many
resources, and an evaluation in process has no earlier state that an alias could refer to.
"""

import copy
import re
from typing import Any

import pulumi
from pulumi.runtime import register_stack_transformation

_VERSION = re.compile(r"azure-native:[A-Za-z0-9]+/v[0-9]+[a-z]*:[A-Za-z0-9]+")


def drop_version_aliases() -> None:
    """From now on resources have no alias that differs only in the version in its type."""
    register_stack_transformation(_without_version_aliases)


def _without_version_aliases(
    args: pulumi.ResourceTransformationArgs,
) -> pulumi.ResourceTransformationResult | None:
    if not args.opts.aliases:
        return None
    options = copy.copy(args.opts)
    options.aliases = [alias for alias in args.opts.aliases if not _is_of_another_version(alias)]
    return pulumi.ResourceTransformationResult(args.props, options)


def _is_of_another_version(alias: Any) -> bool:
    return (
        isinstance(alias, pulumi.Alias)
        and isinstance(alias.type_, str)
        and _VERSION.fullmatch(alias.type_) is not None
        # Set by a program for a resource that it renamed or moved.
        and alias.name is alias.parent is alias.stack is alias.project is ...
    )
