"""The configuration of a service while the gateways have applied only part of a change."""

from collections.abc import Iterable
from dataclasses import replace

from apim.readings import Readings
from apim.service import NamedValue, Service


def in_effect(old: Service, new: Service, readings: Readings) -> Service:
    """The configuration that gateways run while a change from `old` to `new` takes effect.

    A named value that is only in one of the two exists during the whole change: a deployment creates it
    before the policies that mention it, and deletes it after them.

    Args:
        old: the service before the change.
        new: the service after the change.
        readings: `named_value_order` says which part of the change takes effect first.
    """
    if readings.named_value_order == "values-first":
        return replace(old, named_values=_merged(new.named_values, old.named_values))
    if readings.named_value_order == "policies-first":
        return replace(new, named_values=_merged(old.named_values, new.named_values))
    return new


def _merged(first: Iterable[NamedValue], second: Iterable[NamedValue]) -> tuple[NamedValue, ...]:
    """The named values of both; those of `first` take precedence."""
    return tuple(({value.name: value for value in second} | {value.name: value for value in first}).values())
