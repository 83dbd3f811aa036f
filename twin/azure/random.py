"""Resources of Pulumi's random provider.

A value is derived from the seed, the resource's URN and its `keepers`. It therefore stays the same after a
restart of the twin, and changes when a deployment would replace the resource.

Source: https://www.pulumi.com/registry/packages/random/api-docs/
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from twin.azure.identifiers import Seed

_LOWER = "abcdefghijklmnopqrstuvwxyz"
_CLASSES = (("lower", _LOWER), ("upper", _LOWER.upper()), ("numeric", "0123456789"))
_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"


def create(seed: Seed, type_: str, inputs: Mapping[str, Any], urn: str) -> tuple[str, dict[str, Any]]:
    """Computes the id and outputs of a resource of the random provider.

    Raises:
        LookupError: the twin does not support the type.
    """
    make = _MAKERS.get(type_.rpartition(":")[2])
    if make is None:
        raise LookupError(f"the twin does not support {type_}, only {', '.join(sorted(_MAKERS))}")
    purpose = f"{urn}\0{json.dumps(inputs.get('keepers') or {}, sort_keys=True, default=str)}"
    identifier, outputs = make(seed, purpose, inputs)
    return identifier, {**inputs, **outputs}


def _bytes(seed: Seed, purpose: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    octets = seed.octets(purpose, int(inputs["length"]))
    return "none", {"base64": base64.b64encode(octets).decode(), "hex": octets.hex()}


def _id(seed: Seed, purpose: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    octets = seed.octets(purpose, int(inputs["byteLength"]))
    prefix = inputs.get("prefix") or ""
    url = base64.urlsafe_b64encode(octets).decode().rstrip("=")
    return url, {
        "b64Std": prefix + base64.b64encode(octets).decode(),
        "b64Url": prefix + url,
        "dec": prefix + str(int.from_bytes(octets, "big")),
        "hex": prefix + octets.hex(),
    }


def _string(seed: Seed, purpose: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    length = int(inputs["length"])
    alphabets = {name: letters for name, letters in _CLASSES if inputs.get(name, True)}
    if inputs.get("special", True):
        alphabets["special"] = inputs.get("overrideSpecial") or _SPECIAL
    stream = seed.below(purpose, 2**64)
    # As in the provider: first the minimum of each class, then the rest from all classes, then shuffled.
    letters = [
        alphabet[next(stream) % len(alphabet)]
        for name, alphabet in alphabets.items()
        for _ in range(int(inputs.get(f"min{name.capitalize()}") or 0))
    ]
    everything = "".join(alphabets.values())
    letters += [everything[next(stream) % len(everything)] for _ in range(length - len(letters))]
    for last in range(len(letters) - 1, 0, -1):
        other = next(stream) % (last + 1)
        letters[last], letters[other] = letters[other], letters[last]
    result = "".join(letters)
    return result, {"result": result}


def _password(seed: Seed, purpose: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    return "none", _string(seed, purpose, inputs)[1]


def _uuid(seed: Seed, purpose: str, _inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    guid = seed.guid(purpose)
    return guid, {"result": guid}


def _integer(seed: Seed, purpose: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    low, high = int(inputs["min"]), int(inputs["max"])
    result = low + next(seed.below(purpose, high - low + 1))
    return str(result), {"result": result}


_MAKERS: dict[str, Callable[[Seed, str, Mapping[str, Any]], tuple[str, dict[str, Any]]]] = {
    "RandomBytes": _bytes,
    "RandomId": _id,
    "RandomString": _string,
    "RandomPassword": _password,
    "RandomUuid": _uuid,
    "RandomInteger": _integer,
}
