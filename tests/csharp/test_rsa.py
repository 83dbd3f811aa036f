"""Verification of RSA signatures, with each padding and hash."""

import base64
import functools
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from apim.csharp.errors import DotNetException
from tests.csharp.evaluation import evaluate

DATA = "header.payload"
HASHES = {"SHA256": hashes.SHA256(), "SHA384": hashes.SHA384(), "SHA512": hashes.SHA512()}


@functools.cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _element(name: str, number: int) -> str:
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return f"<{name}>{base64.b64encode(octets).decode()}</{name}>"


def public_key_xml() -> str:
    numbers = private_key().public_key().public_numbers()
    return f"<RSAKeyValue>{_element('Modulus', numbers.n)}{_element('Exponent', numbers.e)}</RSAKeyValue>"


def signed(rsa_padding: Any, hash_name: str) -> str:
    return base64.b64encode(private_key().sign(DATA.encode(), rsa_padding, HASHES[hash_name])).decode()


def verified(
    signature: str, rsa_padding: str, hash_name: str, *, key: str | None = None, data: str = DATA
) -> object:
    """The result of `VerifyData` with this key; an empty string imports no key."""
    import_key = f'rsa.FromXmlString("{public_key_xml() if key is None else key}");' if key != "" else ""
    return evaluate(
        f"@{{ var rsa = RSA.Create(); {import_key} "
        f'return rsa.VerifyData(Encoding.UTF8.GetBytes("{data}"), Convert.FromBase64String("{signature}"), '
        f"HashAlgorithmName.{hash_name}, RSASignaturePadding.{rsa_padding}); }}"
    )


@pytest.mark.parametrize("name", HASHES)
def test_a_signature_is_verified_with_its_padding_and_hash_only(name: str) -> None:
    algorithm = HASHES[name]
    pss = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
    for right, python_padding, wrong in (("Pkcs1", padding.PKCS1v15(), "Pss"), ("Pss", pss, "Pkcs1")):
        signature = signed(python_padding, name)
        assert verified(signature, right, name) is True
        assert verified(signature, wrong, name) is False
        assert verified(signature, right, name, data="header.other") is False
        assert verified(signature, right, "SHA512" if name != "SHA512" else "SHA256") is False


@pytest.mark.parametrize(
    "key",
    [
        "",
        "<RSAKeyValue></RSAKeyValue>",
        "<Modulus>AQAB</Modulus>",
        "<Modulus>!</Modulus><Exponent>AQAB</Exponent>",
    ],
)
def test_no_signature_is_verified_with_an_incomplete_key(key: str) -> None:
    with pytest.raises(DotNetException):
        verified(signed(padding.PKCS1v15(), "SHA256"), "Pkcs1", "SHA256", key=key)
