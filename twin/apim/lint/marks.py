"""What a value shows of tokens, cookies and bodies, and whether it was verified.

Values are followed through local variables, in any order, and through `set-variable`. A comparison, a length
or a hash shows nothing of what it is made from.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from twin.apim.csharp import Expression, syntax
from twin.apim.lint.trees import nodes, tree

SECRET_HEADERS = frozenset(
    {
        "authorization",
        "cookie",
        "ocp-apim-subscription-key",
        "proxy-authorization",
        "set-cookie",
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
_COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">=", "&&", "||", "!"})
_VERIFIES = frozenset({"ComputeHash", "VerifyHash", "VerifyData"})

Marks = frozenset[str]
NONE: Marks = frozenset()


def shown(expression: Expression, variables: Mapping[str, Marks]) -> Marks:
    """What an expression's value shows: "a token", "a cookie", "a body"...

    Args:
        expression: compiled.
        variables: what context variables show.
    """
    interesting = {"request.headers", "response.headers", "request.body", "response.body", "message.body"}
    if not expression.reads & (interesting | {"request.url.query", "request.originalurl.query"}) and not any(
        f"variables:{name}" in expression.reads for name in variables
    ):
        return NONE
    return _Values(variables).of(tree(expression.source))


@lru_cache(maxsize=1024)
def checks_a_token(source: str) -> Marks:
    """Whether an expression reads the Authorization header, and whether it compares a signature or a MAC.

    Args:
        source: of an expression that compiles; the same one is asked about in every operation of an API.
    """
    found = set()
    for node in nodes(tree(source)):
        match node:
            case syntax.Literal(value=str(value)) if value.lower() == "authorization":
                found.add("authorization")
            case syntax.Call(target=syntax.Member(name=name)) if name in _VERIFIES:
                found.add("verified")
    return frozenset(found)


class _Values:
    """The values of one expression."""

    def __init__(self, variables: Mapping[str, Marks]) -> None:
        self._variables = variables
        self._locals: dict[str, Marks] = {}

    def of(self, root: syntax.Node) -> Marks:
        if not isinstance(root, syntax.Block):
            return self._value(root)
        # Twice: a loop may read what stands below.
        for _ in range(2):
            self._assignments(root)
        return _union(
            self._value(node.value) for node in nodes(root) if isinstance(node, syntax.Return) and node.value
        )

    def _assignments(self, root: syntax.Node) -> None:
        for node in nodes(root):
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

    def _value(self, node: object) -> Marks:  # noqa: PLR0911 -- one case a kind of node
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
            case syntax.Member(name="Body"):
                return frozenset({"a body"})
            case syntax.Call() | syntax.Index():
                return self._read(node)
        return self._parts(node)

    def _read(self, node: syntax.Call | syntax.Index) -> Marks:
        """An indexer or a method: of headers, query parameters and variables by the name that it takes."""
        target = (
            node.target.target
            if isinstance(node.target, syntax.Member) and isinstance(node, syntax.Call)
            else node.target
        )
        collection = target.name if isinstance(target, syntax.Member) else ""
        key = node.args[0].value if node.args else None
        name = key.value if isinstance(key, syntax.Literal) and isinstance(key.value, str) else None
        if collection == "Variables":
            return self._variables.get(name, NONE) if name is not None else NONE
        if collection == "Headers":
            if name is None:
                return frozenset({"all headers"})
            return frozenset({f"the header {name}"}) if name.lower() in SECRET_HEADERS else NONE
        if collection == "Query":
            if name is None:
                return frozenset({"all query parameters"})
            return frozenset({f"the parameter {name}"}) if name.lower() in _SECRET_PARAMETERS else NONE
        return self._parts(node)

    def _parts(self, node: object) -> Marks:
        if isinstance(node, tuple):
            return _union(map(self._value, node))
        slots = getattr(type(node), "__dataclass_fields__", None)
        return _union(self._value(getattr(node, name)) for name in slots) if slots else NONE


def _filled(arguments: tuple[syntax.Argument, ...]) -> Iterator[str]:
    """The variables that a call sets: out arguments."""
    for argument in arguments:
        if argument.mode == "out":
            if argument.name:
                yield argument.name
            elif isinstance(argument.value, syntax.Name):
                yield argument.value.name


def _union(many: Iterable[Marks]) -> Marks:
    return NONE.union(*many)
