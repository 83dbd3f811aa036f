"""What goes wrong with an expression: when it is loaded, and when it runs."""


class CSharpError(Exception):
    """An expression that is not loaded: wrong C#, or C# outside the subset that the twin executes.

    `line` and `column` are 1-based positions in the document called `name`. `construct` names what was
    refused: a compiler's error number such as `CS0221`, or a member such as `System.IO.File`.
    """

    def __init__(self, message: str, *, name: str, line: int, column: int, construct: str = "") -> None:
        super().__init__(f"{name}:{line}:{column}: {message}")
        self.message = message
        self.name = name
        self.line = line
        self.column = column
        self.construct = construct


class RefusedError(Exception):
    """Raised while an expression is compiled, at an offset of its text; becomes a CSharpError."""

    def __init__(self, message: str, at: int, construct: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.construct = construct


class DotNetException(Exception):  # noqa: N818 -- .NET's word
    """A .NET exception that an expression threw: `FormatException`, say, and its message."""

    def __init__(self, type_name: str, message: str = "", inner: "DotNetException | None" = None) -> None:
        super().__init__(f"{type_name}: {message}")
        self.type_name = type_name
        self.message = message
        self.inner = inner


class UnsupportedError(DotNetException):
    """A value met at run time for which the twin does not know what .NET would answer.

    It is an error of the expression, so that nothing is ever answered wrongly. When the offending value is a
    constant of the expression, compiling it raises CSharpError instead.
    """

    def __init__(self, message: str) -> None:
        super().__init__("NotSupportedException", f"the twin does not evaluate this: {message}")


def null_reference() -> DotNetException:
    """What a member of null throws."""
    return DotNetException("NullReferenceException", "Object reference not set to an instance of an object.")


def argument_null(name: str) -> DotNetException:
    """What a null argument throws."""
    return DotNetException("ArgumentNullException", f"Value cannot be null. (Parameter '{name}')")


def out_of_range(name: str) -> DotNetException:
    """What an index or a length outside its bounds throws."""
    return DotNetException(
        "ArgumentOutOfRangeException",
        f"Specified argument was out of the range of valid values. (Parameter '{name}')",
    )


def index_out_of_range() -> DotNetException:
    """What an index outside a list throws."""
    return DotNetException(
        "ArgumentOutOfRangeException",
        "Index was out of range. Must be non-negative and less than the size of the collection. "
        "(Parameter 'index')",
    )
