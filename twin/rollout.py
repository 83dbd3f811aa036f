"""Changes settings of the stack while the twin runs, as far as they affect API Management."""

import asyncio
from collections.abc import Callable, Mapping

from apim.gateway import Gateway
from apim.rollout import in_effect
from apim.service import Service
from twin import daemon_thread
from twin.shared_readings import SharedReadings


class Rollout:
    """Deploys changes to the gateway, in one or two parts depending on the reading named-value-order.

    Args:
        gateway: the gateway, which runs the initial service.
        readings: the readings, which determine the part of a change that takes effect first.
        evaluate: returns the service that the stack declares with other settings.
        loaded: called when the gateway has loaded a service.
    """

    def __init__(
        self,
        gateway: Gateway,
        readings: SharedReadings,
        evaluate: Callable[[Mapping[str, str]], Service],
        loaded: Callable[[], object] = lambda: None,
    ) -> None:
        self._gateway = gateway
        self._readings = readings
        self._evaluate = evaluate
        self._loaded = loaded
        self._initial = gateway.service
        self._deployed = gateway.service
        self._changing = asyncio.Lock()

    @property
    def is_finished(self) -> bool:
        """Whether the last change has taken effect completely."""
        return self._gateway.service is self._deployed

    async def begin(self, config: Mapping[str, str]) -> None:
        """Deploys the stack with other settings, after completing the previous change.

        Raises:
            StackError: the settings are not valid; nothing is changed.
            PolicyError: API Management would reject the policies; nothing is changed.
        """
        async with self._changing:
            new = await asyncio.wrap_future(daemon_thread.start(lambda: self._evaluate(config), "rollout"))
            self._load(in_effect(self._deployed, new, self._readings.current))
            self._deployed = new

    def finish(self) -> None:
        """Applies the part of the change that has not taken effect yet."""
        if not self.is_finished:
            self._load(self._deployed)

    def restore(self) -> None:
        """Restores the initial service."""
        self._deployed = self._initial
        self.finish()

    def _load(self, service: Service) -> None:
        self._gateway.load(service)
        self._loaded()
