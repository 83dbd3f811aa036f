"""A double of the providers azure-native, azuread and random, for Pulumi's real engine.

It checks inputs with the SDKs' schema, decides between update and replacement, previews as the real providers
do, and leaves the rest to `Azure`. Its behaviour follows azure-native's `provider/pkg/provider/provider.go`:
a name is chosen in Check and kept in later deployments; if the name was chosen, a replacement creates the new
resource before it deletes the old one, otherwise it deletes the old one first; the outputs of a preview of an
update are the inputs, `name` and `location`, and nothing else that Azure computes.
"""

import hashlib
import importlib.metadata
import uuid
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty  # ty: ignore[missing-module-member]  made at run time
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from tests.engine.azure import Azure, AzureError
from tests.engine.record import Call, Kind
from tests.engine.replacement import changed_paths, replacement_inputs
from tests.engine.wire import write_properties
from tests.program import schema
from twin.azure import arm
from twin.monitor import UNKNOWN, Declared, read_properties

PACKAGES = ("azure-native", "azuread", "random")

# azure-native adds this input to a resource whose name it chose.
_CREATE_FIRST = "__createBeforeDelete"

# Inputs that are maps of strings rather than objects.
_MAPS = ("credentials", "customProperties", "keepers", "tags")

# More threads than the engine has parallel calls, because a delayed call occupies a thread.
_THREADS = 128


