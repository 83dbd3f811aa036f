"""Replaces Pulumi's engine: records the resources that a program registers, and returns Azure's outputs.

Pulumi's `MockMonitor` keeps only ids and states. This one keeps all data of a registration and behaves
like the engine for nested URNs, duplicate URNs and secrets.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, Protocol

import pulumi
from pulumi.runtime.mocks import MockMonitor, Mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.rpc import UNKNOWN as UNKNOWN_WIRE

# Signatures of special values on the wire, fixed by Pulumi's protocol (sdk/go/common/resource/sig).
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a type tag, not a secret
_RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_ASSETS = {"c44067f5952c0a294b673a41bacd8c17": "asset", "0def7320c3a5731c473e5ecbe6d01bc7": "archive"}

STACK_TYPE = "pulumi:pulumi:Stack"

_IDENTITY_TYPE = ":managedidentity:UserAssignedIdentity"


class _Unknown:
    """The value of an output that is unknown before a deployment. It stays a singleton when it is pickled."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __reduce__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()


class Provider(Protocol):
    """Computes the outputs of resources and the results of functions: Azure, or a stand-in for it."""

    def create(
        self, type_: str, name: str, inputs: Mapping[str, Any], *, urn: str
    ) -> tuple[str, dict[str, Any]]:
        """The id of a resource, and its outputs by wire name."""
        ...

    def read(self, type_: str, identifier: str, *, assigned: Sequence[str] = ()) -> dict[str, Any]:
        """The outputs of an existing resource.

        Args:
            type_: type token.
            identifier: id of the resource in Azure.
            assigned: ids of the user-assigned identities of the resource.
        """
        ...

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a provider's function."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Declared:
    """A declared resource.

    Attributes:
        urn: the name by which Pulumi tracks it.
        type: type token, such as `azure-native:apimanagement:Api`.
        name: logical name.
        custom: False for component resources.
        external: True for an existing resource that the program reads and does not manage.
        id: id in Azure; empty in a preview and for components.
        inputs: inputs by wire name (camelCase), secrets in clear text; `UNKNOWN` if unknown in a preview.
        secret_inputs: paths of secret inputs, such as `value` or `siteConfig.appSettings[0].value`.
        outputs: Azure's outputs by wire name; for a component, its registered outputs.
        secret_outputs: names of secret outputs.
        registered: whether a component has registered its outputs; True for custom resources.
        parent: URN of the parent; empty only for the stack.
        dependencies: URNs of all resources that must exist before this one.
        property_dependencies: the dependencies by input.
        protect, retain_on_delete, ignore_changes, replace_on_changes, additional_secret_outputs,
        deleted_with, delete_before_replace, provider: resource options.
        error_hooks: names of the hooks that are called when the creation or update of the resource fails.
    """

    urn: str
    type: str
    name: str
    custom: bool
    inputs: Mapping[str, Any]
    parent: str
    id: str = ""
    external: bool = False
    secret_inputs: frozenset[str] = frozenset()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    secret_outputs: frozenset[str] = frozenset()
    registered: bool = True
    dependencies: frozenset[str] = frozenset()
    property_dependencies: Mapping[str, frozenset[str]] = field(default_factory=dict)
    protect: bool = False
    retain_on_delete: bool = False
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    deleted_with: str = ""
    delete_before_replace: bool = False
    provider: str = ""
    error_hooks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.type} {self.name!r}>"

    def is_secret(self, path: str) -> bool:
        """Whether an input, or an input that contains it, is secret."""
        return any(
            path == secret or re.match(re.escape(secret) + r"[.\[]", path) for secret in self.secret_inputs
        )


class DuplicateResourceError(pulumi.RunError):
    """Two resources have the same URN, which the engine rejects."""


