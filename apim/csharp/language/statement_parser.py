"""Parses the statements of a multi-statement expression, `@{ ... }`."""

from functools import lru_cache
from typing import Final

from apim.csharp.language import syntax
from apim.csharp.language.parser import Parser
from apim.csharp.language.scanner import tokens_of
from apim.csharp.language.syntax import Block, Catch, Node, Section, TypeName

_REFUSED: Final = {
    "goto": "goto",
    "lock": "lock",
    "yield": "yield",
    "checked": "checked",
    "unchecked": "unchecked",
    "unsafe": "unsafe",
    "fixed": "fixed",
}


@lru_cache(maxsize=1024)
def parse(source: str) -> Node:
    """The syntax tree of `@( ... )`, which is a Paren, or of `@{ ... }`, which is a Block.

    It is cached, because templates repeat expressions and both the compiler and the lint read the tree.

    Raises:
        CompileError: the expression is malformed, or the twin does not support it.
    """
    parser = StatementParser(tokens_of(source, 1, len(source)))
    if source.startswith("@{"):
        block = parser.block()
        if parser.token.kind != "end":
            parser.refuse("unexpected text after the expression", parser.token, "CS1003")
        return block
    at = parser.expect("(").start
    inner = parser.expression()
    if parser.at_op(","):
        parser.refuse("the twin does not support tuples", parser.token, "tuple")
    parser.expect(")")
    if parser.token.kind != "end":
        parser.refuse("unexpected text after the expression", parser.token, "CS1003")
    return syntax.Paren(at, inner)


