"""Policy expressions: the C# 7 subset of API Management, compiled to Python.

When an expression is loaded, `language` parses it (tokens, a syntax tree, definite assignment), and
`lowering` determines the static types of the tree and translates it to Python, which is compiled when it
first runs. `members` declares the members of .NET's types in C# syntax; `dotnet` implements their values and
operators, `json` those of Newtonsoft.Json.

Statements: declarations, constants, assignments, if, for, foreach, while, do, switch, try with filters,
throw, using, break, continue, return. Expressions: all operators of C# 7.0 except pointers and `checked`;
casts, `is` with types and constants, `as`, `?.`, `??`, throw expressions, out variables, lambdas and method
groups as arguments, initializers, anonymous types, interpolation, `nameof`, `default(T)`, `dynamic` JSON.
Not in the subset: local functions, goto, lock, yield, checked, typeof, tuples, queries, multidimensional
arrays, float, and everything newer than C# 7.0.

C# that is not in the subset, members that are not declared, and C# whose result differs between versions of
.NET are rejected with a CSharpError when the expression is compiled. If this depends on a value at run time,
an UnsupportedError is raised.

https://learn.microsoft.com/azure/api-management/api-management-policy-expressions
"""

from apim.csharp.dotnet.text.values import to_text
from apim.csharp.errors import CSharpError, DotNetException, UnsupportedError
from apim.csharp.expression import Decision, Expression, Fact, compile_expression
from apim.csharp.language.scanner import find_end

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
