"""Property values as a provider sends them to Pulumi's engine.

`twin.monitor.read_properties` reads them. The provider double accepts no secrets, as azure-native does, so
the engine sends plain values and marks secret outputs itself.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import Struct  # ty: ignore[missing-module-member]  made at run time
from pulumi.runtime.rpc import UNKNOWN as UNKNOWN_WIRE

from twin.monitor import UNKNOWN


def write_properties(values: Mapping[str, Any]) -> Struct:
    """Plain values as a protobuf Struct; `UNKNOWN` is written as the engine expects it, None is left out."""
    written = Struct()
    written.update(_plain(values))
    return written


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return UNKNOWN_WIRE if value is UNKNOWN else value