class StatementParser(Parser):
    """Parses statements and expressions."""

    def lambda_body(self) -> Node:
        """A block, or an expression."""
        return self.block() if self.at_op("{") else self.expression()

    def block(self) -> Block:
        """`{ ... }`."""
        at = self.expect("{").start
        statements: list[Node] = []
        while not self.at_op("}"):
            statements.append(self.statement())
        self.advance()
        return Block(at, tuple(statements))

    def statement(self) -> Node:
        """One statement."""
        token = self.token
        if self.at_op("{"):
            return self.block()
        if self.at_op(";"):
            self.advance()
            return Block(token.start, ())
        if token.text in _REFUSED and (
            token.kind == "keyword" or self.tokens[self.position + 1].kind == "keyword"
        ):
            self.refuse(f"the twin does not support `{token.text}`", token, token.text)
        if token.kind == "keyword" and (found := self._keyword_statement()) is not None:
            return found
        if token.kind == "end":
            self.refuse("expected a statement", token, "CS1513")
        found = self.declaration() or syntax.Do(token.start, self.expression())
        self.expect(";")
        return found

    def _embedded(self) -> Node:
        """The body of an `if` or a loop, which must not be a declaration."""
        token = self.token
        statement = self.statement()
        if isinstance(statement, syntax.Local):
            self.refuse("a declaration must be in a block here", token, "CS1023")
        return statement

    def _keyword_statement(self) -> Node | None:
        reader = {
            "if": self._if,
            "while": self._while,
            "do": self._do,
            "for": self._for,
            "foreach": self._foreach,
            "return": self._return,
            "break": self._jump,
            "continue": self._jump,
            "throw": self._throw,
            "try": self._try,
            "switch": self._switch,
            "using": self._using,
        }.get(self.token.text)
        return reader() if reader else None

    def declaration(self) -> Node | None:
        """`T a = x, b`, without the semicolon; None if it is an expression."""
        before = self.position
        at = self.token.start
        constant = self.token.text == "const" and self.token.kind == "keyword"
        if constant:
            self.advance()
        declared = self.try_type(nullable="always")
        following = self.tokens[min(self.position + 1, len(self.tokens) - 1)]
        is_local = declared is not None and self.token.kind == "name"
        if not is_local or declared is None or following.text not in {"=", ";", ",", "in", "(", "<"}:
            if constant:
                self.refuse("a constant needs a type, a name and a value", self.token, "CS0145")
            self.position = before
            return None
        if following.text in {"(", "<"}:
            self.refuse(
                "the twin does not support local functions; write a lambda where the function is used",
                self.token,
                "local function",
            )
        variables = [self._variable(declared)]
        while self.at_op(","):
            self.advance()
            variables.append(self._variable(declared))
        return syntax.Local(at, declared, tuple(variables), constant)

    def _variable(self, declared: TypeName) -> tuple[str, int, Node | None]:
        token = self.token
        if token.kind != "name":
            self.refuse("expected the name of a variable", token, "CS1001")
        self.advance()
        if not self.at_op("="):
            return token.text.removeprefix("@"), token.start, None
        self.advance()
        if self.at_op("{") and declared.name == "[]":
            value: Node = syntax.NewArray(self.token.start, declared.args[0], None, self._array_items())
        else:
            value = self.expression()
        return token.text.removeprefix("@"), token.start, value

    def _condition(self) -> Node:
        self.expect("(")
        condition = self.expression()
        self.expect(")")
        return condition

    def _if(self) -> Node:
        at = self.advance().start
        condition = self._condition()
        yes = self._embedded()
        if self.token.text != "else":
            return syntax.If(at, condition, yes, None)
        self.advance()
        return syntax.If(at, condition, yes, self._embedded())

    def _while(self) -> Node:
        at = self.advance().start
        condition = self._condition()
        return syntax.Loop(at, (), condition, (), self._embedded())

    def _do(self) -> Node:
        at = self.advance().start
        body = self._embedded()
        self.expect("while")
        condition = self._condition()
        self.expect(";")
        return syntax.Loop(at, (), condition, (), body, body_first=True)

    def _for(self) -> Node:
        at = self.advance().start
        self.expect("(")
        setup: tuple[Node, ...] = ()
        if not self.at_op(";"):
            declared = self.declaration()
            setup = (declared,) if declared else self._expressions(";")
        self.expect(";")
        condition = None if self.at_op(";") else self.expression()
        self.expect(";")
        step = () if self.at_op(")") else self._expressions(")")
        self.expect(")")
        return syntax.Loop(at, setup, condition, step, self._embedded())

    def _expressions(self, closing: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self.at_op(closing):
            if found:
                self.expect(",")
            found.append(syntax.Do(self.token.start, self.expression()))
        return tuple(found)

    def _foreach(self) -> Node:
        at = self.advance().start
        self.expect("(")
        declared = self.type()
        name = self.advance()
        if name.kind != "name":
            self.refuse("foreach needs a variable's name", name, "CS1001")
        self.expect("in")
        values = self.expression()
        self.expect(")")
        return syntax.ForEach(at, declared, name.text.removeprefix("@"), values, self._embedded())

    def _return(self) -> Node:
        at = self.advance().start
        value = None if self.at_op(";") else self.expression()
        self.expect(";")
        return syntax.Return(at, value)

    def _jump(self) -> Node:
        token = self.advance()
        self.expect(";")
        return syntax.Jump(token.start, token.text)

    def _throw(self) -> Node:
        at = self.advance().start
        value = None if self.at_op(";") else self.expression()
        self.expect(";")
        return syntax.Throw(at, value)

    def _try(self) -> Node:
        start = self.advance()
        body = self.block()
        catches: list[Catch] = []
        while self.token.text == "catch":
            catches.append(self._catch())
        final = None
        if self.token.text == "finally":
            self.advance()
            final = self.block()
        if not catches and final is None:
            self.refuse("try needs catch or finally", start, "CS1524")
        return syntax.Try(start.start, body, tuple(catches), final)

    def _catch(self) -> Catch:
        at = self.advance().start
        caught, name, condition = None, None, None
        if self.at_op("("):
            self.advance()
            caught = self.type()
            if self.token.kind == "name":
                name = self.advance().text
            self.expect(")")
        if self.token.text == "when":
            self.advance()
            condition = self._condition()
        return Catch(at, caught, name, condition, self.block())

    def _switch(self) -> Node:
        at = self.advance().start
        value = self._condition()
        self.expect("{")
        sections: list[Section] = []
        while not self.at_op("}"):
            sections.append(self._section())
        self.advance()
        return syntax.Switch(at, value, tuple(sections))

    def _section(self) -> Section:
        at = self.token.start
        labels: list[tuple[syntax.Pattern | None, Node | None]] = []
        while self.token.text in {"case", "default"} and self.token.kind == "keyword":
            if self.advance().text == "default":
                labels.append((None, None))
            else:
                pattern = self._pattern()
                guard = None
                if self.token.text == "when":
                    self.advance()
                    guard = self.expression()
                labels.append((pattern, guard))
            self.expect(":")
        if not labels:
            self.refuse("a section of a switch must start with case or default", self.token, "CS1003")
        statements: list[Node] = []
        while not self.at_op("}") and self.token.text not in {"case", "default"}:
            statements.append(self.statement())
        return Section(at, tuple(labels), Block(at, tuple(statements)))

    def _using(self) -> Node:
        at = self.advance().start
        if not self.at_op("("):
            self.refuse("`using` without parentheses is newer than C# 7", self.token, "using")
        self.advance()
        resource = self.declaration() or syntax.Do(self.token.start, self.expression())
        self.expect(")")
        return syntax.Using(at, resource, self._embedded())
