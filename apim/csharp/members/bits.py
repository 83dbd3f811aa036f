"""BitConverter, on a little-endian machine."""

import struct
from collections.abc import Callable
from typing import Any

from apim.csharp.dotnet.signature import define
from apim.csharp.errors import DotNetException, argument_null, out_of_range

_FORMS = {
    "bool": ("Boolean", "<?"),
    "char": ("Char", "<H"),
    "short": ("Int16", "<h"),
    "ushort": ("UInt16", "<H"),
    "int": ("Int32", "<i"),
    "uint": ("UInt32", "<I"),
    "long": ("Int64", "<q"),
    "ulong": ("UInt64", "<Q"),
    "double": ("Double", "<d"),
}


def _reader(form: str) -> Callable[[Any, int], Any]:
    size = struct.calcsize(form)

    def read(data: Any, start: int) -> Any:
        if data is None:
            raise argument_null("value")
        if not 0 <= start < len(data):
            raise out_of_range("startIndex")
        if start > len(data) - size:
            raise DotNetException(
                "ArgumentException", "Destination array is not long enough to copy all the items."
            )
        return struct.unpack_from(form, bytes(data), start)[0]

    return read


def _writer(form: str) -> Callable[[Any], bytes]:
    return lambda value: struct.pack(form, value)


def _text(data: Any, start: int = 0, length: int | None = None) -> str:
    if data is None:
        raise argument_null("value")
    count = len(data) - start if length is None else length
    if start < 0 or (start >= len(data) and start > 0) or count < 0:
        raise out_of_range("startIndex")
    if start + count > len(data):
        raise DotNetException(
            "ArgumentException", "Destination array is not long enough to copy all the items."
        )
    return bytes(data)[start : start + count].hex("-").upper()


define(
    "static System.BitConverter",
    {
        **{f"static byte[] GetBytes({kind} value)": _writer(form) for kind, (_name, form) in _FORMS.items()},
        **{
            f"static {kind} To{name}(byte[] value, int startIndex)": _reader(form)
            for kind, (name, form) in _FORMS.items()
        },
        "static string ToString(byte[] value)": _text,
        "static string ToString(byte[] value, int startIndex)": _text,
        "static string ToString(byte[] value, int startIndex, int length)": _text,
        "static bool IsLittleEndian": True,
    },
)
