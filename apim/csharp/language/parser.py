"""Parses expressions of C# 7 by precedence climbing over the scanner's tokens.

Ambiguities of the grammar are resolved by the rules of the C# 7.3 specification: "Cast expressions" for
`(x)-1`, "Grammar ambiguities" for `a < b`. The error for an unsupported construct names the construct.
"""

from typing import Final, NoReturn

from apim.csharp.errors import CompileError
from apim.csharp.language import syntax
from apim.csharp.language.keywords import PREDEFINED
from apim.csharp.language.literals import char_literal, number_literal, string_literal, unescape, utf16
from apim.csharp.language.scanner import Hole, Token
from apim.csharp.language.syntax import Argument, Element, Initializer, Literal, Name, Node, Pattern, TypeName
from apim.csharp.language.type_parser import TypeParser

_LEVELS: Final = {
    "||": 1,
    "&&": 2,
    "|": 3,
    "^": 4,
    "&": 5,
    "==": 6,
    "!=": 6,
    "<": 7,
    ">": 7,
    "<=": 7,
    ">=": 7,
    "is": 7,
    "as": 7,
    "<<": 8,
    ">>": 8,
    "+": 9,
    "-": 9,
    "*": 10,
    "/": 10,
    "%": 10,
}
_ASSIGNMENTS: Final = frozenset({"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="})
_TOO_NEW: Final = {
    "??=": "the operator ??=",
    "..": "the range operator",
    "->": "the pointer operator",
    "switch": "the switch expression",
    "with": "the with expression",
}
_REFUSED_WORDS: Final = {
    "typeof": "`typeof`",
    "sizeof": "`sizeof`",
    "checked": "`checked`",
    "unchecked": "`unchecked`",
    "delegate": "anonymous methods; write a lambda",
    "stackalloc": "`stackalloc`",
    "this": "`this`",
    "base": "`base`",
    "ref": "`ref`",
    "await": "`await`",
    "async": "`async`",
}


