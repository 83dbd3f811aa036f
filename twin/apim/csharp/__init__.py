"""Policy expressions: the C# 7 subset of API Management, compiled to Python closures.

https://learn.microsoft.com/azure/api-management/api-management-policy-expressions
"""

from twin.apim.csharp.errors import CSharpError, DotNetException, UnsupportedError
from twin.apim.csharp.expression import Decision, Expression, Fact, compile_expression
from twin.apim.csharp.scanner import find_end
from twin.apim.csharp.text import to_text

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
