"""Drops the version aliases of azure-native's resources, which take most of the time of an evaluation.

The azure-native provider adds an alias to a resource for each version of Azure's API, often more than twenty,
so that a program can change the version. Computing the aliases takes three quarters of the time of a program
with many resources. The twin does not need them, because it has no earlier state to which an alias could
refer.
"""

import copy
import re
from typing import Any

import pulumi
from pulumi.runtime import register_stack_transformation

_VERSION = re.compile(r"azure-native:[A-Za-z0-9]+/v[0-9]+[a-z]*:[A-Za-z0-9]+")


def drop_version_aliases() -> None:
    """Removes aliases that differ only in the version of the type from all resources declared later."""
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
        # Other properties are set only in an alias of the program, for a resource that was renamed or moved.
        and alias.name is alias.parent is alias.stack is alias.project is ...
    )
