"""Lowers statements to lines of Python."""

from typing import Any, Final

from apim.csharp.dotnet.conversions import best_common, explicit, is_subtype, same
from apim.csharp.dotnet.inheritance import supertypes
from apim.csharp.dotnet.types import CHAR, DYNAMIC, LAMBDA, NULL, STRING, THROWS, VOID, ClrType, clr
from apim.csharp.dotnet.values import iterate
from apim.csharp.errors import DotNetException
from apim.csharp.language import syntax
from apim.csharp.language.flow import check_flow
from apim.csharp.lowering import runtime
from apim.csharp.lowering.assignments import Assignments
from apim.csharp.lowering.base import MAX_BLOCKS, MAX_INDENTS, Function, Jumps
from apim.csharp.lowering.bound import Bound
from apim.csharp.lowering.source import indented

_MAX_ROUNDS: Final = 5_000_000
_ACTIONS: Final = (syntax.Call, syntax.Assign, syntax.Postfix, syntax.New, syntax.Conditional)


class Statements(Assignments):
    """Lowers statements, each to lines of Python."""

    def body(self, node: syntax.Block) -> list[str]:
        """The lines for a multi-statement expression."""
        check_flow(node)
        return self.function.lines(self.statement(node))

    def value(self, node: syntax.Node) -> list[str]:
        """The lines for a single-statement expression."""
        bound = self.bind(node)
        if bound.type in {VOID, LAMBDA}:
            self.refuse("an expression must have a value", bound.at, "CS0127")
        return self.function.lines([f"return {self.text(bound)}"])

    def block_of_lambda(self, body: syntax.Block, returns: ClrType | None) -> tuple[ClrType, list[str]]:
        """The type that a lambda's block returns, and its lines."""
        check_flow(body, must_return=returns is not VOID and _returns_value(body))
        if returns is None:
            self.statement(body)
            types = list(self.function.returned or [])
            found = best_common(types) if types else VOID
            if found is None:
                self.refuse("the values that this lambda returns have no common type", body.at, "CS1662")
            returns = found
            self.function = Function(returned=[], expected=found)
        return returns, self.statement(body)

    def statement(self, node: syntax.Node) -> list[str]:
        """The lines for a statement."""
        return getattr(self, _STATEMENTS[type(node)])(node)

    def _sequence(self, nodes: tuple[syntax.Node, ...]) -> list[str]:
        return [line for node in nodes for line in self.statement(node)]

    def block(self, node: syntax.Block) -> list[str]:
        """`{ ... }`."""
        self.scope.enter()
        lines = self._sequence(node.statements)
        self.scope.leave()
        return lines

    def _inside(self, node: syntax.Node, blocks: int = 0) -> list[str]:
        """The indented lines for a statement within `blocks` additional Python loops or `try` statements."""
        function = self.function
        function.indents += 1
        function.blocks += blocks
        if function.indents > MAX_INDENTS or function.blocks > MAX_BLOCKS:
            self.refuse("these statements are nested too deeply for the twin", node.at, "nesting")
        self.scope.enter()
        lines = self.statement(node)
        self.scope.leave()
        function.indents -= 1
        function.blocks -= blocks
        return indented(lines)

    def local(self, node: syntax.Local) -> list[str]:
        """`T a = x, b;`."""
        return [line for variable in node.variables for line in self._declare(node, *variable)]

    def _declare(self, node: syntax.Local, name: str, at: int, value: syntax.Node | None) -> list[str]:
        is_var = node.type.name == "var" and not node.type.args
        if value is None:
            if is_var or node.constant:
                self.refuse("this declaration needs a value", at, "CS0818")
            return [self.declarer(name, self.type_named(node.type), at)("None")]
        bound = self.bind(value)
        if is_var:
            if bound.type in {NULL, VOID, LAMBDA, THROWS}:
                self.refuse("the type of this variable cannot be inferred from its value", at, "CS0815")
            of = bound.type
        else:
            of = self.type_named(node.type)
        bound = self.convert(bound, of)
        if node.constant:
            if not bound.is_constant:
                self.refuse("the value of a constant is not constant", at, "CS0133")
            self.scope.declare(name, of, at, writable=False).const = bound.const
            return []
        return [self.declarer(name, of, at)(self.text(bound))]

    def do(self, node: syntax.Do) -> list[str]:
        """An expression as a statement."""
        value = node.value
        is_step = isinstance(value, syntax.Unary) and value.op in {"++", "--"}
        if not isinstance(value, _ACTIONS) and not is_step:
            self.refuse("only calls, assignments, ++ and -- can be statements", node.at, "CS0201")
        if isinstance(value, syntax.Postfix):
            # As a statement, `x++` is the same as `++x`, which is faster.
            return [self.text(self.increment(value.op, value.operand, value.at, prefix=True))]
        return [self.text(self.bind(value))]

    def if_(self, node: syntax.If) -> list[str]:
        """`if`."""
        lines = [f"if {self.condition(node.condition, 'if')}:", *self._inside(node.yes)]
        if node.no is None:
            return lines
        if isinstance(node.no, syntax.If):
            self.scope.enter()
            first, *rest = self.if_(node.no)
            self.scope.leave()
            return [*lines, f"el{first}", *rest]
        return [*lines, "else:", *self._inside(node.no)]

    def loop(self, node: syntax.Loop) -> list[str]:
        """`for`, `while`, `do`."""
        self.scope.enter()
        setup = self._sequence(node.setup)
        turn = self.temporary()
        self.function.rounds += 1
        self.function.jumps.append(Jumps("loop"))
        if node.body_first:
            body, test = self._inside(node.body, 1), self._test(node)
        else:
            test = self._test(node)
            body = self._inside(node.body, 1)
        step = self._sequence(node.step)
        self.function.jumps.pop()
        self.function.rounds -= 1
        self.scope.leave()
        if test is not None:
            again = f"{turn} and not {test}" if node.body_first else f"not {test}"
            body = [f" if {again}:", "  break", *body]
        if step:
            # The step runs at the start of the next iteration, so that `continue` does not skip it.
            body = [f" if {turn}:", *indented(indented(step)), *body]
        most = self.source.literal(_MAX_ROUNDS)
        rounds = self.source.call(range, most)
        return [
            *setup,
            f"for {turn} in {rounds}:",
            *body,
            "else:",
            f" {self.source.call(runtime.throw_too_many_iterations, most)}",
        ]

    def _test(self, node: syntax.Loop) -> str | None:
        condition = node.condition
        if condition is None or (isinstance(condition, syntax.Literal) and condition.value is True):
            return None
        return self.condition(condition, "loop")

    def foreach(self, node: syntax.ForEach) -> list[str]:
        """`foreach`."""
        values = self.bind(node.values)
        element = self._element_type(values.type, node.values.at)
        self.scope.enter()
        convert = same
        of = element
        if node.type.name != "var":
            of = self.type_named(node.type)
            found = explicit(element, of)
            if found is None:
                self.refuse(f"{element} cannot be converted to {of}", node.at, "CS0030")
            convert = found
        setter = self.declarer(node.name, of, node.at, writable=False)
        self.function.rounds += 1
        self.function.jumps.append(Jumps("loop"))
        body = self._inside(node.body, 1)
        self.function.jumps.pop()
        self.function.rounds -= 1
        self.scope.leave()
        collection = self.checked(values)
        pairs = values.type is clr("JObject")
        items = f"{collection}.pairs()" if pairs else self.source.call(iterate, collection)
        item = self.temporary()
        lines = [f"for {item} in {items}:", f" {setter(self.apply(convert, item))}", *body]
        taken = self.decision("True", node.at, "foreach")
        if taken != "True":
            lines.insert(1, f" {taken}")
            lines += ["else:", f" {self.decision('False', node.at, 'foreach')}"]
        return lines

    def _element_type(self, of: ClrType, at: int) -> ClrType:
        if of is STRING:
            return CHAR
        if of.name == "[]":
            return of.args[0]
        if of is DYNAMIC:
            return DYNAMIC
        if of is clr("JObject"):
            return clr("KeyValuePair", STRING, clr("JToken"))
        found = list(dict.fromkeys(b.args[0] for b in supertypes(of) if b.name == "IEnumerable" and b.args))
        if len(found) != 1:
            own = _ELEMENTS.get(of.name)
            if own is not None:
                return clr(own)
            self.refuse(f"foreach does not apply to {of}", at, "CS1579")
        return found[0]

    def jump(self, node: syntax.Jump) -> list[str]:
        """`break` and `continue`."""
        return self._leave(node.kind, node.at, self.function.jumps)

    def _leave(self, kind: str, at: int, around: list[Jumps]) -> list[str]:
        if not around:
            self.refuse(f"`{kind}` is not within a loop or a switch", at, "CS0139")
        innermost = around[-1]
        if innermost.kind == "finally":
            self.refuse("a finally block cannot be left before its end", at, "CS0157")
        if innermost.kind == "switch" and kind == "continue":
            if innermost.turn is None:
                return self._leave(kind, at, around[:-1])
            innermost.continues = True
            return [f"{innermost.turn} = True", "break"]
        return [kind]

    def return_(self, node: syntax.Return) -> list[str]:
        """`return`."""
        function = self.function
        if any(jumps.kind == "finally" for jumps in function.jumps):
            self.refuse("a finally block cannot be left before its end", node.at, "CS0157")
        if node.value is None:
            if function.returned is None or function.expected is not VOID:
                self.refuse("a value must be returned", node.at, "CS0126")
            return ["return"]
        bound = self.bind(node.value)
        if function.expected is VOID:
            self.refuse("this lambda must not return a value", node.at, "CS8030")
        if bound.type in {VOID, LAMBDA}:
            self.refuse("a value must be returned", node.at, "CS0029")
        if function.returned is not None:
            function.returned.append(bound.type)
            if function.expected is not None:
                bound = self.convert(bound, function.expected)
        return [f"return {self.text(bound)}"]

    def throw(self, node: syntax.Throw) -> list[str]:
        """`throw`."""
        if node.value is not None:
            return [self.thrower(node.value)]
        if not self.function.handlers:
            self.refuse("`throw;` is only allowed in a catch block", node.at, "CS0156")
        return ["raise"]

    def try_(self, node: syntax.Try) -> list[str]:
        """`try`."""
        if node.final is None:
            return self._guarded(node, 1)
        blocks = 4 if node.catches else 3
        inner = self._guarded(node, blocks) if node.catches else self._inside(node.body, blocks)
        self.function.jumps.append(Jumps("finally"))
        final = self._inside(node.final, 1)
        self.function.jumps.pop()
        net, error, source = self.temporary(), self.temporary(), self.source
        # An UnsupportedError and errors of the evaluator itself are not .NET exceptions.
        return [
            f"{net} = True",
            "try:",
            *([f" {line}" for line in inner] if node.catches else inner),
            f"except {source.name(BaseException)} as {error}:",
            f" {net} = {source.call(runtime.is_catchable, error)}",
            " raise",
            "finally:",
            f" if {net}:",
            *[f" {line}" for line in final],
        ]

    def _guarded(self, node: syntax.Try, blocks: int) -> list[str]:
        """`try` with its catch blocks."""
        body = self._inside(node.body, blocks)
        error, kept, source = self.temporary(), self.temporary(), self.source
        handlers = [line for clause in node.catches for line in self._catch(clause, kept, blocks + 1)]
        return [
            "try:",
            *body,
            f"except {source.name(DotNetException)} as {error}:",
            f" {kept} = {error}",
            f" if not {source.call(runtime.is_catchable, kept)}:",
            "  raise",
            *handlers,
            " else:",
            "  raise",
        ]

    def _catch(self, clause: syntax.Catch, kept: str, blocks: int) -> list[str]:
        caught = self.type_named(clause.type) if clause.type is not None else clr("Exception")
        if not is_subtype(caught, clr("Exception")):
            self.refuse(f"only an Exception can be caught, not {caught}", clause.at, "CS0155")
        self.scope.enter()
        test = self.source.call(runtime.is_caught, kept, self.source.name(caught))
        if clause.name is not None:
            test += f" and ({self.declarer(clause.name, caught, clause.at)(kept)}, True)[1]"
        if clause.filter is not None:
            test += f" and {self.condition(clause.filter, 'when')}"
        self.function.handlers += 1
        body = self._inside(clause.body, blocks)
        self.function.handlers -= 1
        self.scope.leave()
        taken = self.decision("True", clause.at, "catch")
        mark = [f"  {taken}"] if taken != "True" else []
        return [f" elif {test}:", *mark, *[f" {line}" for line in body]]

    def using(self, node: syntax.Using) -> list[str]:
        """`using`; disposing has no visible effect for the supported types."""
        self.scope.enter()
        resource = node.resource
        if isinstance(resource, syntax.Local):
            setup = self.local(resource)
        elif isinstance(resource, syntax.Do):
            setup = [self.text(self.bind(resource.value))]
        else:
            self.refuse("using needs a resource", node.at, "CS1674")
        self.scope.enter()
        body = self.statement(node.body)
        self.scope.leave()
        self.scope.leave()
        return [*setup, *body]

    def switch(self, node: syntax.Switch) -> list[str]:
        """`switch`: a chain of tests; it is in a loop with one iteration if a `break` is not at the end."""
        value = self.bind(node.value)
        self._check_switched(value)
        kept = self.temporary()
        switched = Bound(value.type, kept, node.value.at)
        bodies = [_without_last_break(section.body) for section in node.sections]
        jumps = Jumps("switch", self.temporary() if any(map(_breaks, bodies)) else None)
        blocks = 0 if jumps.turn is None else 1
        seen: set[Any] = set()
        tests: list[tuple[str, list[str]]] = []
        default: list[str] | None = None
        self.function.jumps.append(jumps)
        for section, body in zip(node.sections, bodies, strict=True):
            self.scope.enter()
            labels = [self._label(switched, label, seen) for label in section.labels if label[0] is not None]
            steps = self._inside(body, blocks)
            self.scope.leave()
            if any(pattern is None for pattern, _guard in section.labels):
                default = steps
            if labels:
                tests.append((" or ".join(labels), steps))
        self.function.jumps.pop()
        lines = self._chain(tests, default)
        start = [f"{kept} = {self.text(value)}"]
        if jumps.turn is None:
            return [*start, *lines]
        lines = [*start, f"{jumps.turn} = False", f"for _ in {self.source.name((None,))}:", *indented(lines)]
        if jumps.continues:
            again = self._leave("continue", node.at, self.function.jumps)
            lines += [f"if {jumps.turn}:", *indented(again)]
        return lines

    def _chain(self, tests: list[tuple[str, list[str]]], default: list[str] | None) -> list[str]:
        lines = [line for test, steps in tests for line in (f"elif {test}:", *steps)]
        if default is not None:
            lines += ["else:", *default] if lines else ["if True:", *default]
        if lines and lines[0].startswith("elif"):
            lines[0] = lines[0].removeprefix("el")
        return lines

    def _check_switched(self, value: Bound) -> None:
        if value.type in {VOID, LAMBDA, DYNAMIC, NULL}:
            self.refuse(f"switch does not apply to {value.type}", value.at, "CS8119")

    def _label(
        self, value: Bound, label: tuple[syntax.Pattern | None, syntax.Node | None], seen: set[Any]
    ) -> str:
        pattern, guard = label
        if pattern is None:
            self.refuse("default must not have a pattern", value.at, "CS1003")
        if pattern.constant is not None and isinstance(pattern.constant, syntax.Literal) and guard is None:
            key = (type(pattern.constant.value), pattern.constant.value)
            if key in seen:
                self.refuse("this case occurs twice", pattern.at, "CS0152")
            seen.add(key)
        test = self.match(value, pattern)
        if guard is not None:
            also = self.condition(guard, "when")
            return self.decision(f"({test} and {also})", pattern.at, "case")
        return self.decision(test, pattern.at, "case")


