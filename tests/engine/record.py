"""The record of the calls from Pulumi's engine to the providers.

Time is counted in beginnings and ends of calls, not in seconds: no two events have the same time, and the
result does not depend on the speed of the machine.
"""

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["check", "diff", "create", "update", "delete", "read", "upload"]


@dataclass(slots=True, kw_only=True)
class Call:
    """One call of a provider, or one upload to the deployment service.

    Attributes:
        kind: the kind of call.
        preview: whether it belongs to a preview and changes nothing.
        urn: the resource in Pulumi.
        id: the resource in Azure; empty until it is created.
        began: the instant at which it arrived.
        ended: the instant at which it was answered; 0 while it is in progress.
        inputs: the resource's new inputs, or the old ones for a delete.
        removed: for a delete the ids of all deleted resources.
        error: why it was refused; empty when it succeeded.
    """

    kind: Kind
    preview: bool
    urn: str
    id: str = ""
    began: int = 0
    ended: int = 0
    inputs: Mapping[str, Any] = field(default_factory=dict, repr=False)
    removed: tuple[str, ...] = ()
    error: str = ""

    @property
    def type(self) -> str:
        """The type token, `azure-native:web:WebApp`."""
        return self.urn.split("::")[2].rpartition("$")[2]

    @property
    def name(self) -> str:
        """The logical name."""
        return self.urn.split("::")[3]

    def is_in(self, package: str) -> bool:
        """Whether the resource belongs to a provider: `azure-native`, `azuread`, `random`."""
        return self.type.startswith(f"{package}:")

    @property
    def changed_azure(self) -> bool:
        """Whether the call changed Azure."""
        return self.kind in ("create", "update", "delete") and not self.preview and not self.error

    def is_of(self, *types: str) -> bool:
        """Whether the resource is of one of these types, each a token or its end (`web:WebApp`)."""
        return any(self.type == type_ or self.type.endswith(f":{type_}") for type_ in types)


class Record:
    """All calls, in the order in which they began. It is thread-safe.

    Attributes:
        instant: the time of the latest event.
    """

    def __init__(self) -> None:
        self.instant = 0
        self._lock = threading.Lock()
        self._calls: list[Call] = []

    @contextmanager
    def of(self, call: Call) -> Generator[Call]:
        """Records a call around its execution; an exception is its error."""
        with self._lock:
            call.began = self._next()
            self._calls.append(call)
        try:
            yield call
        except Exception as error:
            call.error = str(error)
            raise
        finally:
            with self._lock:
                call.ended = self._next()

    def _next(self) -> int:
        self.instant += 1
        return self.instant

    def __len__(self) -> int:
        return len(self._calls)

    def calls(self, since: int = 0) -> tuple[Call, ...]:
        """The calls after a position, which is an earlier value of `len(record)`."""
        with self._lock:
            return tuple(self._calls[since:])
