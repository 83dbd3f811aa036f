"""Checks documents before they are stored: id, partition key and ttl.

Source: learn.microsoft.com/azure/cosmos-db/concepts-limits and /rest/api/cosmos-db/create-a-document
"""

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from twin.cosmos.account import Container
from twin.cosmos.errors import CosmosError, bad_request

MAX_ITEM = 2 * 1024 * 1024
"""The largest item, in bytes of UTF-8 JSON."""

SYSTEM_PROPERTIES = frozenset({"_rid", "_self", "_etag", "_attachments", "_ts"})

_MAX_ID = 1023
_MAX_KEY = 2048
_MAX_TTL = 2**31 - 1
_PARTITION_KEY_MISMATCH = 1001

_UNDEFINED = "[{}]"
"""The partition key of a document that does not have the key's property."""


def read_document(body: bytes) -> dict[str, Any]:
    """The document in a request's body, without system properties.

    Raises:
        CosmosError: 413 if it is too large, 400 if it is not a JSON object with a valid id and ttl.
    """
    if len(body) > MAX_ITEM:
        raise CosmosError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request size is too large")
    try:
        document = json.loads(body, parse_constant=_no_constant)
        dump(document).encode()  # fails for lone surrogates and for numbers outside the range of a double
    except (ValueError, RecursionError) as error:
        raise bad_request("The input content is invalid because it is not a JSON document.") from error
    if not isinstance(document, dict):
        raise bad_request("The input content is invalid because it is not a JSON object.")
    check_id(document.get("id"))
    _check_ttl(document)
    return {name: value for name, value in document.items() if name not in SYSTEM_PROPERTIES}


def check_id(value: object) -> None:
    r"""Checks that an id is a string of 1 to 1023 bytes without `/`, `\`, `?` and `#`.

    Raises:
        CosmosError: 400, if it is not.
    """
    if value is None:
        raise bad_request(
            "The input content is invalid because the required properties - 'id; ' - are missing"
        )
    if not isinstance(value, str):
        raise bad_request("The input content is invalid because the property 'id' is not a string.")
    if not value or len(value.encode()) > _MAX_ID:
        raise bad_request("The input name is invalid: an id must have 1 to 1023 bytes.")
    if any(character in value for character in "/\\?#"):
        raise bad_request(
            f"The input name '{value}' is invalid. Ensure to provide a unique non-empty string less than "
            "'1024' characters, without '/', '\\', '?' and '#'."
        )


def key_of(document: dict[str, Any], container: Container) -> str:
    """The document's partition key as compact JSON: `["value"]`, or `[{}]` if the property is absent.

    Raises:
        CosmosError: 400, if the property is an object or an array.
    """
    value: Any = document
    for name in container.partition_key.strip("/").split("/"):
        if not isinstance(value, dict) or name not in value:
            return _UNDEFINED
        value = value[name]
    if isinstance(value, dict | list):
        raise bad_request(
            "Partition key provided either doesn't correspond to definition in the collection or doesn't "
            "match partition key field values specified in the document.",
            substatus=_PARTITION_KEY_MISMATCH,
        )
    return _canonical([value])


def read_key(header: str | None) -> str:
    """The partition key in the header `x-ms-documentdb-partitionkey`, as compact JSON.

    Raises:
        CosmosError: 400, if it is absent, not a JSON array of one scalar, or too long.
    """
    if header is None:
        raise bad_request("PartitionKey value must be supplied for this operation.")
    try:
        values = json.loads(header, parse_constant=_no_constant)
        json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise bad_request(f"Partition key {header} is invalid.") from error
    if not isinstance(values, list) or len(values) != 1:
        raise bad_request(f"Partition key {header} is invalid: it must be a JSON array of one value.")
    if values == [{}]:
        return _UNDEFINED
    if isinstance(values[0], dict | list):
        raise bad_request(f"Partition key {header} is invalid: its value must be a scalar.")
    key = _canonical(values)
    if len(key.encode()) > _MAX_KEY:
        raise bad_request("Partition key is too long: at most 2048 bytes.")
    return key


def check_same_key(header: str, document_key: str) -> None:
    """Checks that a document has the partition key that the header of the request specifies.

    Raises:
        CosmosError: 400 with substatus 1001, if it has another one.
    """
    if header != document_key:
        raise bad_request(
            "PartitionKey extracted from document doesn't match the one specified in the header.",
            substatus=_PARTITION_KEY_MISMATCH,
        )


def expiry(document: dict[str, Any], container: Container, written: float) -> float | None:
    """The time at which the document expires, in POSIX seconds; None if it does not expire."""
    if container.default_ttl is None:
        return None
    ttl = document.get("ttl", container.default_ttl)
    return None if ttl == -1 else written + ttl


def dump(document: dict[str, Any]) -> str:
    """The JSON that is stored and sent.

    Raises:
        ValueError: a number is outside the range of a double.
    """
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _check_ttl(document: dict[str, Any]) -> None:
    if "ttl" not in document:
        return
    ttl = document["ttl"]
    if isinstance(ttl, bool) or not isinstance(ttl, int) or not (ttl == -1 or 0 < ttl <= _MAX_TTL):
        raise bad_request(
            f"The input ttl '{json.dumps(ttl)}' is invalid. Ensure to provide a nonzero positive integer "
            "less than or equal to 2147483647, or -1 which means never expire."
        )


def _canonical(values: Iterable[Any]) -> str:
    # Numbers are doubles in Cosmos DB: 1 and 1.0 are the same key.
    plain = [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
