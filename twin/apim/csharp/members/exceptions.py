"""Exceptions. Only those that expressions meet are known by name."""

from typing import Any, Final

from twin.apim.csharp.errors import DotNetException
from twin.apim.csharp.signature import define

_EXCEPTIONS: Final = {
    "System.SystemException": "Exception",
    "System.ApplicationException": "Exception",
    "System.ArgumentException": "SystemException",
    "System.ArgumentNullException": "ArgumentException",
    "System.ArgumentOutOfRangeException": "ArgumentException",
    "System.ArithmeticException": "SystemException",
    "System.DivideByZeroException": "ArithmeticException",
    "System.OverflowException": "ArithmeticException",
    "System.FormatException": "SystemException",
    "System.UriFormatException": "FormatException",
    "System.IndexOutOfRangeException": "SystemException",
    "System.InvalidCastException": "SystemException",
    "System.InvalidOperationException": "SystemException",
    "System.NotSupportedException": "SystemException",
    "System.NullReferenceException": "SystemException",
    "System.ArrayTypeMismatchException": "SystemException",
    "System.TimeoutException": "SystemException",
    "System.Collections.Generic.KeyNotFoundException": "SystemException",
    "System.Security.Cryptography.CryptographicException": "SystemException",
    "System.Text.RegularExpressions.RegexParseException": "ArgumentException",
    "System.Text.DecoderFallbackException": "ArgumentException",
    "Newtonsoft.Json.JsonException": "Exception",
    "Newtonsoft.Json.JsonReaderException": "JsonException",
    "Newtonsoft.Json.JsonSerializationException": "JsonException",
    "Microsoft.CSharp.RuntimeBinder.RuntimeBinderException": "Exception",
}


def _made(name: str) -> Any:
    default = f"Exception of type '{name}' was thrown."
    simple = name.rsplit(".", 1)[-1]

    def make(message: str | None = None, inner: DotNetException | None = None) -> DotNetException:
        return DotNetException(simple, default if message is None else message, inner)

    return make


define(
    "class System.Exception",
    {
        "new()": _made("System.Exception"),
        "new(string message)": _made("System.Exception"),
        "new(string message, Exception innerException)": _made("System.Exception"),
        "string Message": lambda error: error.message,
        "Exception InnerException": lambda error: error.inner,
    },
)
for _name, _base in _EXCEPTIONS.items():
    define(f"class {_name} : {_base}", {})
for _name in (
    "System.ApplicationException",
    "System.FormatException",
    "System.InvalidOperationException",
    "System.NotSupportedException",
    "System.ArgumentException",
    "System.TimeoutException",
):
    define(
        f"class {_name} : {_EXCEPTIONS[_name]}",
        {
            "new(string message)": _made(_name),
            "new(string message, Exception innerException)": _made(_name),
        },
    )
