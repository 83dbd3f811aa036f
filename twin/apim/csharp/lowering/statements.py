"""Statements. A statement's closure gives None, or a signal that ends the statements around it."""

from collections.abc import Callable
from typing import Any, Final

from twin.apim.csharp import syntax
from twin.apim.csharp.bound import Bound, Frame, Run
from twin.apim.csharp.conversions import best_common, explicit, is_subtype
from twin.apim.csharp.errors import DotNetException, UnsupportedError, null_reference
from twin.apim.csharp.flow import check_flow
from twin.apim.csharp.lowering.assignments import Assignments
from twin.apim.csharp.types import (
    CHAR,
    DYNAMIC,
    LAMBDA,
    NULL,
    STRING,
    THROWS,
    VOID,
    ClrType,
    clr,
    supertypes,
)
from twin.apim.csharp.values import iterate

BREAK: Final = "break"
CONTINUE: Final = "continue"
RETURN: Final = "return"
RESULT: Final = 1
"""The slot of the value being returned."""
_MOST_ROUNDS: Final = 5_000_000
_ACTIONS: Final = (syntax.Call, syntax.Assign, syntax.Postfix, syntax.New, syntax.Conditional)


class Statements(Assignments):
    """Statements."""

    def body(self, node: syntax.Block) -> Run:
        """A multi-statement expression: the value that it returns."""
        check_flow(node)
        run = self.statement(node)

        def evaluate(frame: Frame) -> Any:
            run(frame)
            return frame[RESULT]

        return evaluate

    def block_of_lambda(self, body: syntax.Block, returns: ClrType | None) -> tuple[ClrType, Run]:
        """A lambda's statements."""
        check_flow(body, must_return=returns is not VOID and _returns_value(body))
        slots = self.scope.slots
        if returns is None:
            self.statement(body)
            types = list(self.returned or [])
            found = best_common(types) if types else VOID
            if found is None:
                self.refuse("the returns of this lambda have no common type", body.at, "CS1662")
            self.scope.slots = max(slots, self.scope.slots)
            returns = found
            self.expected, self.returned = found, []
        run = self.statement(body)

        def evaluate(frame: Frame) -> Any:
            run(frame)
            return frame[RESULT]

        return returns, evaluate

    def statement(self, node: syntax.Node) -> Run:
        """One statement."""
        return getattr(self, _STATEMENTS[type(node)])(node)

    def block(self, node: syntax.Block) -> Run:
        """`{ ... }`."""
        self.scope.enter()
        steps = [self.statement(statement) for statement in node.statements]
        self.scope.leave()
        return _sequence(steps)

    def local(self, node: syntax.Local) -> Run:
        """Declarations."""
        return _sequence([self._declare(node, *variable) for variable in node.variables])

    def _declare(self, node: syntax.Local, name: str, at: int, value: syntax.Node | None) -> Run:
        is_var = node.type.name == "var" and not node.type.args
        if value is None:
            if is_var or node.constant:
                self.refuse("this declaration needs a value", at, "CS0818")
            empty = self.declarer(name, self.type_named(node.type), at)
            return lambda frame: empty(frame, None)
        bound = self.bind(value)
        if is_var:
            if bound.type in {NULL, VOID, LAMBDA, THROWS}:
                self.refuse("the type of this variable cannot be told from its value", at, "CS0815")
            of = bound.type
        else:
            of = self.type_named(node.type)
        bound = self.convert(bound, of)
        if node.constant:
            if not bound.is_constant:
                self.refuse("the value of a constant is not constant", at, "CS0133")
            self.scope.declare(name, of, at, writable=False).const = bound.const
            return lambda _frame: None
        write, run = self.declarer(name, of, at), bound.run
        variable = self.scope.find(name)
        if variable is not None and not variable.cell:
            slot = variable.slot

            def declare_plain(frame: Frame) -> None:
                frame[slot] = run(frame)

            return declare_plain

        def declare(frame: Frame) -> None:
            write(frame, run(frame))

        return declare

    def do(self, node: syntax.Do) -> Run:
        """An expression as a statement."""
        value = node.value
        is_step = isinstance(value, syntax.Unary) and value.op in {"++", "--"}
        if not isinstance(value, _ACTIONS) and not is_step:
            self.refuse("only calls, assignments, ++ and -- can be statements", node.at, "CS0201")
        run = self.bind(value).run

        def execute(frame: Frame) -> None:
            run(frame)

        return execute

    def if_(self, node: syntax.If) -> Run:
        """`if`."""
        test = self.condition(node.condition, "if")
        yes = self._embedded(node.yes)
        no = self._embedded(node.no) if node.no is not None else None
        if no is None:
            return lambda frame: yes(frame) if test(frame) else None
        return lambda frame: yes(frame) if test(frame) else no(frame)

    def _embedded(self, node: syntax.Node) -> Run:
        self.scope.enter()
        run = self.statement(node)
        self.scope.leave()
        return run

    def loop(self, node: syntax.Loop) -> Run:
        """`for`, `while`, `do`."""
        self.scope.enter()
        setup = _sequence([self.statement(statement) for statement in node.setup])
        if node.body_first:
            body = self._embedded(node.body)
            test = self._test(node)
        else:
            test = self._test(node)
            body = self._embedded(node.body)
        step = _sequence([self.statement(statement) for statement in node.step])
        self.scope.leave()
        body_first = node.body_first

        def run(frame: Frame) -> Any:
            setup(frame)
            for turn in range(_MOST_ROUNDS):
                if not (body_first and turn == 0) and not test(frame):
                    return None
                signal = body(frame)
                if signal is RETURN:
                    return signal
                if signal is BREAK:
                    return None
                step(frame)
            raise UnsupportedError(f"a loop of more than {_MOST_ROUNDS:,} rounds")

        return run

    def _test(self, node: syntax.Loop) -> Run:
        condition = node.condition
        if condition is None or (isinstance(condition, syntax.Literal) and condition.value is True):
            return lambda _frame: True
        return self.condition(condition, "loop")

    def foreach(self, node: syntax.ForEach) -> Run:
        """`foreach`."""
        values = self.bind(node.values)
        element = self._element_type(values.type, node.values.at)
        self.scope.enter()
        convert = None
        of = element
        if node.type.name != "var":
            of = self.type_named(node.type)
            convert = explicit(element, of)
            if convert is None:
                self.refuse(f"{element} cannot become {of}", node.at, "CS0030")
        setter = self.declarer(node.name, of, node.at, writable=False)
        body = self._embedded(node.body)
        self.scope.leave()
        read = values.run
        pairs = values.type is clr("JObject")
        turn = self.scope.slot()
        more = self.decision(lambda frame: frame[turn], node.at, "foreach")

        def run(frame: Frame) -> Any:
            found = read(frame)
            if found is None:
                raise null_reference()
            frame[turn] = True
            for value in found.pairs() if pairs else iterate(found):
                more(frame)
                setter(frame, value if convert is None else convert(value))
                signal = body(frame)
                if signal is RETURN:
                    return signal
                if signal is BREAK:
                    return None
            frame[turn] = False
            more(frame)
            return None

        return run

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

    def jump(self, node: syntax.Jump) -> Run:
        """`break` and `continue`."""
        signal = BREAK if node.kind == "break" else CONTINUE
        return lambda _frame: signal

    def return_(self, node: syntax.Return) -> Run:
        """`return`."""
        if node.value is None:
            if self.returned is None or self.expected is not VOID:
                self.refuse("a value must be returned", node.at, "CS0126")
            return lambda _frame: RETURN
        bound = self.bind(node.value)
        if self.expected is VOID:
            self.refuse("this lambda returns nothing", node.at, "CS8030")
        if bound.type in {VOID, LAMBDA}:
            self.refuse("a value must be returned", node.at, "CS0029")
        if self.returned is not None:
            self.returned.append(bound.type)
            if self.expected is not None:
                bound = self.convert(bound, self.expected)
        run = bound.run

        def leave(frame: Frame) -> str:
            frame[RESULT] = run(frame)
            return RETURN

        return leave

    def throw(self, node: syntax.Throw) -> Run:
        """`throw`."""
        if node.value is not None:
            return self.thrower(node.value)
        if not self.handlers:
            self.refuse("`throw;` stands only in a catch block", node.at, "CS0156")

        def again(_frame: Frame) -> Any:
            raise  # noqa: PLE0704 -- runs inside the handler of `try_`

        return again

    def try_(self, node: syntax.Try) -> Run:
        """`try`."""
        body = self.statement(node.body)
        handlers = [self._catch(clause) for clause in node.catches]
        final = self.statement(node.final) if node.final is not None else None

        def guarded(frame: Frame) -> Any:
            try:
                return body(frame)
            except UnsupportedError:
                # Not .NET's: no handler of the expression may swallow it.
                raise
            except DotNetException as error:
                for matches, handle in handlers:
                    if matches(frame, error):
                        return handle(frame)
                raise

        if final is None:
            return guarded
        close = final

        def run(frame: Frame) -> Any:
            try:
                signal = guarded(frame)
                result = frame[RESULT]
            except UnsupportedError:
                raise
            except DotNetException:
                close(frame)
                raise
            close(frame)
            frame[RESULT] = result
            return signal

        return run

    def _catch(self, clause: syntax.Catch) -> tuple[Callable[[Frame, DotNetException], bool], Run]:
        caught = self.type_named(clause.type) if clause.type is not None else clr("Exception")
        if not is_subtype(caught, clr("Exception")):
            self.refuse(f"only an Exception can be caught, not {caught}", clause.at, "CS0155")
        self.scope.enter()
        setter = self.declarer(clause.name, caught, clause.at) if clause.name is not None else None
        test = self.condition(clause.filter, "when") if clause.filter is not None else None
        self.handlers += 1
        body = self.statement(clause.body)
        self.handlers -= 1
        self.scope.leave()

        def matches(frame: Frame, error: DotNetException) -> bool:
            if not is_subtype(clr(error.type_name), caught):
                return False
            if setter is not None:
                setter(frame, error)
            return test is None or test(frame)

        taken = self.decision(lambda _frame: True, clause.at, "catch")

        def handle(frame: Frame) -> Any:
            taken(frame)
            return body(frame)

        return matches, handle

    def using(self, node: syntax.Using) -> Run:
        """`using`: none of the types here does anything observable when it is disposed."""
        self.scope.enter()
        resource = node.resource
        if isinstance(resource, syntax.Local):
            setup = self.local(resource)
        elif isinstance(resource, syntax.Do):
            setup = self.bind(resource.value).run
        else:
            self.refuse("using needs a resource", node.at, "CS1674")
        body = self._embedded(node.body)
        self.scope.leave()

        def run(frame: Frame) -> Any:
            setup(frame)
            return body(frame)

        return run

    def switch(self, node: syntax.Switch) -> Run:
        """`switch`."""
        value = self.bind(node.value)
        slot, read = self.scope.slot(), value.run
        kept = Bound(value.type, lambda frame: frame[slot], node.value.at)
        self._check_switched(value)
        sections: list[tuple[list[Run], Run]] = []
        default: Run | None = None
        seen: set[Any] = set()
        self.scope.enter()
        for section in node.sections:
            self.scope.enter()
            tests = [self._label(kept, label, seen) for label in section.labels if label[0] is not None]
            steps = _sequence([self.statement(statement) for statement in section.body.statements])
            self.scope.leave()
            sections.append((tests, steps))
            if any(pattern is None for pattern, _guard in section.labels):
                default = steps
        self.scope.leave()

        def run(frame: Frame) -> Any:
            frame[slot] = read(frame)
            chosen = default
            for tests, steps in sections:
                if any(test(frame) for test in tests):
                    chosen = steps
                    break
            signal = chosen(frame) if chosen is not None else None
            return None if signal is BREAK else signal

        return run

    def _check_switched(self, value: Bound) -> None:
        if value.type in {VOID, LAMBDA, DYNAMIC, NULL}:
            self.refuse(f"switch does not apply to {value.type}", value.at, "CS8119")

    def _label(
        self, value: Bound, label: tuple[syntax.Pattern | None, syntax.Node | None], seen: set[Any]
    ) -> Run:
        pattern, guard = label
        if pattern is None:
            self.refuse("default has no pattern", value.at, "CS1003")
        if pattern.constant is not None and isinstance(pattern.constant, syntax.Literal) and guard is None:
            key = (type(pattern.constant.value), pattern.constant.value)
            if key in seen:
                self.refuse("this case was there before", pattern.at, "CS0152")
            seen.add(key)
        test = self.match(value, pattern)
        if guard is not None:
            matches, also = test, self.condition(guard, "when")
            return self.decision(lambda frame: matches(frame) and also(frame), pattern.at, "case")
        return self.decision(test, pattern.at, "case")


def _sequence(steps: list[Run]) -> Run:
    if not steps:
        return lambda _frame: None
    if len(steps) == 1:
        return steps[0]

    def run(frame: Frame) -> Any:
        for step in steps:
            signal = step(frame)
            if signal is not None:
                return signal
        return None

    return run


def _returns_value(node: syntax.Block) -> bool:
    """Whether a lambda's block has `return value;`, nested blocks included, nested lambdas not."""
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
