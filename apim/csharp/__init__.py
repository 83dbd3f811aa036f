"""Policy expressions: the C# 7 subset of API Management, compiled to Python.

An expression goes through `scanner` (tokens), `parser` and `statement_parser` (tree, `syntax`), `flow`
(definite assignment), `lowering` (static types, then Python, whose rules are in `source`) when it is loaded;
its Python is compiled when it first runs. What .NET's types can do stands in the tables of `members`, in C#'s
own words; values are described in `values`.

Statements: declarations, constants, assignments, if, for, foreach, while, do, switch, try with filters,
throw, using, break, continue, return. Expressions: all operators of C# 7.0 but pointers and `checked`;
casts, `is` with types and constants, `as`, `?.`, `??`, throw expressions, out variables, lambdas and method
groups as arguments, initializers, anonymous types, interpolation, `nameof`, `default(T)`, `dynamic` JSON.
Not in the subset: local functions, goto, lock, yield, checked, typeof, tuples, queries, arrays of several
dimensions, float, and all that is newer than C# 7.0.

Whatever is not in the subset or the tables, or would be answered differently by versions of .NET, is refused
with a CSharpError when the expression is compiled; where only a value at run time shows it, with an
UnsupportedError.

https://learn.microsoft.com/azure/api-management/api-management-policy-expressions
"""

from apim.csharp.errors import CSharpError, DotNetException, UnsupportedError
from apim.csharp.expression import Decision, Expression, Fact, compile_expression
from apim.csharp.scanner import find_end
from apim.csharp.text import to_text

__all__ = [
    "CSharpError",
    "Decision",
    "DotNetException",
    "Expression",
    "Fact",
    "UnsupportedError",
    "compile_expression",
    "find_end",
    "to_text",
]