class Parser(TypeParser):
    """Parses expressions from a sequence of tokens; StatementParser adds statements."""

    def expression(self) -> Node:
        """An expression, which may be an assignment or a lambda."""
        if self._is_lambda():
            return self._lambda()
        left = self._ternary()
        token = self.token
        op = self._operator()
        if op in _ASSIGNMENTS and token.kind == "op":
            self._skip(op)
            if isinstance(left, syntax.Conditional) or not isinstance(
                left, (Name, syntax.Member, syntax.Index)
            ):
                self.refuse("only a variable, a property or an element can be assigned", token, "CS0131")
            return syntax.Assign(token.start, op, left, self.expression())
        if op in _TOO_NEW:
            self.refuse(f"{_TOO_NEW[op]} is newer than C# 7", token, op)
        return left

    def _ternary(self) -> Node:
        if self.token.text == "throw":
            start = self.advance().start
            return syntax.ThrowValue(start, self._coalesce())
        condition = self._coalesce()
        if not self.at_op("?"):
            return condition
        at = self.advance().start
        yes = self.expression()
        self.expect(":")
        return syntax.Ternary(at, condition, yes, self.expression())

    def _coalesce(self) -> Node:
        left = self._binary(1)
        if not self.at_op("??"):
            return left
        at = self.advance().start
        if self.token.text == "throw":
            right: Node = syntax.ThrowValue(self.advance().start, self._coalesce())
        else:
            right = self._coalesce()
        return syntax.Binary(at, "??", left, right)

    def _operator(self) -> str:
        """The operator at the current token, with `>` `>` and `>` `>=` joined."""
        token = self.token
        if token.text == ">":
            following = self.tokens[self.position + 1]
            if following.start == token.end and following.text in {">", ">="}:
                return ">" + following.text
        return token.text

    def _skip(self, op: str) -> None:
        self.position += 2 if op in {">>", ">>="} else 1

    def _binary(self, lowest: int) -> Node:
        left = self._unary()
        while True:
            token = self.token
            op = self._operator()
            level = _LEVELS.get(op, 0) if token.kind in {"op", "keyword"} else 0
            if level < lowest or level == 0:
                return left
            self._skip(op)
            if op == "is":
                left = syntax.Is(token.start, left, self._pattern())
            elif op == "as":
                left = syntax.As(token.start, left, self.type_before_operator())
            else:
                left = syntax.Binary(token.start, op, left, self._binary(level + 1))

    def _pattern(self) -> Pattern:
        start = self.token.start
        if self.token.text == "not" and self.tokens[self.position + 1].kind in {"keyword", "name"}:
            self.refuse("the pattern `not` is newer than C# 7", self.token, "not")
        before = self.position
        found = self.try_type(nullable="operator")
        if found is not None and not self.at_op("(") and not self.at_op("."):
            if self.at_op("{"):
                self.refuse("a property pattern is newer than C# 7", self.token, "pattern")
            if self.token.kind == "name" and self.token.text not in {"when", "and", "or"}:
                return Pattern(start, found, self.advance().text)
            if self.token.text in {"and", "or"}:
                self.refuse(f"the pattern `{self.token.text}` is newer than C# 7", self.token, "pattern")
            return Pattern(start, found)
        self.position = before
        return Pattern(start, constant=self._binary(8))

    def _unary(self) -> Node:
        token = self.token
        if token.kind == "op":
            if token.text in {"-", "+", "!", "~", "++", "--"}:
                self.advance()
                return self._negated_literal(token) or syntax.Unary(token.start, token.text, self._unary())
            if token.text == "(" and (cast := self._cast()) is not None:
                return cast
            if token.text in {"&", "*", "^"}:
                self.refuse(f"the twin does not support the prefix operator {token.text}", token, token.text)
        if token.text == "await":
            self.refuse("the twin does not support `await`", token, "await")
        return self._postfix(self._primary())

    def _negated_literal(self, minus: Token) -> Node | None:
        """-2147483648 as an int and -9223372036854775808 as a long, although 2147483648 is not an int."""
        number = self.token
        limits = {"2147483648": "Int32", "9223372036854775808": "Int64"}
        digits = number.text.replace("_", "")
        if minus.text == "-" and number.kind == "number" and digits in limits:
            self.advance()
            return Literal(minus.start, limits[digits], -int(digits))
        return None

    def _cast(self) -> Node | None:
        before = self.position
        opening = self.advance()
        target = self.try_type(nullable="always")
        if target is not None and self.at_op(")"):
            self.advance()
            sure = target.name in PREDEFINED.values() or target.name in {"Nullable", "[]"}
            if sure or self._continues_cast():
                return syntax.Cast(opening.start, target, self._unary())
        self.position = before
        return None

    def _continues_cast(self) -> bool:
        token = self.token
        if token.kind == "op":
            return token.text in {"~", "!", "("}
        if token.kind == "keyword":
            return token.text not in {"as", "is"}
        return token.kind != "end"

    def _primary(self) -> Node:  # noqa: PLR0911 -- one case per kind
        token = self.token
        match token.kind:
            case "number":
                return number_literal(self.advance().text, token.start)
            case "string" | "verbatim":
                return string_literal(self.advance().text, token.start)
            case "char":
                return char_literal(self.advance().text, token.start)
            case "interpolated":
                return self._interpolated(self.advance())
            case "name":
                self._refuse_query()
                self.advance()
                return Name(token.start, token.text.removeprefix("@"), self.type_arguments_of_expression())
            case "keyword":
                return self._keyword()
        if self.at_op("["):
            self.refuse("a collection expression is newer than C# 7", token, "collection expression")
        if not self.at_op("("):
            self.refuse(f"expected an expression, not {token.text or 'the end'}", token, "CS1525")
        self.advance()
        inner = self.expression()
        if self.at_op(","):
            self.refuse("the twin does not support tuples", token, "tuple")
        self.expect(")")
        return syntax.Paren(token.start, inner)

    def _refuse_query(self) -> None:
        if self.token.text == "from" and self.tokens[self.position + 1].kind in {"name", "keyword"}:
            self.refuse(
                "the twin does not support query syntax; write .Where(...).Select(...)", self.token, "from"
            )
        if self.token.text == "async" and self.tokens[self.position + 1].kind == "name":
            self.refuse("the twin does not support `async`", self.token, "async")

    def _keyword(self) -> Node:
        token = self.advance()
        if token.text in {"true", "false"}:
            return Literal(token.start, "Boolean", token.text == "true")
        if token.text == "null":
            return Literal(token.start, "null", None)
        if token.text in PREDEFINED:
            return Name(token.start, PREDEFINED[token.text])
        if token.text == "new":
            return self._new(token)
        if token.text in _REFUSED_WORDS:
            self.refuse(f"the twin does not support {_REFUSED_WORDS[token.text]}", token, token.text)
        if token.text != "default":
            self.refuse(f"`{token.text}` does not start an expression", token, "CS1525")
        if not self.at_op("("):
            self.refuse("the literal `default` is newer than C# 7.0; write default(T)", token, "default")
        self.advance()
        of = self.type()
        self.expect(")")
        return syntax.Default(token.start, of)

    def _postfix(self, node: Node) -> Node:
        while True:
            token = self.token
            if token.kind != "op":
                if token.text in {"switch", "with"} and self.tokens[self.position + 1].text == "{":
                    self.refuse(f"{_TOO_NEW[token.text]} is newer than C# 7", token, token.text)
                return node
            if token.text == "?" and self._starts_access():
                self.advance()
                node = syntax.Conditional(token.start, node, self._after_question())
            elif token.text in {".", "(", "["}:
                node = self._access(node)
            elif token.text in {"++", "--"}:
                self.advance()
                node = syntax.Postfix(token.start, token.text, node)
            elif token.text == "!" and self.tokens[self.position + 1].text != "=":
                self.refuse("the operator `!` after a value is newer than C# 7", token, "!")
            else:
                return node

    def _starts_access(self) -> bool:
        """Whether it is `a?.b` or `a?[b]`, not `a ? .5 : 1` or `a ? [..] : x` (which is not C# 7)."""
        question, following = self.token, self.tokens[self.position + 1]
        return following.text in {".", "["} and following.start == question.end

    def _after_question(self) -> Node:
        node: Node = syntax.Receiver(self.token.start)
        while self.token.kind == "op":
            if self.token.text == "?" and self._starts_access():
                at = self.advance().start
                return syntax.Conditional(at, node, self._after_question())
            if self.token.text not in {".", "(", "["}:
                break
            node = self._access(node)
        return node

    def _access(self, node: Node) -> Node:
        token = self.advance()
        if token.text == ".":
            name = self.token
            if name.kind != "name":
                self.refuse(f"expected the name of a member, not {name.text}", name, "CS1001")
            self.advance()
            return syntax.Member(
                name.start, node, name.text.removeprefix("@"), self.type_arguments_of_expression()
            )
        if token.text == "(":
            return syntax.Call(token.start, node, self._arguments(")"))
        args = self._arguments("]")
        if not args:
            self.refuse("an index is missing", token, "CS0443")
        return syntax.Index(token.start, node, args)

    def _arguments(self, closing: str) -> tuple[Argument, ...]:
        found: list[Argument] = []
        while not self.at_op(closing):
            if found:
                self.expect(",")
            found.append(self._argument())
        self.advance()
        return tuple(found)

    def _argument(self) -> Argument:
        name = None
        if self.token.kind == "name" and self.tokens[self.position + 1].text == ":":
            name = self.advance().text
            self.advance()
        if self.token.text in {"ref", "in"}:
            self.refuse(
                f"the twin does not support `{self.token.text}` arguments", self.token, self.token.text
            )
        if self.token.text != "out":
            if self.at_op("^") or self.at_op(".."):
                self.refuse(
                    "indexes from the end and ranges are newer than C# 7", self.token, self.token.text
                )
            return Argument(self.expression(), name=name)
        self.advance()
        before = self.position
        declared = self.try_type(nullable="always")
        if declared is not None and self.token.kind == "name":
            variable = self.advance()
            return Argument(Name(variable.start, variable.text), "out", name, declared)
        self.position = before
        return Argument(self._unary(), "out", name)

    def _new(self, token: Token) -> Node:
        if self.at_op("["):
            self.advance()
            self.expect("]")
            return syntax.NewArray(token.start, None, None, self._array_items())
        if self.at_op("{"):
            return syntax.NewAnonymous(token.start, self._anonymous_members())
        if self.at_op("("):
            self.refuse("new() without a type is newer than C# 7", token, "new()")
        created = self.type(array=False)
        if self.at_op("["):
            return self._new_array(token, created)
        args: tuple[Argument, ...] = ()
        if self.at_op("("):
            self.advance()
            args = self._arguments(")")
        elif not self.at_op("{"):
            self.refuse("new needs arguments or an initializer", self.token, "CS1526")
        initializer = self._initializer() if self.at_op("{") else None
        return syntax.New(token.start, created, args, initializer)

    def _anonymous_members(self) -> tuple[tuple[str, Node], ...]:
        self.expect("{")
        members: list[tuple[str, Node]] = []
        while not self.at_op("}"):
            start = self.token
            if start.kind == "name" and self.tokens[self.position + 1].text == "=":
                self.advance()
                self.advance()
                members.append((start.text.removeprefix("@"), self.expression()))
            else:
                value = self.expression()
                if not isinstance(value, (Name, syntax.Member)):
                    self.refuse("a member of an anonymous type needs a name", start, "CS0746")
                members.append((value.name, value))
            if not self.at_op("}"):
                self.expect(",")
        self.advance()
        return tuple(members)

    def _new_array(self, token: Token, element: TypeName) -> Node:
        self.advance()
        size = None if self.at_op("]") else self.expression()
        if self.at_op(","):
            self.refuse("the twin does not support arrays of several dimensions", token, "[,]")
        self.expect("]")
        element = self.array_suffixes(element)
        items = self._array_items() if self.at_op("{") else None
        if size is None and items is None:
            self.refuse("an array needs a size or its elements", token, "CS1586")
        if items is None and self.at_op("["):
            self.refuse("an index after `new T[size]` needs parentheses around the array", token, "CS0178")
        return syntax.NewArray(token.start, element, size, items)

    def _array_items(self) -> tuple[Node, ...]:
        self.expect("{")
        items: list[Node] = []
        while not self.at_op("}"):
            items.append(self.expression())
            if not self.at_op("}"):
                self.expect(",")
        self.advance()
        return tuple(items)

    def _initializer(self) -> Initializer:
        at = self.expect("{").start
        elements: list[Element] = []
        while not self.at_op("}"):
            elements.append(self._element())
            if not self.at_op("}"):
                self.expect(",")
        self.advance()
        return Initializer(at, tuple(elements))

    def _element(self) -> Element:
        token = self.token
        if self.at_op("["):
            self.advance()
            index = self._arguments("]")
            self.expect("=")
            return Element(token.start, (self._initialized(),), index=index)
        if token.kind == "name" and self.tokens[self.position + 1].text == "=":
            self.advance()
            self.advance()
            return Element(token.start, (self._initialized(),), member=token.text)
        if self.at_op("{"):
            self.advance()
            values: list[Node] = []
            while not self.at_op("}"):
                if values:
                    self.expect(",")
                values.append(self.expression())
            self.advance()
            return Element(token.start, tuple(values))
        return Element(token.start, (self.expression(),))

    def _initialized(self) -> Node | Initializer:
        return self._initializer() if self.at_op("{") else self.expression()

    def _is_lambda(self) -> bool:
        if self.token.kind == "name":
            return self.tokens[self.position + 1].text == "=>"
        if not self.at_op("("):
            return False
        depth = 0
        for index in range(self.position, len(self.tokens)):
            token = self.tokens[index]
            if token.kind == "op":
                depth += (token.text in {"(", "[", "{"}) - (token.text in {")", "]", "}"})
                if depth == 0:
                    return self.tokens[index + 1].text == "=>"
        return False

    def _lambda(self) -> Node:
        parameters: list[tuple[TypeName | None, str]] = []
        if self.token.kind == "name":
            parameters.append((None, self.advance().text))
        else:
            self.advance()
            while not self.at_op(")"):
                if parameters:
                    self.expect(",")
                parameters.append(self._parameter())
            self.advance()
        at = self.expect("=>").start
        return syntax.Lambda(at, tuple(parameters), self.lambda_body())

    def _parameter(self) -> tuple[TypeName | None, str]:
        following = self.tokens[self.position + 1].text
        declared = None if following in {",", ")"} else self.type()
        if self.token.kind != "name":
            self.refuse("expected the name of a parameter", self.token, "CS1001")
        return declared, self.advance().text

    def lambda_body(self) -> Node:
        """The body of a lambda; StatementParser also reads blocks."""
        return self.expression()

    def _interpolated(self, token: Token) -> Node:
        verbatim = "@" in token.text
        parts: list[str | syntax.Hole] = []
        for part in token.parts:
            if isinstance(part, Hole):
                value = type(self)(part.tokens).whole()
                alignment = type(self)(part.alignment).whole() if part.alignment else None
                parts.append(syntax.Hole(value, alignment, part.format))
            elif part:
                text = utf16(part.replace('""', '"')) if verbatim else unescape(part, token.start)
                parts.append(text.replace("{{", "{").replace("}}", "}"))
        return syntax.Interpolated(token.start, tuple(parts))

    def whole(self) -> Node:
        """The expression that consists of all tokens."""
        node = self.expression()
        if self.token.kind != "end":
            self.refuse(f"`{self.token.text}` cannot follow here", self.token, "CS1003")
        return node

    def refuse(self, message: str, token: Token, construct: str) -> NoReturn:
        """Raises an error at a token."""
        raise CompileError(message, token.start, construct)
