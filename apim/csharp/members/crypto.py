"""Hashes, HMACs and random bytes. Encrypt and Decrypt are in `policy`."""

import hashlib
import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from apim.csharp.dotnet.signature import Checked, Settable, define
from apim.csharp.dotnet.types import BYTE, clr
from apim.csharp.dotnet.values import Array
from apim.csharp.errors import UnsupportedError, argument_null, out_of_range

_CRYPTO = "System.Security.Cryptography"
_BITS = {"MD5": 128, "SHA1": 160, "SHA256": 256, "SHA384": 384, "SHA512": 512}


class HashAlgorithm:
    """A hash algorithm; an HMAC if it has a key."""

    __slots__ = ("clr_type", "key", "name")

    def __init__(self, type_name: str, name: str, key: bytes | None = None) -> None:
        self.clr_type = clr(type_name)
        self.name = name
        self.key = key

    def compute(self, data: Any) -> bytes:
        """ComputeHash."""
        if data is None:
            raise argument_null("buffer")
        if self.key is not None:
            keyed = _keyed_states(self.name.lower(), self.key)
            inner, outer = keyed[0].copy(), keyed[1].copy()
            inner.update(data.items if type(data) is Array else bytes(data))
            outer.update(inner.digest())
            return outer.digest()
        return hashlib.new(self.name.lower(), bytes(data), usedforsecurity=False).digest()

    def compute_part(self, data: Any, offset: int, count: int) -> bytes:
        """ComputeHash of a part of the data."""
        if data is None:
            raise argument_null("buffer")
        if offset < 0 or count < 0 or offset + count > len(data):
            raise out_of_range("offset")
        return self.compute(bytes(data)[offset : offset + count])


@lru_cache(maxsize=16)
def _keyed_states(name: str, key: bytes) -> tuple[Any, Any]:
    """The states of an HMAC's inner and outer hash after its key (RFC 2104), cached because keys are few."""
    inner = hashlib.new(name, usedforsecurity=False)
    outer = inner.copy()
    if len(key) > inner.block_size:
        key = hashlib.new(name, key, usedforsecurity=False).digest()
    padded = key.ljust(inner.block_size, b"\0")
    inner.update(bytes(byte ^ 0x36 for byte in padded))
    outer.update(bytes(byte ^ 0x5C for byte in padded))
    return inner, outer


def _hash(type_name: str, name: str) -> Callable[[], HashAlgorithm]:
    return lambda: HashAlgorithm(type_name, name)


def _keyed(type_name: str, name: str) -> Callable[..., HashAlgorithm]:
    def make(key: Any = None) -> HashAlgorithm:
        return HashAlgorithm(type_name, name, bytes(key))

    def checked(*keys: Any) -> HashAlgorithm:
        if keys and keys[0] is None:
            raise argument_null("key")
        return make(keys[0] if keys else os.urandom(128 if name in {"SHA384", "SHA512"} else 64))

    return checked


def _key(algorithm: HashAlgorithm) -> Array:
    return Array(BYTE, algorithm.key or b"")


def _set_key(algorithm: HashAlgorithm, key: Any) -> None:
    if key is None:
        raise argument_null("value")
    algorithm.key = bytes(key)


def _create(name: str | None) -> HashAlgorithm | None:
    if name is None:
        raise argument_null("hashName")
    plain = name.upper().replace("-", "")
    if plain not in _BITS:
        raise UnsupportedError(f"the hash algorithm {name}")
    return HashAlgorithm(plain, plain)


def _check(name: Any) -> None:
    if isinstance(name, str):
        _create(name)


define(
    f"class {_CRYPTO}.HashAlgorithm : IDisposable",
    {
        "byte[] ComputeHash(byte[] buffer)": HashAlgorithm.compute,
        "byte[] ComputeHash(byte[] buffer, int offset, int count)": HashAlgorithm.compute_part,
        "int HashSize": lambda algorithm: _BITS[algorithm.name],
        "static HashAlgorithm Create(string hashName)": Checked(_create, _check),
        "void Clear()": lambda _algorithm: None,
    },
)
define(f"class {_CRYPTO}.KeyedHashAlgorithm : HashAlgorithm", {"byte[] Key": Settable(_key, _set_key)})
define(f"class {_CRYPTO}.HMAC : KeyedHashAlgorithm", {})
for _name in _BITS:
    define(f"class {_CRYPTO}.{_name} : HashAlgorithm", {f"static {_name} Create()": _hash(_name, _name)})
    if _name != "MD5":
        define(f"class {_CRYPTO}.{_name}Managed : {_name}", {"new()": _hash(f"{_name}Managed", _name)})
    define(
        f"class {_CRYPTO}.HMAC{_name} : HMAC",
        {"new()": _keyed(f"HMAC{_name}", _name), "new(byte[] key)": _keyed(f"HMAC{_name}", _name)},
    )


class RandomSource:
    """RNGCryptoServiceProvider."""

    __slots__ = ()
    clr_type = clr("RNGCryptoServiceProvider")


def _fill(_source: RandomSource, data: Any) -> None:
    if data is None:
        raise argument_null("data")
    data.items[:] = os.urandom(len(data.items))


def _fill_without_zeros(_source: RandomSource, data: Any) -> None:
    if data is None:
        raise argument_null("data")
    for index in range(len(data.items)):
        data.items[index] = 1 + int.from_bytes(os.urandom(4), "big") % 255


define(
    f"class {_CRYPTO}.RNGCryptoServiceProvider : IDisposable",
    {
        "new()": RandomSource,
        "void GetBytes(byte[] data)": _fill,
        "void GetNonZeroBytes(byte[] data)": _fill_without_zeros,
    },
)
