"""A change of a service that has reached the gateways in part."""

from collections.abc import Iterable
from dataclasses import replace

from apim.readings import Readings
from apim.service import NamedValue, Service


def in_effect(old: Service, new: Service, readings: Readings) -> Service:
    """What the gateways run while a change from `old` to `new` takes effect.

    Named values that exist on one side only exist throughout: a deployment creates them before the policies
    that mention them, and deletes them afterwards.

    Args:
        old: before the change.
        new: after it.
        readings: `named_value_order` says which part of the change takes effect first.
    """
    if readings.named_value_order == "values-first":
        return replace(old, named_values=_merged(new.named_values, old.named_values))
    if readings.named_value_order == "policies-first":
        return replace(new, named_values=_merged(old.named_values, new.named_values))
    return new


def _merged(first: Iterable[NamedValue], second: Iterable[NamedValue]) -> tuple[NamedValue, ...]:
    """All named values; of those that are in both, the ones of `first`."""
    return tuple(({value.name: value for value in second} | {value.name: value for value in first}).values())
