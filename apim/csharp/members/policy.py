"""The extension methods of API Management for strings and bytes: AsJwt, AsBasic, Encrypt, Decrypt.

https://learn.microsoft.com/azure/api-management/api-management-policy-expressions#ContextVariables
"""

import base64
import binascii
import re
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from apim.csharp.context import Context
from apim.csharp.dotnet.date_times import TICKS_PER_SECOND, UNIX_EPOCH_TICKS, UTC_KIND, DateTime
from apim.csharp.dotnet.signature import Checked, Contextual, define
from apim.csharp.dotnet.types import STRING, clr
from apim.csharp.dotnet.values import Sequence
from apim.csharp.errors import DotNetException, UnsupportedError, argument_null
from apim.csharp.json.plain import value_text
from apim.csharp.json.reader import parse
from apim.csharp.json.tokens import JArray, JObject, JToken, JValue
from apim.csharp.language.literals import utf16
from apim.csharp.members.context import Lists

_BLOCK: Final = 16
_SEGMENT = re.compile(r"[A-Za-z0-9_-]*$")
_MAX_SECONDS: Final = 253402300799


class Jwt:
    """A parsed JWT; its signature is not verified."""

    __slots__ = ("header", "payload")
    clr_type = clr("Jwt")

    def __init__(self, header: JObject, payload: JObject) -> None:
        self.header = header
        self.payload = payload

    def claims(self) -> dict[str, list[str]]:
        """The values of each claim, as strings."""
        return {name: _texts(item.value) for name, item in self.payload.properties.items()}

    def text(self, name: str) -> str | None:
        """The value of a claim; None if it is not a string."""
        return _string(self.payload.get(name))

    def time(self, name: str) -> DateTime | None:
        """The value of a claim; None if it is not a NumericDate (RFC 7519, section 2)."""
        value = self.payload.get(name)
        if not isinstance(value, JValue) or value.kind not in {"Integer", "Float"}:
            return None
        seconds = float(value.value)
        if not 0 <= seconds <= _MAX_SECONDS:
            return None
        return DateTime(UNIX_EPOCH_TICKS + int(seconds) * TICKS_PER_SECOND, UTC_KIND)


def _string(token: JToken | None) -> str | None:
    return token.value if isinstance(token, JValue) and isinstance(token.value, str) else None


def _texts(token: JToken) -> list[str]:
    if isinstance(token, JArray):
        return [text for item in token.items for text in _texts(item)]
    if isinstance(token, JValue):
        if token.value is None:
            return [""]
        return [token.value if isinstance(token.value, str) else value_text(token.value).strip('"')]
    return [token.clr_text()]


def read_jwt(text: str | None) -> Jwt | None:
    """AsJwt: parses a token with or without the prefix `Bearer `; None if it is not a JWT."""
    if text is None:
        return None
    token = text.strip()
    if token[:7].lower() == "bearer ":
        token = token[7:].strip()
    parts = token.split(".")
    if len(parts) != 3 or not all(map(_SEGMENT.match, parts)):  # noqa: PLR2004 -- RFC 7515, section 3.1
        return None
    header, payload = (_object(part) for part in parts[:2])
    return None if header is None or payload is None else Jwt(header, payload)


def _object(segment: str) -> JObject | None:
    try:
        data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
        found = parse(utf16(data.decode()), dates=False)
    except (binascii.Error, UnicodeDecodeError, DotNetException):
        return None
    return found if isinstance(found, JObject) else None


class Basic:
    """BasicAuthCredentials."""

    __slots__ = ("password", "user")
    clr_type = clr("BasicAuthCredentials")

    def __init__(self, user: str, password: str) -> None:
        self.user = user
        self.password = password


