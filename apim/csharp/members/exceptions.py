"""The exceptions that expressions throw, catch or create."""

from typing import Any, Final

from apim.csharp.dotnet.signature import define
from apim.csharp.errors import DotNetException

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
    "System.NotImplementedException": "SystemException",
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
    "Newtonsoft.Json.JsonWriterException": "JsonException",
    "Microsoft.CSharp.RuntimeBinder.RuntimeBinderException": "Exception",
}


def _made(name: str, default: str = "") -> Any:
    default = default or f"Exception of type '{name}' was thrown."
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
_PLAIN: Final = {
    "System.SystemException": "System error.",
    "System.ApplicationException": "Error in the application.",
    "System.ArgumentException": "Value does not fall within the expected range.",
    "System.ArithmeticException": "Overflow or underflow in the arithmetic operation.",
    "System.DivideByZeroException": "Attempted to divide by zero.",
    "System.OverflowException": "Arithmetic operation resulted in an overflow.",
    "System.FormatException": "One of the identified items was in an invalid format.",
    "System.IndexOutOfRangeException": "Index was outside the bounds of the array.",
    "System.InvalidCastException": "Specified cast is not valid.",
    "System.InvalidOperationException": "Operation is not valid due to the current state of the object.",
    "System.NotImplementedException": "The method or operation is not implemented.",
    "System.NotSupportedException": "Specified method is not supported.",
    "System.NullReferenceException": "Object reference not set to an instance of an object.",
    "System.TimeoutException": "The operation has timed out.",
    "System.Collections.Generic.KeyNotFoundException": "The given key was not present in the dictionary.",
}
"""Exceptions that expressions may create, with their default messages."""

for _name, _message in _PLAIN.items():
    define(
        f"class {_name} : {_EXCEPTIONS[_name]}",
        {
            "new()": _made(_name, _message),
            "new(string message)": _made(_name, _message if _name == "System.ArgumentException" else ""),
            "new(string message, Exception innerException)": _made(_name),
        },
    )


def _with_parameter(name: str, default: str, *, name_first: bool) -> Any:
    """The constructor of an exception whose message ends with a parameter's name, one of its arguments."""

    def make(first: str | None = None, second: str | None = None) -> DotNetException:
        parameter, message = (first, second) if name_first else (second, first)
        text = default if message is None else message
        return DotNetException(name, f"{text} (Parameter '{parameter}')" if parameter else text)

    return make


_NULL = _with_parameter("ArgumentNullException", "Value cannot be null.", name_first=True)
_RANGE = _with_parameter(
    "ArgumentOutOfRangeException",
    "Specified argument was out of the range of valid values.",
    name_first=True,
)
for _name, _make in (("System.ArgumentNullException", _NULL), ("System.ArgumentOutOfRangeException", _RANGE)):
    define(
        f"class {_name} : {_EXCEPTIONS[_name]}",
        {"new()": _make, "new(string paramName)": _make, "new(string paramName, string message)": _make},
    )
define(
    "class System.ArgumentException : SystemException",
    {
        "new(string message, string paramName)": _with_parameter(
            "ArgumentException", _PLAIN["System.ArgumentException"], name_first=False
        )
    },
)