class Monitor(MockMonitor):
    """Records registered resources, and gets their outputs from a provider.

    Args:
        provider: computes the outputs.
        preview: True to leave the outputs unknown, as in a preview.
    """

    def __init__(self, provider: Provider, *, preview: bool) -> None:
        super().__init__(_NoMocks())
        self._provider = provider
        self.preview = preview
        self.declared: dict[str, Declared] = {}

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """The URN of a resource, with the types of all parents except the stack, like the engine's."""
        parent_type = parent.split("::")[2] if parent else ""
        qualified = type_ if parent_type in ("", STACK_TYPE) else f"{parent_type}${type_}"
        return "::".join([f"urn:pulumi:{pulumi.get_stack()}", pulumi.get_project(), qualified, name])

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the name of the remote procedure
        """Records a registration."""
        urn = self.make_urn(request.parent, request.type, request.name)
        if urn in self.declared:
            raise DuplicateResourceError(
                f"Two resources of type {request.type} are named {request.name!r} under the same parent. "
                "Give one of them another name."
            )
        inputs, secret_inputs = read_properties(request.object)
        declared = Declared(
            urn=urn,
            type=request.type,
            name=request.name,
            custom=request.custom,
            inputs=inputs,
            secret_inputs=secret_inputs,
            registered=bool(request.custom),
            parent=request.parent,
            dependencies=frozenset(request.dependencies),
            property_dependencies={
                key: frozenset(value.urns) for key, value in request.propertyDependencies.items()
            },
            protect=request.protect,
            retain_on_delete=request.retainOnDelete,
            ignore_changes=tuple(request.ignoreChanges),
            replace_on_changes=tuple(request.replaceOnChanges),
            additional_secret_outputs=tuple(request.additionalSecretOutputs),
            deleted_with=request.deletedWith,
            delete_before_replace=request.deleteBeforeReplace,
            provider=request.provider,
            error_hooks=tuple(request.hooks.on_error),
        )
        if request.custom and not request.type.startswith("pulumi:providers:"):
            declared = self._create(declared)
        self.declared[urn] = declared
        response = resource_pb2.RegisterResourceResponse(urn=urn, id=declared.id)
        response.object.update(
            {
                key: {_SIGNATURE: _SECRET, "value": value} if key in declared.secret_outputs else value
                for key, value in declared.outputs.items()
                if _known(value)
            }
        )
        return response

    def _create(self, declared: Declared) -> Declared:
        if self.preview:
            identifier, outputs = "", {key: value for key, value in declared.inputs.items() if _known(value)}
        else:
            identifier, outputs = self._provider.create(
                declared.type, declared.name, declared.inputs, urn=declared.urn
            )
        secret = {re.split(r"[.\[]", path)[0] for path in declared.secret_inputs}
        secret.update(declared.additional_secret_outputs)
        return replace(
            declared, id=identifier, outputs=outputs, secret_outputs=frozenset(secret & outputs.keys())
        )

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the name of the remote procedure
        """Records the outputs of a component or of the stack."""
        outputs, secret = read_properties(request.outputs)
        self.declared[request.urn] = replace(
            self.declared[request.urn],
            outputs=outputs,
            secret_outputs=frozenset(re.split(r"[.\[]", path)[0] for path in secret),
            registered=True,
        )
        return super().RegisterResourceOutputs(request)

    def ReadResource(self, request: Any) -> Any:  # noqa: N802 - the name of the remote procedure
        """Reads an existing resource that the stack does not create. Its outputs are known in previews."""
        urn = self.make_urn(request.parent, request.type, request.name)
        # An existing service is assumed to have all user-assigned identities that the program has read
        # before.
        assigned = [
            resource.id
            for resource in self.declared.values()
            if resource.external and resource.type.endswith(_IDENTITY_TYPE)
        ]
        outputs = self._provider.read(request.type, request.id, assigned=assigned)
        self.declared[urn] = Declared(
            urn=urn,
            type=request.type,
            name=request.name,
            custom=True,
            external=True,
            id=request.id,
            inputs={},
            outputs=outputs,
            parent=request.parent,
            dependencies=frozenset(request.dependencies),
        )
        response = resource_pb2.ReadResourceResponse(urn=urn, id=request.id)
        response.properties.update(outputs)
        return response

    def Invoke(self, request: Any) -> Any:  # noqa: N802 - the name of the remote procedure
        """Calls a provider's function."""
        arguments, _ = read_properties(request.args)
        response = resource_pb2.ResourceInvokeResponse()
        getattr(response, "return").update(self._provider.invoke(request.tok, arguments))
        return response


class Callbacks:
    """Accepts error hooks but never calls them, because the evaluation ends with the first failed resource.

    Pulumi's own class would start a server for each evaluation.
    """

    def register_error_hook(self, hook: pulumi.ErrorHook) -> None:
        """Accepts the hook."""


class _NoMocks(Mocks):
    """The mocks that the constructor of `MockMonitor` requires; this monitor never calls them."""

    def call(self, args: Any) -> NoReturn:
        raise AssertionError(args.token)

    def new_resource(self, args: Any) -> NoReturn:
        raise AssertionError(args.typ)


def read_properties(properties: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """Converts a protobuf Struct to Python values; returns the values and the paths of the secret ones."""
    secrets: set[str] = set()
    values = {key: _read(value, key, secrets) for key, value in properties.fields.items()}
    return values, frozenset(secrets)


def _read(value: Any, path: str, secrets: set[str]) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            return UNKNOWN if value.string_value == UNKNOWN_WIRE else value.string_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [
                _read(item, f"{path}[{index}]", secrets) for index, item in enumerate(value.list_value.values)
            ]
        case "struct_value":
            return _read_struct(value.struct_value.fields, path, secrets)
        case _:
            return None


def _read_struct(fields: Mapping[str, Any], path: str, secrets: set[str]) -> Any:
    signature = fields[_SIGNATURE].string_value if _SIGNATURE in fields else ""
    if signature == _SECRET:
        secrets.add(path)
        return _read(fields["value"], path, secrets)
    if signature == _RESOURCE:
        return fields["urn"].string_value
    if signature == _OUTPUT:
        if "secret" in fields and fields["secret"].bool_value:
            secrets.add(path)
        return _read(fields["value"], path, secrets) if "value" in fields else UNKNOWN
    read = {key: _read(item, f"{path}.{key}", secrets) for key, item in fields.items() if key != _SIGNATURE}
    return {"kind": _ASSETS[signature], **read} if signature in _ASSETS else read


def _known(value: Any) -> bool:
    """Whether a value contains no unknown value."""
    if isinstance(value, dict):
        return all(map(_known, value.values()))
    if isinstance(value, list):
        return all(map(_known, value))
    return value is not UNKNOWN
