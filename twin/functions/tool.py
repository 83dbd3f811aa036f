"""Creates an MCP tool from a function with an MCP tool trigger."""

import inspect
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import mcp_types as types
from azure.functions import meta
from azure.functions.decorators.function_app import Function

from twin.functions import jsonrpc
from twin.functions.settings import HostError

_log = logging.getLogger(__name__)

_TRIGGER = "mcpToolTrigger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool.

    Attributes:
        definition: the entry of the tool in `tools/list`.
        required: names of the properties without which the extension does not call the function.
        function: the function of the app.
        argument: name of the parameter that receives the invocation.
        has_envelope: True if the function returns the extension's envelope (`useResultSchema`), False if it
            returns a string.
    """

    definition: types.Tool
    required: tuple[str, ...]
    function: Callable[..., Any]
    argument: str
    has_envelope: bool

    @classmethod
    def of(cls, function: Function) -> "Tool":
        """Creates the tool that a function declares.

        Raises:
            HostError: the function has another trigger, or bindings that this host does not support.
        """
        name = function.get_function_name()
        trigger = function.get_trigger()
        if trigger is None or trigger.type != _TRIGGER:
            kind = "no trigger" if trigger is None else f"a trigger of type {trigger.type}"
            raise HostError(
                f"function {name} has {kind}; the local host serves functions with {_TRIGGER} only"
            )
        if others := [binding.type for binding in function.get_bindings() if binding is not trigger]:
            raise HostError(
                f"function {name} has bindings that the local host does not support: "
                f"{', '.join(map(str, others))}"
            )
        declared = trigger.get_dict_repr()
        properties = json.loads(declared.get("toolProperties") or "[]")
        required = tuple(entry["propertyName"] for entry in properties if entry.get("isRequired"))
        return cls(
            definition=types.Tool(
                name=declared["toolName"],
                description=declared.get("description"),
                input_schema={
                    "type": "object",
                    "properties": {entry["propertyName"]: _property_schema(entry) for entry in properties},
                    "required": list(required),
                },
                _meta=json.loads(declared["metadata"]) if declared.get("metadata") else None,
            ),
            required=required,
            function=function.get_user_function(),
            argument=trigger.name,
            has_envelope=bool(declared.get("useResultSchema")),
        )

    async def call(self, invocation: Mapping[str, Any]) -> types.CallToolResult:
        """Runs the function.

        Args:
            invocation: the argument of the function, which is sent as JSON: `name`, `arguments`, `sessionid`
                and so on.

        Returns:
            The result of the function. If it raises an exception, an error result without the reason.

        Raises:
            RequestError: a required property is missing. As in the extension, this is a protocol error, not a
                tool result.
        """
        arguments = invocation.get("arguments") or {}
        if missing := [name for name in self.required if arguments.get(name) is None]:
            names = ", ".join(missing)
            raise jsonrpc.RequestError(
                jsonrpc.INVALID_PARAMS,
                f"One or more required tool properties are missing values. Please provide: {names}",
            )
        try:
            return self._result(await self._run(json.dumps(invocation)))
        except Exception:  # noqa: BLE001 - any error of the function is logged, not sent to the client
            _log.exception("function of tool %s failed", self.definition.name)
            failed = _text_result(f"An error occurred invoking '{self.definition.name}'.")
            failed.is_error = True
            return failed

    async def _run(self, invocation: str) -> object:
        """Calls the function as the Python worker does: coroutines in the event loop, others in a thread."""
        if inspect.iscoroutinefunction(self.function):
            return await self.function(**{self.argument: invocation})
        return await anyio.to_thread.run_sync(
            partial(self.function, **{self.argument: invocation}), abandon_on_cancel=True
        )

    def _result(self, returned: object) -> types.CallToolResult:
        """Converts the return value of the function as the Python worker and the extension do."""
        encoded = meta.get_binding_registry().get(_TRIGGER).encode(returned, expected_type=None)
        value = encoded.value.decode() if isinstance(encoded.value, bytes) else encoded.value
        return _unwrap(value) if self.has_envelope else _text_result(value)


def _property_schema(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of one entry of `toolProperties`."""
    kind = {"type": entry["propertyType"]}
    if entry.get("enumValues"):
        kind["enum"] = entry["enumValues"]
    shape = {"type": "array", "items": kind} if entry.get("isArray") else kind
    return {**shape, "description": entry.get("description") or ""}


def _text_result(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


def _unwrap(envelope: str) -> types.CallToolResult:
    """Reads the result in the extension's envelope (`ToolReturnValueBinder`).

    Raises:
        KeyError, ValueError: the string is not an envelope.
    """
    if envelope == "":
        return types.CallToolResult(content=[])
    fields = {name.lower(): value for name, value in json.loads(envelope).items()}
    content = json.loads(fields["content"])
    if fields["type"] == "call_tool_result":
        return types.CallToolResult.model_validate(content)
    blocks = content if fields["type"] == "multi_content_result" else [content]
    structured = fields.get("structuredcontent")
    return types.CallToolResult.model_validate(
        {"content": blocks, "structuredContent": json.loads(structured) if structured else None}
    )