def read_basic(text: str | None) -> Basic | None:
    """AsBasic: parses a `Basic` authorization header (RFC 7617); None if it is not one."""
    if text is None or text[:6].lower() != "basic ":
        return None
    try:
        decoded = base64.b64decode(text[6:].strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    user, colon, password = decoded.partition(":")
    return Basic(utf16(user), utf16(password)) if colon else None


def _crypto_error(message: str) -> DotNetException:
    return DotNetException("CryptographicException", message)


def _cipher(name: str | None, key: Any, iv: Any) -> Cipher[modes.CBC]:
    if name is None or key is None or iv is None:
        raise argument_null("alg" if name is None else "key" if key is None else "iv")
    _check(name)
    if len(key) not in {16, 24, 32}:
        raise _crypto_error("Specified key is not a valid size for this algorithm.")
    if len(iv) != _BLOCK:
        raise _crypto_error(
            "Specified initialization vector (IV) does not match the block size for this algorithm."
        )
    return Cipher(algorithms.AES(bytes(key)), modes.CBC(bytes(iv)))


def _check(name: Any, *_rest: Any) -> None:
    if isinstance(name, str) and name.lower() not in {"aes", "aesmanaged"}:
        raise UnsupportedError(f"the cipher {name}")


def _check_second(_data: Any, name: Any, *_rest: Any) -> None:
    _check(name)


def encrypt(data: Any, name: str | None, key: Any, iv: Any) -> bytes:
    """AES-CBC with PKCS #7 padding, without authentication."""
    if data is None:
        raise argument_null("input")
    cipher = _cipher(name, key, iv).encryptor()
    padder = PKCS7(_BLOCK * 8).padder()
    return cipher.update(padder.update(bytes(data)) + padder.finalize()) + cipher.finalize()


def decrypt(data: Any, name: str | None, key: Any, iv: Any) -> bytes:
    """Decrypts the result of `encrypt`. The result for empty data is empty.

    Raises:
        DotNetException: CryptographicException.
    """
    if data is None:
        raise argument_null("input")
    cipher = _cipher(name, key, iv).decryptor()
    if not len(data):
        return b""
    if len(data) % _BLOCK:
        raise _crypto_error("The input data is not a complete block.")
    padded = cipher.update(bytes(data)) + cipher.finalize()
    count = padded[-1]
    if not 0 < count <= _BLOCK or padded[-count:] != bytes([count]) * count:
        raise _crypto_error("Padding is invalid and cannot be removed.")
    return padded[:-count]


def _found(value: Any) -> tuple[bool, Any]:
    return value is not None, value


def _claims(context: Context, jwt: Jwt) -> Lists:
    claims = jwt.claims()
    return Lists({name: claims[name] for name in claims if name not in context.hidden_claims})


_SPACE: Final = "ApiManagement"
define(
    "static PolicyExtensions",
    {
        "static Jwt AsJwt(this string input)": read_jwt,
        "static bool TryParseJwt(this string input, out Jwt result)": lambda text: _found(read_jwt(text)),
        "static BasicAuthCredentials AsBasic(this string input)": read_basic,
        "static bool TryParseBasic(this string input, out BasicAuthCredentials result)": lambda text: _found(
            read_basic(text)
        ),
        "static byte[] Encrypt(this byte[] input, string alg, byte[] key, byte[] iv)": Checked(
            encrypt, _check_second
        ),
        "static byte[] Decrypt(this byte[] input, string alg, byte[] key, byte[] iv)": Checked(
            decrypt, _check_second
        ),
    },
)
define(
    f"class {_SPACE}.BasicAuthCredentials",
    {"string UserId": lambda found: found.user, "string Password": lambda found: found.password},
)
# The value of a variable that get-authorization-context sets.
define(
    f"class {_SPACE}.Authorization",
    {
        "string AccessToken": lambda found: found.access_token,
        "IReadOnlyDictionary<string, object> Claims": lambda found: found.claims,
    },
)
define(
    f"class {_SPACE}.Jwt",
    {
        "string Algorithm": lambda jwt: _string(jwt.header.get("alg")),
        "string Type": lambda jwt: _string(jwt.header.get("typ")),
        "string Id": lambda jwt: jwt.text("jti"),
        "string Issuer": lambda jwt: jwt.text("iss"),
        "string Subject": lambda jwt: jwt.text("sub"),
        "IEnumerable<string> Audiences": lambda jwt: Sequence(STRING, lambda: jwt.claims().get("aud", [])),
        "IHeaders Claims": Contextual(_claims),
        "DateTime? ExpirationTime": lambda jwt: jwt.time("exp"),
        "DateTime? NotBefore": lambda jwt: jwt.time("nbf"),
        "DateTime? IssuedAt": lambda jwt: jwt.time("iat"),
    },
)
