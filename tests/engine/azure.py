"""The Azure account of the provider double: existing resources, refusals, and a record of all calls.

Ids and outputs come from the twin's Azure. Names that Azure or a provider chooses differ from one creation
to the next, so a replacement is a new resource, and a key that is generated again is another key.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pulumi

from tests.engine import template
from tests.engine.record import Call, Record
from tests.engine.refusals import Account, Existing, refusal
from twin.azure import arm
from twin.azure.cloud import Cloud

# Azure refuses a write to one of these resources while another write below the same API is running.
_OF_ONE_API = (
    "apimanagement:Api",
    "apimanagement:ApiOperation",
    "apimanagement:ApiOperationPolicy",
    "apimanagement:ApiPolicy",
)

_PAUSE = 0.02  # seconds between two checks of a delayed call
_IDLE = 0.5  # seconds without a call after which the account counts as idle


class AzureError(Exception):
    """Azure refuses a request; the message is Azure's error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Delays the end of calls until a condition is true, like a slow service.

    Attributes:
        calls: whether a call is delayed.
        until: the condition.
        seconds: the longest delay, after which calls end although the condition is false.
    """

    calls: Callable[[Call], bool]
    until: Callable[[], bool]
    seconds: float = 20.0


@dataclass(slots=True, kw_only=True)
class Faults:
    """The faults of the account, which a test may change while the account is in use.

    Attributes:
        refuse: the calls that are refused. A call is refused only after the account has been idle for a
            while, so that all resources that do not depend on the refused one exist.
        hold: the calls that are delayed.
        unpropagated: how often each resource that refers to a secret is refused because role assignments have
            not taken effect.
        monitored: whether Azure creates the logger and the diagnostic `azuremonitor` with an API Management
            service. Exports of services contain both; when they are created is not documented.
        exclusive: whether a write to an API is refused (409) during another write to it, as in Azure.
        occupied: seconds that such a write takes, so that a parallel one conflicts with it.
    """

    refuse: Callable[[Call], bool] = lambda _call: False
    hold: Hold | None = None
    unpropagated: int = 0
    monitored: bool = True
    exclusive: bool = True
    occupied: float = 0.01


class Azure:
    """One subscription and its tenant, with everything that was created in them. It is thread-safe.

    Attributes:
        record: every call, refused ones included.
        faults: the faults.
    """

    def __init__(self) -> None:
        self.record = Record()
        self.faults = Faults()
        self._cloud = Cloud()
        self._changed = threading.Condition(threading.RLock())
        self._resources: dict[str, Existing] = {}
        self._soft_deleted: set[str] = set()
        self._creations: Counter[str] = Counter()
        self._writing: list[Call] = []
        self._too_early: Counter[str] = Counter()

    @property
    def resources(self) -> Mapping[str, Existing]:
        """The existing resources by lower-case id."""
        with self._changed:
            return dict(self._resources)

    def of_type(self, *types: str) -> tuple[Existing, ...]:
        """The existing resources of some types, each a token or its end after a colon."""
        return tuple(
            existing
            for existing in self.resources.values()
            if any(existing.type == type_ or existing.type.endswith(f":{type_}") for type_ in types)
        )

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a provider's function."""
        return self._cloud.invoke(token, arguments)

    def create(self, call: Call) -> tuple[str, dict[str, Any]]:
        """Creates a resource and returns its id and outputs.

        Raises:
            AzureError: Azure refuses it.
        """
        with self._changed:
            self._creations[call.urn] += 1
            unique = f"{call.urn}#{self._creations[call.urn]}"
        identifier, outputs = self._compute(call, unique)
        call.id = identifier
        with self._write(call):
            pass
        return identifier, outputs

    def update(self, call: Call, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """Changes a resource with these outputs, and returns its new outputs.

        Raises:
            AzureError: Azure refuses it.
        """
        _, computed = self._compute(call, call.urn)
        # Values that Azure generated for an Entra resource are kept; the other outputs follow from inputs and
        # id.
        kept = outputs.keys() & computed.keys() - call.inputs.keys() if call.is_in("azuread") else set()
        with self._write(call):
            pass
        return {**computed, **{key: outputs[key] for key in kept}}

    def delete(self, call: Call) -> None:
        """Deletes a resource and everything below it.

        Raises:
            AzureError: Azure refuses it.
        """
        with self._write(call):
            pass

    def read(self, identifier: str) -> Existing | None:
        """The current resource, or None if it does not exist."""
        return self.resources.get(identifier.lower())

    def place(self, type_: str, identifier: str, **outputs: Any) -> None:
        """Adds a resource that no stack created, in the state that an adopting stack requires."""
        urn = f"urn:pulumi:other::other::{type_}::{identifier.rpartition('/')[2]}"
        # Any type is allowed, including types that no setting can adopt.
        computed = arm.read(self._cloud.subscription, type_, identifier, ())
        with self._changed:
            self._resources[identifier.lower()] = Existing(
                id=identifier, urn=urn, inputs={}, outputs={**computed, **outputs}
            )

    def keep(self, call: Call, outputs: Mapping[str, Any]) -> None:
        """Stores the outputs that the provider reported for a resource, for the next read."""
        if call.is_in("random"):
            return
        with self._changed:
            existing = self._resources[call.id.lower()]
            self._resources[call.id.lower()] = Existing(
                id=existing.id, urn=existing.urn, inputs=existing.inputs, outputs=outputs
            )

    def change(self, identifier: str, **inputs: Any) -> None:
        """Changes properties of a resource outside of Pulumi, as in the portal."""
        with self._changed:
            existing = self._resources[identifier.lower()]
            self._resources[identifier.lower()] = Existing(
                id=existing.id,
                urn=existing.urn,
                inputs={**existing.inputs, **inputs},
                outputs={**existing.outputs, **inputs},
            )

    def remove(self, identifier: str) -> None:
        """Deletes a resource outside of Pulumi, as in the portal."""
        with self._changed:
            del self._resources[identifier.lower()]

    def _create_with_service(self, service: str) -> None:
        """Creates the resources that Azure creates with an API Management service."""
        self._put("apimanagement:Policy", f"{service}/policies/policy", {})
        if self.faults.monitored:
            logger = f"{service}/loggers/azuremonitor"
            self._put("apimanagement:Logger", logger, {"loggerType": "azureMonitor"})
            properties = {"loggerId": logger, "logClientIp": True}
            self._put("apimanagement:Diagnostic", f"{service}/diagnostics/azuremonitor", properties)

    def _put(self, type_: str, identifier: str, properties: Mapping[str, Any]) -> None:
        """Creates or updates a resource that is not one of the stack's."""
        urn = f"urn:pulumi:azure::azure::azure-native:{type_}::{identifier.rpartition('/')[2]}"
        self._resources[identifier.lower()] = Existing(id=identifier, urn=urn, inputs=properties, outputs={})

    def _compute(self, call: Call, unique: str) -> tuple[str, dict[str, Any]]:
        try:
            return self._cloud.create(call.type, call.name, call.inputs, urn=unique)
        except pulumi.RunError as error:
            raise AzureError(str(error)) from None

    @contextmanager
    def _write(self, call: Call) -> Generator[None]:
        """One write, which is refused at its beginning or visible at its end."""
        with self._changed:
            conflict = self.faults.exclusive and next(filter(_same_api(call), self._writing), None)
            self._writing.append(call)
        try:
            self._refuse(call, conflict or None)
            self._wait(call)
            yield
            self._apply(call)
        finally:
            with self._changed:
                self._writing.remove(call)
                self._changed.notify_all()

    def _refuse(self, call: Call, conflict: Call | None) -> None:
        if conflict:
            raise AzureError(
                f"409 PessimisticConcurrencyConflict: {call.name} was modified together with {conflict.name}."
            )
        if self.faults.refuse(call):
            self._wait_until_idle()
            raise AzureError(f"500 InternalServerError: {call.kind} of {call.name} was refused by the test.")
        with self._changed:
            early = self._too_early[call.urn] < self.faults.unpropagated
            answer = refusal(
                call,
                Account(
                    resources=self._resources,
                    soft_deleted=frozenset(self._soft_deleted),
                    writing=tuple(self._writing),
                    roles_apply=not early,
                ),
            )
            self._too_early[call.urn] += bool(answer)
        if answer:
            raise AzureError(answer)

    def _wait(self, call: Call) -> None:
        hold = self.faults.hold
        if hold and hold.calls(call):
            deadline = time.monotonic() + hold.seconds
            while not hold.until() and time.monotonic() < deadline:
                time.sleep(_PAUSE)
        elif self.faults.exclusive and call.is_of(*_OF_ONE_API):
            time.sleep(self.faults.occupied)

    def _wait_until_idle(self) -> None:
        instant, since = self.record.instant, time.monotonic()
        while time.monotonic() < since + _IDLE:
            time.sleep(_PAUSE)
            if self.record.instant != instant:
                instant, since = self.record.instant, time.monotonic()

    def _apply(self, call: Call) -> None:
        if call.is_in("random"):
            return
        key = call.id.lower()
        with self._changed:
            if call.kind != "delete":
                self._resources[key] = Existing(id=call.id, urn=call.urn, inputs=call.inputs, outputs={})
                if call.kind == "create" and call.is_of("apimanagement:ApiManagementService"):
                    self._create_with_service(call.id)
                for deployed in template.resources(call):
                    self._put(deployed.type, deployed.id, deployed.properties)
                return
            deleted = tuple(
                Account(resources=self._resources, soft_deleted=frozenset(), writing=()).below(call.id)
            )
            for existing in deleted:
                del self._resources[existing.id.lower()]
                if existing.type.endswith("apimanagement:ApiManagementService"):
                    self._soft_deleted.add(existing.id.lower().rpartition("/")[2])
                if ":keyvault:" in existing.type:
                    self._soft_deleted.add(existing.id.lower())
            call.removed = tuple(existing.id for existing in deleted)


def _same_api(call: Call) -> Callable[[Call], bool]:
    """Whether another call writes to the API that this one writes to."""

    def same(other: Call) -> bool:
        return bool(_api(call)) and _api(call) == _api(other)

    return same


def _api(call: Call) -> str:
    if not call.is_of(*_OF_ONE_API):
        return ""
    head, _, tail = call.id.lower().partition("/apis/")
    return f"{head}/apis/{tail.partition('/')[0]}"
