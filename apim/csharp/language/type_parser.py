"""Parses types, and decides whether `<` starts type arguments."""

from typing import Final

from apim.csharp.errors import CompileError
from apim.csharp.language.keywords import PREDEFINED
from apim.csharp.language.scanner import Token
from apim.csharp.language.syntax import TypeName

# The tokens that may follow type arguments: section "Grammar ambiguities" of the C# 7.3 specification.
_AFTER_TYPE_ARGUMENTS: Final = frozenset(
    ["(", ")", "]", "}", ":", ";", ",", ".", "?", "==", "!=", "|", "^", "&&", "||", "&", "["]
)


class TypeParser:
    """Parses types at the current position in a sequence of tokens."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.tokens = tokens
        self.position = 0

    @property
    def token(self) -> Token:
        """The current token."""
        return self.tokens[self.position]

    def advance(self) -> Token:
        """Returns the current token and moves to the next."""
        token = self.tokens[self.position]
        self.position = min(self.position + 1, len(self.tokens) - 1)
        return token

    def at_op(self, text: str) -> bool:
        """Whether the current token is this operator or punctuation."""
        token = self.tokens[self.position]
        return token.text == text and token.kind == "op"

    def expect(self, text: str) -> Token:
        """Returns a required token and moves to the next.

        Raises:
            CompileError: the current token is a different one.
        """
        if self.token.text != text or self.token.kind not in {"op", "keyword"}:
            found = self.token.text or "the end"
            raise CompileError(f"expected `{text}`, not {found}", self.token.start, "CS1003")
        return self.advance()

    def type(self, *, array: bool = True) -> TypeName:
        """Parses a required type; `array` is whether `[]` may follow."""
        start = self.token
        found = self.try_type(nullable="always", array=array)
        if found is None:
            raise CompileError(f"expected a type, not {start.text or 'the end'}", start.start, "CS1031")
        return found

    def type_before_operator(self) -> TypeName:
        """The type after `as`, where `?` may also start `? :`."""
        start = self.token
        found = self.try_type(nullable="operator")
        if found is None:
            raise CompileError("expected a type", start.start, "CS1031")
        return found

    def try_type(self, *, nullable: str, array: bool = True) -> TypeName | None:
        """A type, or None with the position unchanged.

        Args:
            nullable: `always` consumes a `?`; `operator` does not if an expression follows it.
            array: whether `[]` may follow.
        """
        before = self.position
        found = self._named_type()
        if found is None:
            self.position = before
            return None
        if self.at_op("?") and (nullable == "always" or not self._starts_expression(self.position + 1)):
            found = TypeName("Nullable", self.advance().start, (found,))
        return self.array_suffixes(found) if array else found

    def array_suffixes(self, element: TypeName) -> TypeName:
        """The type with the `[]` that follow."""
        while self.at_op("[") and self.tokens[self.position + 1].text in {"]", ","}:
            at = self.advance().start
            if self.at_op(","):
                raise CompileError("the twin does not support arrays of several dimensions", at, "[,]")
            self.advance()
            element = TypeName("[]", at, (element,))
        return element

    def _starts_expression(self, index: int) -> bool:
        token = self.tokens[index]
        if token.kind == "op":
            return token.text in {"(", "-", "+", "!", "~", "++", "--", "[", "."}
        return token.kind != "end" and token.text not in {"is", "as"}

    def _named_type(self) -> TypeName | None:
        token = self.token
        if token.kind == "keyword" and token.text in PREDEFINED:
            self.advance()
            return TypeName(PREDEFINED[token.text], token.start)
        if token.kind != "name":
            return None
        name = self.advance().text.removeprefix("@")
        while self.at_op(".") and self.tokens[self.position + 1].kind == "name":
            self.advance()
            name += "." + self.advance().text.removeprefix("@")
        args: tuple[TypeName, ...] = ()
        if self.at_op("<"):
            found = self._type_arguments()
            if found is None:
                return None
            args = found
        return TypeName(name, token.start, args)

    def _type_arguments(self) -> tuple[TypeName, ...] | None:
        before = self.position
        self.advance()
        found: list[TypeName] = []
        while True:
            argument = self.try_type(nullable="always")
            if argument is None:
                break
            found.append(argument)
            if self.at_op(">"):
                self.advance()
                return tuple(found)
            if not self.at_op(","):
                break
            self.advance()
        self.position = before
        return None

    def type_arguments_of_expression(self) -> tuple[TypeName, ...]:
        """Type arguments after a name in an expression, if there are any."""
        if not self.at_op("<"):
            return ()
        before = self.position
        found = self._type_arguments()
        if found is not None and (self.token.text in _AFTER_TYPE_ARGUMENTS or self.token.kind == "end"):
            return found
        self.position = before
        return ()