@contextmanager
def serve(azure: Azure) -> Generator[str]:
    """Serves the providers, and yields the value of PULUMI_DEBUG_PROVIDERS that attaches them."""
    servers = []
    addresses = []
    for package in PACKAGES:
        server = grpc.server(ThreadPoolExecutor(max_workers=_THREADS))
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(package, azure), server)
        addresses.append(f"{package}:{server.add_insecure_port('127.0.0.1:0')}")
        server.start()
        servers.append(server)
    try:
        yield ",".join(addresses)
    finally:
        for server in servers:
            server.stop(grace=None).wait()


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """One provider. The names of its methods are those of the remote procedures.

    Args:
        package: the package of its resources.
        azure: the account that stores them.
    """

    def __init__(self, package: str, azure: Azure) -> None:
        self._package = package
        self._azure = azure

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Accepts only plain values; the engine then marks secrets in outputs itself."""
        return provider_pb2.ProviderHandshakeResponse()

    def Attach(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Receives the engine's address; this provider never calls the engine."""
        return Empty()

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """The engine stops; calls in progress end normally."""
        return Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """The version of the provider that the SDK belongs to."""
        return plugin_pb2.PluginInfo(version=importlib.metadata.version(f"pulumi-{self._package}"))

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Accepts any provider configuration."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """A change of configuration replaces nothing."""
        return provider_pb2.DiffResponse()

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Previews are supported."""
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Returns the result of a function."""
        arguments, _ = read_properties(request.args)
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(write_properties(self._azure.invoke(request.tok, arguments)))
        return response

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Chooses a name if the program does not, and validates inputs with the SDK's schema."""
        with self._call("check", request, context, request.news) as call:
            olds, _ = read_properties(request.olds)
            inputs = {key: value for key, value in call.inputs.items() if value is not None}
            named = self._named(call, olds, request.randomSeed)
            declared = Declared(
                urn=call.urn, type=call.type, name=call.name, custom=True, inputs=inputs | named, parent=""
            )
            failures = schema.problems(declared)
            if any(key in named for key in arm_names(call)) and olds.get(_CREATE_FIRST, True):
                named[_CREATE_FIRST] = True
            return provider_pb2.CheckResponse(
                inputs=write_properties(inputs | named),
                failures=[provider_pb2.CheckFailure(reason=problem) for problem in failures],
            )

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Returns the inputs that are updated, and those that require a replacement."""
        with self._call("diff", request, context, request.news) as call:
            old, _ = read_properties(request.old_inputs)
            paths = list(changed_paths(old, call.inputs))
            replaces = sorted(
                {path for path in paths if _top(path) in replacement_inputs(call.type, call.inputs)}
            )
            kinds = provider_pb2.PropertyDiff
            return provider_pb2.DiffResponse(
                changes=(
                    provider_pb2.DiffResponse.DIFF_SOME if paths else provider_pb2.DiffResponse.DIFF_NONE
                ),
                diffs=paths,
                replaces=replaces,
                deleteBeforeReplace=call.is_in("azure-native")
                and bool(replaces)
                and not old.get(_CREATE_FIRST),
                detailedDiff={
                    path: kinds(
                        kind=kinds.UPDATE_REPLACE if path in replaces else kinds.UPDATE, inputDiff=True
                    )
                    for path in paths
                },
                hasDetailedDiff=True,
            )

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Creates a resource, or previews its creation."""
        with self._call("create", request, context, request.properties) as call:
            if request.preview:
                return provider_pb2.CreateResponse(properties=write_properties(_preview(call.inputs)))
            identifier, outputs = self._azure.create(call)
            self._azure.keep(call, outputs)
            return provider_pb2.CreateResponse(id=identifier, properties=write_properties(outputs))

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Updates a resource in place, or previews its update."""
        with self._call("update", request, context, request.news) as call:
            call.id = request.id
            olds, _ = read_properties(request.olds)
            if request.preview:
                if call.is_in("azure-native"):
                    stable = {key: olds[key] for key in ("name", "location") if key in olds}
                else:
                    # A bridged provider lists the outputs that an update does not change; here these are all
                    # outputs.
                    stable = olds
                return provider_pb2.UpdateResponse(
                    properties=write_properties({**stable, **_preview(call.inputs)})
                )
            outputs = self._azure.update(call, olds)
            self._azure.keep(call, outputs)
            return provider_pb2.UpdateResponse(properties=write_properties(outputs))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Deletes a resource."""
        with self._call("delete", request, context, request.old_inputs) as call:
            call.id = request.id
            self._azure.delete(call)
            return Empty()

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Reads a resource; a property that changed in Azure also changes the inputs."""
        with self._call("read", request, context, request.inputs) as call:
            call.id = request.id
            if call.is_in("random"):
                return provider_pb2.ReadResponse(
                    id=request.id, properties=request.properties, inputs=request.inputs
                )
            existing = self._azure.read(request.id)
            if existing is None:
                return provider_pb2.ReadResponse()
            olds, _ = read_properties(request.inputs)
            # An import has no inputs yet, so all values that were sent to Azure become inputs.
            inputs = {
                key: existing.inputs.get(key, value) for key, value in (olds or existing.inputs).items()
            }
            return provider_pb2.ReadResponse(
                id=request.id,
                properties=write_properties(existing.outputs),
                inputs=write_properties(inputs),
            )

    @contextmanager
    def _call(self, kind: Kind, request: Any, context: Any, properties: Any) -> Generator[Call]:
        """Records a call; a refusal of Azure becomes the error that the engine shows."""
        inputs, _ = read_properties(properties)
        call = Call(
            kind=kind,
            preview=getattr(request, "preview", False),
            urn=request.urn,
            inputs={key: value for key, value in inputs.items() if key != _CREATE_FIRST or kind == "diff"},
        )
        try:
            with self._azure.record.of(call):
                yield call
        except AzureError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))

    def _named(self, call: Call, olds: Mapping[str, Any], seed: bytes) -> dict[str, Any]:
        """The name of a resource without a name in the program: the old one, or a new one from the seed."""
        named = {}
        for key in arm_names(call):
            if call.inputs.get(key) is None:
                named[key] = olds.get(key) or _new_name(call, key, seed)
        return named


def arm_names(call: Call) -> tuple[str, ...]:
    """The input that names a resource of azure-native, where Azure does not prescribe the name."""
    if not call.is_in("azure-native"):
        return ()
    own, default = arm.path_inputs(call.type, call.inputs)[-1]
    return () if default else (own,)


def _new_name(call: Call, key: str, seed: bytes) -> str:
    digits = hashlib.sha256(seed).hexdigest()
    if key in ("roleAssignmentName", "roleAssignmentId"):
        return str(uuid.UUID(digits[:32], version=4))
    return f"{call.name}{digits[:8]}"


def _preview(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs that can be computed from inputs.

    azure-native fills an object's missing properties with unknown ones, and every object that Azure reports
    has some that the inputs lack (`identity.principalId`), so objects are unknown as a whole; maps are not.
    """
    return {
        key: UNKNOWN if isinstance(value, Mapping) and key not in _MAPS else value
        for key, value in inputs.items()
    }


def _top(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]
