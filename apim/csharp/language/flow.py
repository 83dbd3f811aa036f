"""Checks definite assignment and reachability, as a C# compiler does.

Source: the sections "Definite assignment" and "End points and reachability" of the C# 7.3 specification. The
names of variables are unique in an expression, so a state is a set of names. At an unreachable point all
variables are considered to be assigned.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from apim.csharp.errors import CompileError
from apim.csharp.language import syntax
from apim.csharp.language.syntax import Node

State = frozenset[str] | None
"""The variables that are assigned at a point; None when the point cannot be reached."""
_START: Final[frozenset[str]] = frozenset()


def check_flow(body: syntax.Block, *, must_return: bool = True) -> None:
    """Checks a multi-statement expression or a lambda's block.

    Raises:
        CompileError: a variable is read before it is assigned (CS0165), a path has no return (CS0161), or a
            statement is misplaced (CS0139, CS0163).
    """
    walk = _Flow()
    end = walk.statement(body, _START)
    if end is not None and must_return:
        raise CompileError("not every path returns a value", body.at, "CS0161")


def check_value(node: Node) -> None:
    """Checks a single-statement expression.

    Raises:
        CompileError: a variable is read before it is assigned (CS0165).
    """
    _Flow().value(node, _START)


def _meet(left: State, right: State) -> State:
    """The variables that are assigned on both paths."""
    if left is None or right is None:
        return right if left is None else left
    return left & right


@dataclass(slots=True)
class _Flow:
    declared: set[str] = field(default_factory=set)
    """Variables that were declared without a value; only these can be unassigned."""
    breaks: list[State] = field(default_factory=list)
    depth: int = 0

    # The state after a statement.

    def statement(self, node: Node, state: State) -> State:  # noqa: C901, PLR0911, PLR0912 -- one case per kind
        match node:
            case syntax.Block():
                for statement in node.statements:
                    state = self.statement(statement, state)
                return state
            case syntax.Local():
                return self._local(node, state)
            case syntax.Do():
                return self.value(node.value, state)
            case syntax.If():
                yes, no = self.condition(node.condition, state)
                after = self.statement(node.yes, yes)
                return _meet(after, self.statement(node.no, no) if node.no is not None else no)
            case syntax.Loop():
                return self._loop(node, state)
            case syntax.ForEach():
                state = self.value(node.values, state)
                before, self.breaks = self.breaks, []
                self.depth += 1
                self.statement(node.body, state)
                self.depth -= 1
                self.breaks = before
                return state
            case syntax.Jump():
                return self._jump(node, state)
            case syntax.Return():
                self.value(node.value, state)
                return None
            case syntax.Throw():
                self.value(node.value, state)
                return None
            case syntax.Try():
                return self._try(node, state)
            case syntax.Using():
                return self.statement(node.body, self.statement(node.resource, state))
            case syntax.Switch():
                return self._switch(node, state)
        return state

    def _local(self, node: syntax.Local, state: State) -> State:
        for name, _at, value in node.variables:
            if value is None:
                self.declared.add(name)
                state = None if state is None else state - {name}
            else:
                state = self.value(value, state)
        return state

    def _jump(self, node: syntax.Jump, state: State) -> State:
        if node.kind == "break":
            if not self.depth and not self.breaks:
                raise CompileError("`break` is not within a loop or a switch", node.at, "CS0139")
            self.breaks.append(state)
        elif not self.depth:
            raise CompileError("`continue` is not within a loop", node.at, "CS0139")
        return None

    def _loop(self, node: syntax.Loop, state: State) -> State:
        for statement in node.setup:
            state = self.statement(statement, state)
        outer, self.breaks = self.breaks, []
        self.depth += 1
        yes, no = state, None
        if not node.body_first and node.condition is not None:
            yes, no = self.condition(node.condition, state)
        after = self.statement(node.body, yes)
        if node.body_first and node.condition is not None:
            _yes, no = self.condition(node.condition, after if after is not None else yes)
        for statement in node.step:
            self.statement(statement, after if after is not None else yes)
        for leaving in self.breaks:
            no = _meet(no, leaving)
        self.depth -= 1
        self.breaks = outer
        return no

    def _try(self, node: syntax.Try, state: State) -> State:
        end = self.statement(node.body, state)
        for clause in node.catches:
            inside = self.condition(clause.filter, state)[0] if clause.filter is not None else state
            end = _meet(end, self.statement(clause.body, inside))
        if node.final is None:
            return end
        after = self.statement(node.final, state)
        if end is None or after is None:
            return None
        return end | after

    def _switch(self, node: syntax.Switch, state: State) -> State:
        state = self.value(node.value, state)
        outer, self.breaks = self.breaks, [None]
        has_default = False
        end: State = None
        for section in node.sections:
            inside = state
            for pattern, guard in section.labels:
                has_default = has_default or pattern is None
                if guard is not None:
                    inside = self.condition(guard, inside)[0]
            left = self.statement(section.body, inside)
            if left is not None:
                raise CompileError(
                    "a section of a switch must end with break, return or throw", section.at, "CS0163"
                )
        for leaving in self.breaks:
            end = _meet(end, leaving)
        self.breaks = outer
        return end if has_default else _meet(end, state)

    # The state after the evaluation of a value.

    def value(self, node: Any, state: State) -> State:  # noqa: C901, PLR0911, PLR0912 -- one case per kind
        match node:
            case None | syntax.Literal() | syntax.Receiver() | syntax.Default():
                return state
            case syntax.Name():
                if state is not None and node.name in self.declared and node.name not in state:
                    raise CompileError(f"`{node.name}` is read before it has a value", node.at, "CS0165")
                return state
            case syntax.Binary(op="&&" | "||") | syntax.Unary(op="!"):
                return _meet(*self.condition(node, state))
            case syntax.Binary(op="??"):
                before = self.value(node.left, state)
                after = self.value(node.right, before)
                return before if isinstance(node.right, syntax.ThrowValue) else _meet(before, after)
            case syntax.Conditional():
                before = self.value(node.target, state)
                self.value(node.rest, before)
                return before
            case syntax.Ternary():
                yes, no = self.condition(node.condition, state)
                return _meet(self.value(node.yes, yes), self.value(node.no, no))
            case syntax.Assign():
                return self._assign(node, state)
            case syntax.ThrowValue():
                self.value(node.value, state)
                return None
            case syntax.Lambda():
                return self._lambda(node, state)
            case syntax.Call() | syntax.Index():
                state = self.value(node.target, state)
                return self._arguments(node.args, state)
            case syntax.New():
                return self._initializer(node.initializer, self._arguments(node.args, state))
        for inner in _operands(node):
            state = self.value(inner, state)
        return state

    def condition(self, node: Node, state: State) -> tuple[State, State]:  # noqa: PLR0911 -- one case per kind
        """The states after a condition that is true and after one that is false."""
        match node:
            case syntax.Paren():
                return self.condition(node.inner, state)
            case syntax.Literal(type="Boolean"):
                return (state, None) if node.value else (None, state)
            case syntax.Unary(op="!"):
                yes, no = self.condition(node.operand, state)
                return no, yes
            case syntax.Binary(op="&&"):
                left_yes, left_no = self.condition(node.left, state)
                yes, no = self.condition(node.right, left_yes)
                return yes, _meet(left_no, no)
            case syntax.Binary(op="||"):
                left_yes, left_no = self.condition(node.left, state)
                yes, no = self.condition(node.right, left_no)
                return _meet(left_yes, yes), no
            case syntax.Is() if node.pattern.name is not None:
                after = self.value(node.operand, state)
                self.declared.add(node.pattern.name)
                if after is None:
                    return None, None
                return after | {node.pattern.name}, after - {node.pattern.name}
        after = self.value(node, state)
        return after, after

    def _assign(self, node: syntax.Assign, state: State) -> State:
        target = node.target
        while isinstance(target, syntax.Paren):
            target = target.inner
        if isinstance(target, syntax.Name) and node.op == "=":
            state = self.value(node.value, state)
            return None if state is None else state | {target.name}
        if isinstance(target, syntax.Name):
            return self.value(node.value, self.value(target, state))
        return self.value(node.value, self.value(target, state))

    def _arguments(self, args: tuple[syntax.Argument, ...], state: State) -> State:
        outs: set[str] = set()
        for argument in args:
            if argument.mode == "out" and isinstance(argument.value, syntax.Name):
                outs.add(argument.value.name)
                if argument.declares is not None:
                    self.declared.add(argument.value.name)
            else:
                state = self.value(argument.value, state)
        return None if state is None else state | outs

    def _initializer(self, initializer: syntax.Initializer | None, state: State) -> State:
        if initializer is None:
            return state
        for element in initializer.elements:
            state = self._arguments(element.index or (), state)
            for value in element.values:
                if isinstance(value, syntax.Initializer):
                    state = self._initializer(value, state)
                else:
                    state = self.value(value, state)
        return state

    def _lambda(self, node: syntax.Lambda, state: State) -> State:
        if isinstance(node.body, syntax.Block):
            inner = _Flow(declared=self.declared)
            inner.statement(node.body, state)
        else:
            self.value(node.body, state)
        return state


def _operands(node: Node) -> list[Any]:  # noqa: PLR0911 -- one case per kind
    match node:
        case syntax.Interpolated():
            return [part.value for part in node.parts if isinstance(part, syntax.Hole)]
        case syntax.Member():
            return [node.target]
        case syntax.Binary():
            return [node.left, node.right]
        case syntax.Unary() | syntax.Postfix() | syntax.Cast() | syntax.As() | syntax.Is():
            return [node.operand]
        case syntax.Paren():
            return [node.inner]
        case syntax.NewArray():
            return [node.size, *(node.items or ())]
        case syntax.NewAnonymous():
            return [value for _name, value in node.members]
    return []