def _without_last_break(body: syntax.Block) -> syntax.Block:
    """The statements of a section without a `break` at the end, which has no effect."""
    *before, last = body.statements or (None,)
    if isinstance(last, syntax.Jump) and last.kind == "break":
        return syntax.Block(body.at, tuple(node for node in before if node is not None))
    if isinstance(last, syntax.Block) and len(body.statements) == 1:
        return syntax.Block(body.at, (_without_last_break(last),))
    return body


def _breaks(body: syntax.Block) -> bool:
    """Whether a section of a switch contains a `break` that leaves the switch."""
    waiting: list[Any] = list(body.statements)
    while waiting:
        current = waiting.pop()
        match current:
            case syntax.Jump(kind="break"):
                return True
            case syntax.Block():
                waiting.extend(current.statements)
            case syntax.If():
                waiting.extend(part for part in (current.yes, current.no) if part is not None)
            case syntax.Using():
                waiting.append(current.body)
            case syntax.Try():
                waiting.append(current.body)
                waiting.extend(clause.body for clause in current.catches)
    return False


def _returns_value(node: syntax.Block) -> bool:
    """Whether a lambda's block, including nested blocks but not nested lambdas, has `return value;`."""
    waiting: list[Any] = list(node.statements)
    while waiting:
        current = waiting.pop()
        match current:
            case syntax.Return():
                return current.value is not None
            case syntax.Block():
                waiting.extend(current.statements)
            case syntax.If():
                waiting.extend(part for part in (current.yes, current.no) if part is not None)
            case syntax.Loop() | syntax.ForEach() | syntax.Using():
                waiting.append(current.body)
            case syntax.Try():
                waiting.append(current.body)
                waiting.extend(clause.body for clause in current.catches)
            case syntax.Switch():
                waiting.extend(section.body for section in current.sections)
    return False


_ELEMENTS: Final = {"MatchCollection": "Match", "GroupCollection": "Group", "CaptureCollection": "Capture"}
_STATEMENTS: Final[dict[type, str]] = {
    syntax.Block: "block",
    syntax.Local: "local",
    syntax.Do: "do",
    syntax.If: "if_",
    syntax.Loop: "loop",
    syntax.ForEach: "foreach",
    syntax.Jump: "jump",
    syntax.Return: "return_",
    syntax.Throw: "throw",
    syntax.Try: "try_",
    syntax.Using: "using",
    syntax.Switch: "switch",
}
