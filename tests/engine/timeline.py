"""The resources that existed in Azure at every instant, computed from the record of calls.

It is not known when, during a call, the call takes effect. So a resource *may exist* from the beginning of
its creation to the end of its deletion, and *certainly exists* from the end of its creation to the
beginning of its deletion. A resource that needs protection counts as soon as it may exist, the resource that
protects it only while it certainly exists.

A resource that is deleted together with another one exists until that deletion has ended.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.engine.record import Call


@dataclass(frozen=True, slots=True)
class Interval:
    """Instants from `start` on and before `end`."""

    start: float
    end: float

    def __bool__(self) -> bool:
        return self.start < self.end

    def common(self, other: "Interval") -> "Interval":
        """The instants in both intervals."""
        return Interval(max(self.start, other.start), min(self.end, other.end))

    def overlaps(self, other: "Interval") -> bool:
        """Whether an instant is in both intervals."""
        return bool(self.common(other))

    def without(self, others: Sequence["Interval"]) -> Iterator["Interval"]:
        """The parts of the interval that no interval in `others` covers."""
        start = self.start
        for other in sorted(others, key=lambda call: call.start):
            if before := Interval(start, min(other.start, self.end)):
                yield before
            start = max(start, other.end)
        if rest := Interval(start, self.end):
            yield rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A resource with one set of inputs.

    Attributes:
        id: its id in Azure.
        urn: its name in Pulumi.
        inputs: the inputs with which it was created or last updated.
        possible: when it may have existed with these inputs.
        certain: when it certainly existed, with these inputs or, during an update, the next ones.
    """

    id: str
    urn: str
    inputs: Mapping[str, Any]
    possible: Interval
    certain: Interval

    @property
    def name(self) -> str:
        """The logical name."""
        return self.urn.split("::")[3]

    @property
    def type(self) -> str:
        """The type token."""
        return self.urn.split("::")[2].rpartition("$")[2]


class Timeline:
    """The history of an account.

    Args:
        calls: all calls since the account was empty.
    """

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = tuple(calls)
        changes: dict[str, list[Call]] = {}
        for call in self.calls:
            if call.changed_azure and not call.is_in("random"):
                for identifier in {call.id, *call.removed}:
                    changes.setdefault(identifier.lower(), []).append(call)
        self._versions = {
            identifier: tuple(_versions(identifier, sorted(calls, key=lambda call: call.began)))
            for identifier, calls in changes.items()
        }

    def versions(self, *types: str) -> Iterator[Version]:
        """All versions of all resources of some types, each a token or its end."""
        for version in itertools.chain.from_iterable(self._versions.values()):
            if any(version.type == type_ or version.type.endswith(f":{type_}") for type_ in types):
                yield version

    def certain(self, identifier: str) -> tuple[Interval, ...]:
        """When a resource certainly existed."""
        return tuple(version.certain for version in self._versions.get(identifier.lower(), ()))

    def exists_at_end(self, identifier: str) -> bool:
        """Whether a resource exists after the last call."""
        return any(interval.end == math.inf for interval in self.certain(identifier))

    def during(self, interval: Interval) -> tuple[Call, ...]:
        """The calls that changed Azure and were in progress in an interval."""
        return tuple(
            call
            for call in self.calls
            if call.changed_azure and interval.overlaps(Interval(call.began, call.ended))
        )

    def describe(self, instant: float) -> str:
        """The event at an instant: `create slack-http ended`."""
        for call in self.calls:
            if instant in (call.began, call.ended):
                verb = "began" if instant == call.began else "ended"
                return f"{call.kind} {call.name} {verb}"
        return "the record ended" if instant == math.inf else "the record began"


def _versions(identifier: str, calls: Sequence[Call]) -> Iterator[Version]:
    """The versions of one resource, from the calls that created, changed and deleted it in turn."""
    for call, following in itertools.pairwise([*calls, None]):
        if call is None or call.kind == "delete":
            continue
        if following is None:
            gone, unsure = math.inf, math.inf
        elif following.kind == "delete":
            # A resource that is deleted with another one exists as long as that one.
            own = following.id.lower() == identifier
            gone, unsure = following.ended, following.began if own else following.ended
        else:
            # An update: from its beginning to its end either version exists, without a gap.
            gone, unsure = following.ended, following.ended
        yield Version(
            id=call.id,
            urn=call.urn,
            inputs=call.inputs,
            possible=Interval(call.began, gone),
            certain=Interval(call.ended, unsure),
        )
