"""The operations of the control API that change readings and settings of a running twin."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from apim.findings import PolicyError
from apim.readings import TABLE, ReadingError, Readings
from twin.control_call import InvalidCallError, read_fields
from twin.shared_readings import SharedReadings
from twin.stack import StackError


class ReadingsConsumer(Protocol):
    """An object whose behaviour depends on readings, such as the gateway."""

    def use(self, readings: Readings) -> None:
        """Applies other readings.

        Raises:
            PolicyError: API Management would reject the policies under them.
        """
        ...


class Deployer(Protocol):
    """Changes settings of the running stack; see `twin.rollout`."""

    @property
    def is_finished(self) -> bool:
        """Whether the last change has taken effect completely."""
        ...

    async def begin(self, config: Mapping[str, str]) -> None:
        """Deploys the stack with other settings. A part of the change may take effect only with `finish`."""
        ...

    def finish(self) -> None:
        """Applies the part of the change that has not taken effect yet."""
        ...

    def restore(self) -> None:
        """Restores the initial settings."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The behaviour of a running twin.

    Attributes:
        gateway: the gateway, which uses the readings.
        readings: the readings that all other processes of the twin use.
        initial: the readings with which the twin was started.
        rollout: changes settings of the running stack.
    """

    gateway: ReadingsConsumer
    readings: SharedReadings
    initial: Readings
    rollout: Deployer

    def use(self, readings: Readings) -> None:
        """Applies other readings to all processes.

        Raises:
            PolicyError: API Management would reject the policies under them; nothing is changed.
        """
        self.gateway.use(readings)
        self.readings.choose(readings)

    def reset(self) -> None:
        """Restores the initial readings and settings."""
        self.rollout.restore()
        if self.readings.current != self.initial:
            self.use(self.initial)


def behaviour_routes(behaviour: Behaviour) -> list[Route]:
    """The routes that show and change the behaviour."""
    handlers = _Handlers(behaviour)
    return [
        Route("/readings", handlers.show, methods=["GET"]),
        Route("/readings", handlers.choose, methods=["PUT"]),
        Route("/deployment", handlers.deploy, methods=["POST"]),
    ]


class _Handlers:
    """The handlers, one for each operation."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    async def show(self, _request: Request) -> Response:
        return JSONResponse({"readings": _described(self._behaviour.readings.current)})

    async def choose(self, request: Request) -> Response:
        fields = await read_fields(
            request, {key for question in TABLE for key in (question.name, question.id)}
        )
        if not all(isinstance(option, str) for option in fields.values()):
            raise InvalidCallError('The body must map readings to options, such as {"query": "raw"}.')
        try:
            readings = Readings.default().choose(fields)
            self._behaviour.use(readings)
        except ReadingError as error:
            raise InvalidCallError(str(error)) from None
        except PolicyError as error:
            raise InvalidCallError(
                f"API Management would reject the policies under these readings; nothing was changed: {error}"
            ) from error
        return JSONResponse({"changed": readings.changed()})

    async def deploy(self, request: Request) -> Response:
        fields = await read_fields(request, {"config", "finish"})
        config, finish = fields.get("config", {}), fields.get("finish", False)
        if not isinstance(config, dict) or not all(isinstance(value, str) for value in config.values()):
            raise InvalidCallError('config must be an object of strings, such as {"keyVersion": "2"}.')
        if not isinstance(finish, bool) or bool(config) == finish:
            raise InvalidCallError("Send either config (settings to change) or finish (true).")
        rollout = self._behaviour.rollout
        try:
            if finish:
                rollout.finish()
            else:
                await rollout.begin(config)
        except (StackError, PolicyError) as error:
            raise InvalidCallError(f"Nothing was changed: {error}") from error
        return JSONResponse({"finished": rollout.is_finished})


def _described(readings: Readings) -> list[dict[str, object]]:
    chosen = readings.as_dict()
    return [
        {
            "id": question.id,
            "name": question.name,
            "question": question.text,
            "chosen": chosen[question.name],
            "default": question.default.name,
            "options": {option.name: option.meaning for option in question.options},
        }
        for question in TABLE
    ]
