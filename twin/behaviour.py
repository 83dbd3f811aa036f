"""How the twin behaves where Azure's behaviour is not documented, and while a change takes effect.

These are calls of the control API; see `twin.control`.
"""

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


class Follower(Protocol):
    """What follows readings; the gateway does."""

    def use(self, readings: Readings) -> None:
        """Follows other readings.

        Raises:
            PolicyError: API Management would refuse the policies under them.
        """
        ...


class Deployer(Protocol):
    """What deploys other settings; see `twin.rollout`."""

    @property
    def is_finished(self) -> bool:
        """Whether the last change has taken effect as a whole."""
        ...

    async def begin(self, config: Mapping[str, str]) -> None:
        """Deploys the stack with other settings."""
        ...

    def finish(self) -> None:
        """Lets the rest of the change take effect."""
        ...

    def undo(self) -> None:
        """Goes back to the settings of the start."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What can be changed of a running twin's behaviour.

    Attributes:
        gateway: follows the readings.
        readings: those that all other processes of the twin follow.
        first: the readings with which the twin was started.
        rollout: deploys other settings.
    """

    gateway: Follower
    readings: SharedReadings
    first: Readings
    rollout: Deployer

    def use(self, readings: Readings) -> None:
        """Follows other readings everywhere.

        Raises:
            PolicyError: API Management would refuse the policies under them; nothing has changed.
        """
        self.gateway.use(readings)
        self.readings.choose(readings)

    def reset(self) -> None:
        """Goes back to the readings and settings of the start."""
        self.rollout.undo()
        if self.readings.current != self.first:
            self.use(self.first)


def behaviour_routes(behaviour: Behaviour) -> list[Route]:
    """The control API's calls that show and change the behaviour."""
    calls = _Calls(behaviour)
    return [
        Route("/readings", calls.show, methods=["GET"]),
        Route("/readings", calls.choose, methods=["PUT"]),
        Route("/deployment", calls.deploy, methods=["POST"]),
    ]


class _Calls:
    """One method a call."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    async def show(self, _request: Request) -> Response:
        return JSONResponse({"readings": _described(self._behaviour.readings.current)})

    async def choose(self, request: Request) -> Response:
        fields = await read_fields(request, {key for each in TABLE for key in (each.name, each.id)})
        if not all(isinstance(option, str) for option in fields.values()):
            raise InvalidCallError('Each reading is named with an option, such as {"query": "raw"}.')
        try:
            readings = Readings.default().choose(fields)
            self._behaviour.use(readings)
        except ReadingError as error:
            raise InvalidCallError(str(error)) from None
        except PolicyError as error:
            raise InvalidCallError(
                f"API Management would refuse the policies under these readings; nothing was changed: {error}"
            ) from error
        return JSONResponse({"changed": readings.changed()})

    async def deploy(self, request: Request) -> Response:
        fields = await read_fields(request, {"config", "finish"})
        config, finish = fields.get("config", {}), fields.get("finish", False)
        if not isinstance(config, dict) or not all(isinstance(value, str) for value in config.values()):
            raise InvalidCallError('config must be an object of strings, such as {"keyVersion": "2"}.')
        if not isinstance(finish, bool) or bool(config) == finish:
            raise InvalidCallError("Either config (settings to change) or finish (true) is needed.")
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
            "id": each.id,
            "name": each.name,
            "question": each.text,
            "chosen": chosen[each.name],
            "default": each.default.name,
            "options": {option.name: option.meaning for option in each.options},
        }
        for each in TABLE
    ]
