"""Determines which values contain tokens, cookies and bodies, and which values were verified.

Values are tracked through local variables, in any order, and through `set-variable`. The result of a
comparison, a length or a hash is assumed to reveal nothing about its inputs.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from apim.csharp import Expression
from apim.csharp.language import syntax
from apim.csharp.language.statement_parser import parse
from apim.lint.trees import all_nodes, nodes

SECRET_HEADERS = frozenset(
    {
        "authorization",
        "cookie",
        "api-key",
        "ocp-apim-subscription-key",
        "proxy-authorization",
        "set-cookie",
        "x-api-key",
        "x-functions-key",
    }
)
_SECRET_PARAMETERS = frozenset(
    {
        "access_token",
        "client_secret",
        "code",
        "code_verifier",
        "id_token",
        "refresh_token",
        "subscription-key",
    }
)
_SHOWS_NOTHING = frozenset(
    {
        "Any",
        "ComputeHash",
        "Contains",
        "ContainsKey",
        "Count",
        "EndsWith",
        "Equals",
        "IndexOf",
        "IsMatch",
        "Length",
        "StartsWith",
        "StatusCode",
    }
)
# Members of tokens and documents that name a party, a resource or an error (RFC 7519, 6749 and 8707).
_IDENTIFIERS = frozenset({"clientDocumentId", "error", "oid", "resource", "sub", "tid"})
_COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">=", "&&", "||", "!"})
_VERIFIES = frozenset({"VerifyHash", "VerifyData"})
_EQUALS = frozenset({"CompareOrdinal", "DeepEquals", "Equals", "SequenceEqual"})
_MESSAGES = frozenset(
    {
        "message.body",
        "request",
        "request.body",
        "request.headers",
        "request.originalurl",
        "request.url",
        "response",
        "response.body",
        "response.headers",
    }
)

_WHOLE = {
    "Body": frozenset({"a body"}),
    "Headers": frozenset({"all headers"}),
    "OriginalUrl": frozenset({"all query parameters"}),
    "Query": frozenset({"all query parameters"}),
    "QueryString": frozenset({"all query parameters"}),
    "Url": frozenset({"all query parameters"}),
}

Marks = frozenset[str]
NONE: Marks = frozenset()


def shown(expression: Expression, variables: Mapping[str, Marks]) -> Marks:
    """What the value of an expression reveals, in words for messages: "a token", "a body" and so on.

    Args:
        expression: a compiled expression.
        variables: what context variables reveal, by name.
    """
    if not _may_show(expression, variables):
        return NONE
    names = _variables_read(expression.source)
    relevant = variables.items() if names is None else ((name, variables.get(name, NONE)) for name in names)
    return _shown(expression.source, frozenset(relevant))


@lru_cache(maxsize=4096)
def _shown(source: str, variables: frozenset[tuple[str, Marks]]) -> Marks:
    """`shown`, cached because all operations of an API share expressions."""
    return _Values(source, dict(variables)).marks()


@lru_cache(maxsize=1024)
def _variables_read(source: str) -> frozenset[str] | None:
    """The context variables that an expression reads by constant names; None if it may read all."""
    names: list[str] = []
    mentions = 0
    for node in all_nodes(source):
        match node:
            case syntax.Member(name="Variables"):
                mentions += 1
            case syntax.Call() | syntax.Index():
                collection, name = _collection_and_key(node)
                if collection == "Variables" and name is not None:
                    names.append(name)
    return frozenset(names) if len(names) == mentions else None


def traced(expression: Expression, variables: Mapping[str, Marks]) -> Marks:
    """What an expression passes to `context.Trace`; the arguments are those of `shown`."""
    if not _may_show(expression, variables):
        return NONE
    return _Values(expression.source, variables).passed_to("Trace")


def _may_show(expression: Expression, variables: Mapping[str, Marks]) -> bool:
    return bool(expression.reads & _MESSAGES) or (bool(variables) and "variables" in expression.reads)


@lru_cache(maxsize=1024)
def checks_a_token(source: str) -> Marks:
    """The checks in an expression: "authorization" if it reads that header, "verified" if it verifies a MAC.

    "verified" also means that it verifies a signature. The result is cached, because all operations
    of an API share expressions.

    Args:
        source: the C# of an expression that compiles.
    """
    found = set()
    made: set[str] = set()
    idle: set[int] = set()
    for node in all_nodes(source):
        match node:
            case syntax.Literal(value=str(value)) if value.lower() == "authorization":
                found.add("authorization")
            case syntax.Local(variables=variables):
                made |= {name for name, _at, value in variables if _is_from_mac(value, made)}
            case syntax.Assign(target=syntax.Name(name=name), value=value) if _is_from_mac(value, made):
                made.add(name)
            case syntax.If(condition=condition, yes=syntax.Block(statements=()), no=None):
                idle |= {id(inner) for inner in nodes(condition)}
            case _ if id(node) not in idle and _verifies(node, made):
                found.add("verified")
    return frozenset(found)


def _verifies(node: syntax.Node, made: set[str]) -> bool:
    """Whether the node verifies a signature, or compares a MAC with another value."""
    match node:
        case syntax.Call(target=syntax.Member(name=name)) if name in _VERIFIES:
            return True
        case syntax.Call(target=syntax.Member(name=name)) if name in _EQUALS:
            return _is_from_mac(node, made)
        case syntax.Binary(op="==" | "!=" | "^", left=left, right=right):
            return _is_from_mac((left, right), made) and _shape(left) != _shape(right)
    return False


def _is_from_mac(value: object, made: set[str]) -> bool:
    """Whether a value is computed from a MAC; `made` contains the local variables that are."""
    return any(
        (isinstance(node, syntax.Name) and node.name in made)
        or (isinstance(node, syntax.Member) and node.name == "ComputeHash")
        for node in nodes(value)
    )


def _shape(part: object) -> object:
    """A part of a tree without its source location, so that two parts can be compared."""
    if isinstance(part, tuple):
        return tuple(map(_shape, part))
    slots = getattr(type(part), "__dataclass_fields__", None)
    if slots is None:
        return part
    return type(part), *(_shape(getattr(part, name)) for name in slots if name != "at")


class _Values:
    """The marks of the values in one expression."""

    def __init__(self, source: str, variables: Mapping[str, Marks]) -> None:
        self._root = parse(source)
        self._nodes = all_nodes(source)
        self._variables = variables
        self._locals: dict[str, Marks] = {}

    def passed_to(self, method: str) -> Marks:
        """What the arguments of a method of `context` reveal."""
        self._settle()
        return _union(
            self._value(argument.value)
            for node in self._nodes
            if isinstance(node, syntax.Call)
            and isinstance(node.target, syntax.Member)
            and node.target.name == method
            and isinstance(node.target.target, syntax.Name)
            and node.target.target.name == "context"
            for argument in node.args
        )

    def marks(self) -> Marks:
        """What the value of the expression reveals."""
        if not isinstance(self._root, syntax.Block):
            return self._value(self._root)
        self._settle()
        return _union(
            self._value(node.value) for node in self._nodes if isinstance(node, syntax.Return) and node.value
        )

    def _settle(self) -> None:
        # Assignments are read twice, because a loop may read a variable that is assigned later in its body.
        for _ in range(2):
            self._assignments()

    def _assignments(self) -> None:
        for node in self._nodes:
            match node:
                case syntax.Local(variables=variables):
                    for name, _at, value in variables:
                        if value is not None:
                            self._add(name, self._value(value))
                case syntax.Assign(target=syntax.Name(name=name), value=value):
                    self._add(name, self._value(value))
                case syntax.ForEach(name=name, values=values):
                    self._add(name, self._value(values))
                case syntax.Call(args=args):
                    for name in _filled(args):
                        self._add(name, self._value(node))

    def _add(self, name: str, marks: Marks) -> None:
        self._locals[name] = self._locals.get(name, NONE) | marks

    def _value(self, node: object) -> Marks:  # noqa: C901, PLR0911 -- one case per kind of node
        match node:
            case syntax.Binary(op=op) | syntax.Unary(op=op) if op in _COMPARISONS:
                return NONE
            case syntax.Ternary(yes=yes, no=no):
                return self._value(yes) | self._value(no)
            case syntax.Name(name=name):
                return self._locals.get(name, NONE)
            case syntax.Is() | syntax.Literal():
                return NONE
            case syntax.Call(target=syntax.Member(name="TryGetValue")):
                return self._read(node)
            case syntax.Call(target=syntax.Member(name=name)) | syntax.Member(name=name) if (
                name in _SHOWS_NOTHING
            ):
                return NONE
            case syntax.Member(name=name) if name in _WHOLE:
                return _WHOLE[name]
            case syntax.Member(name="Variables"):
                return _union(self._variables.values())
            case syntax.Member(target=syntax.Member(name="Url" | "OriginalUrl"), name="Path" | "Host"):
                return NONE
            case syntax.Call() | syntax.Index():
                return self._read(node)
        return self._parts(node)

    def _read(self, node: syntax.Call | syntax.Index) -> Marks:
        """An indexer or a method that reads a header, a query parameter or a variable by name."""
        collection, name = _collection_and_key(node)
        if collection == "Variables":
            return self._variables.get(name, NONE) if name is not None else _union(self._variables.values())
        if collection == "Headers":
            if name is None:
                return frozenset({"all headers"})
            return frozenset({f"the header {name}"}) if name.lower() in SECRET_HEADERS else NONE
        if collection == "Query":
            if name is None:
                return frozenset({"all query parameters"})
            return frozenset({f"the parameter {name}"}) if name.lower() in _SECRET_PARAMETERS else NONE
        return NONE if name in _IDENTIFIERS else self._parts(node)

    def _parts(self, node: object) -> Marks:
        if isinstance(node, tuple):
            return _union(map(self._value, node))
        slots = getattr(type(node), "__dataclass_fields__", None)
        return _union(self._value(getattr(node, name)) for name in slots) if slots else NONE


def _collection_and_key(node: syntax.Call | syntax.Index) -> tuple[str, str | None]:
    """The member that an indexer or a method reads from, and its key; None if the key is not constant."""
    target = (
        node.target.target
        if isinstance(node.target, syntax.Member) and isinstance(node, syntax.Call)
        else node.target
    )
    key = node.args[0].value if node.args else None
    name = key.value if isinstance(key, syntax.Literal) and isinstance(key.value, str) else None
    return target.name if isinstance(target, syntax.Member) else "", name


def _filled(arguments: tuple[syntax.Argument, ...]) -> Iterator[str]:
    """The variables that a call sets with out arguments."""
    for argument in arguments:
        if argument.mode == "out":
            if argument.name:
                yield argument.name
            elif isinstance(argument.value, syntax.Name):
                yield argument.value.name


def _union(many: Iterable[Marks]) -> Marks:
    return NONE.union(*many)
