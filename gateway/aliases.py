"""Aliases that no stack of this program needs.

Azure's provider gives a resource an alias for each version of Azure's API, twenty and more, so that a program
may change from one to another. Working them out takes three quarters of the time of a program with many
resources. This one never named a version, so there is no resource that they could find.
"""

import copy
import re
from typing import Any

import pulumi
from pulumi.runtime import register_stack_transformation

_VERSION = re.compile(r"azure-native:[A-Za-z0-9]+/v[0-9]+[a-z]*:[A-Za-z0-9]+")


def leave_out_those_of_other_versions() -> None:
    """From now on resources have no alias that differs in nothing but the version in its type."""
    register_stack_transformation(_without)


def _without(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
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
        # What a program says of a resource that it renamed or moved.
        and alias.name is alias.parent is alias.stack is alias.project is ...
    )
