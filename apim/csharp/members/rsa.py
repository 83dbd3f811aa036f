"""RSA, limited to the verification of signatures with a public key."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from apim.csharp.dotnet.signature import define
from apim.csharp.dotnet.types import clr
from apim.csharp.errors import DotNetException, argument_null

_CRYPTO = "System.Security.Cryptography"
_HASHES = {"SHA256": hashes.SHA256(), "SHA384": hashes.SHA384(), "SHA512": hashes.SHA512()}


@dataclass(frozen=True, slots=True)
class HashName:
    """HashAlgorithmName."""

    clr_type = clr("HashAlgorithmName")

    name: str


@dataclass(frozen=True, slots=True)
class Padding:
    """RSASignaturePadding."""

    clr_type = clr("RSASignaturePadding")

    name: str

    def of(self, algorithm: hashes.HashAlgorithm) -> AsymmetricPadding:
        """The padding object of `cryptography`; in .NET the salt of PSS is as long as the hash."""
        if self.name == "Pkcs1":
            return padding.PKCS1v15()
        return padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)


class Rsa:
    """RSA; it has no key before `FromXmlString` is called."""

    __slots__ = ("key",)
    clr_type = clr("RSA")

    def __init__(self) -> None:
        self.key: RSAPublicKey | None = None

    def read(self, text: str | None) -> None:
        """FromXmlString for a public key."""
        if text is None:
            raise argument_null("xmlString")
        self.key = RSAPublicNumbers(_number(text, "Exponent"), _number(text, "Modulus")).public_key()

    def verify(self, data: Any, signature: Any, name: HashName, kind: Padding) -> bool:
        """VerifyData."""
        if data is None or signature is None:
            raise argument_null("data" if data is None else "signature")
        if self.key is None:
            raise DotNetException("CryptographicException", "There is no key.")
        algorithm = _HASHES[name.name]
        try:
            self.key.verify(bytes(signature), bytes(data), kind.of(algorithm), algorithm)
        except InvalidSignature:
            return False
        return True


def _number(text: str, name: str) -> int:
    found = re.search(f"<{name}>(.*?)</{name}>", text)
    if found is None:
        raise DotNetException("CryptographicException", f"Input string does not contain {name}.")
    try:
        return int.from_bytes(base64.b64decode(found[1], validate=True), "big")
    except binascii.Error as error:
        raise DotNetException("FormatException", "The input is not a valid Base-64 string.") from error


define(f"class {_CRYPTO}.AsymmetricAlgorithm : IDisposable", {})
define(
    f"class {_CRYPTO}.HashAlgorithmName",
    {f"static HashAlgorithmName {name}": HashName(name) for name in _HASHES},
)
define(
    f"class {_CRYPTO}.RSASignaturePadding",
    {f"static RSASignaturePadding {name}": Padding(name) for name in ("Pkcs1", "Pss")},
)
define(
    f"class {_CRYPTO}.RSA : AsymmetricAlgorithm",
    {
        "static RSA Create()": Rsa,
        "void FromXmlString(string xmlString)": Rsa.read,
        "bool VerifyData(byte[] data, byte[] signature, HashAlgorithmName hashAlgorithm, "
        "RSASignaturePadding padding)": Rsa.verify,
    },
)
