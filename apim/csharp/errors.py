"""The errors of expressions, when they are compiled and when they run."""

from typing import Final


class CSharpError(Exception):
    """An expression that cannot be compiled: invalid C#, or C# that the twin does not support.

    `line` and `column` are 1-based positions in the document called `name`. `construct` identifies the cause:
    a compiler's error number such as `CS0221`, or a member such as `System.IO.File`.
    """

    def __init__(self, message: str, *, name: str, line: int, column: int, construct: str = "") -> None:
        super().__init__(f"{name}:{line}:{column}: {message}")
        self.message = message
        self.name = name
        self.line = line
        self.column = column
        self.construct = construct


class CompileError(Exception):
    """An error in the C# of an expression, at an offset; the caller converts it to a CSharpError."""

    def __init__(self, message: str, at: int, construct: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.construct = construct


class DotNetException(Exception):  # noqa: N818 -- .NET's name for errors
    """A .NET exception that an expression threw: its type, such as `FormatException`, and its message."""

    def __init__(self, type_name: str, message: str = "", inner: "DotNetException | None" = None) -> None:
        super().__init__(f"{type_name}: {message}")
        self.type_name = type_name
        self.message = message
        self.inner = inner


class UnsupportedError(DotNetException):
    """A value at run time for which the evaluator cannot compute the result of .NET.

    The expression fails, so that it never has a wrong value. If the value is a constant of the expression,
    compiling it raises CSharpError instead.
    """

    def __init__(self, message: str) -> None:
        super().__init__("NotSupportedException", f"not supported by the twin: {message}")


def null_reference() -> DotNetException:
    """The exception for an access to a member of null."""
    return DotNetException("NullReferenceException", "Object reference not set to an instance of an object.")


_INTEGER_NAMES: Final = {"Byte": "an unsigned byte", "SByte": "a signed byte", "Char": "a character"}


def integer_overflow(type_name: str) -> DotNetException:
    """The exception for a value that an integral type cannot represent."""
    article = "an" if type_name.startswith("Int") else "a"
    named = _INTEGER_NAMES.get(type_name, f"{article} {type_name}")
    return DotNetException("OverflowException", f"Value was either too large or too small for {named}.")


def argument_null(name: str) -> DotNetException:
    """The exception for a null argument."""
    return DotNetException("ArgumentNullException", f"Value cannot be null. (Parameter '{name}')")


def out_of_range(name: str) -> DotNetException:
    """The exception for an index or a length that is out of range."""
    return DotNetException(
        "ArgumentOutOfRangeException",
        f"Specified argument was out of the range of valid values. (Parameter '{name}')",
    )


def index_out_of_range() -> DotNetException:
    """The exception for an index outside a list."""
    return DotNetException(
        "ArgumentOutOfRangeException",
        "Index was out of range. Must be non-negative and less than the size of the collection. "
        "(Parameter 'index')",
    )
