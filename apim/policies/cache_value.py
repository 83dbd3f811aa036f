"""cache-lookup-value, cache-store-value and cache-remove-value.

https://learn.microsoft.com/azure/api-management/cache-lookup-value-policy
https://learn.microsoft.com/azure/api-management/cache-store-value-policy
https://learn.microsoft.com/azure/api-management/cache-remove-value-policy
"""

from copy import deepcopy

from apim.csharp import to_text
from apim.failure import Failure
from apim.node import Node
from apim.policy import Policy
from apim.run import Run
from apim.shape import Attribute, Kind, Shape
from apim.statements import Action

_KEY = Attribute("key", required=True)
_CACHING_TYPE = Attribute(
    "caching-type",
    default="prefer-external",
    expression=False,
    values=("prefer-external", "internal"),
)


def _compile_lookup(node: Node) -> Action:
    key_of, name, default_of = node.string("key"), node.constant("variable-name"), node.value("default-value")
    has_default = node.has("default-value")

    def cache_lookup_value(run: Run) -> None:
        context = run.context
        value = run.services.cache.lookup(key_of(context) or "")
        if value is not None:
            context.variables[name] = _copied(value)
        elif has_default:
            context.variables[name] = default_of(context)

    return cache_lookup_value


def _compile_store(node: Node) -> Action:
    key_of, value_of, duration_of = node.string("key"), node.value("value"), node.integer("duration")

    def cache_store_value(run: Run) -> None:
        context = run.context
        key, value, duration = key_of(context) or "", value_of(context), duration_of(context)
        if value is not None:
            size = len((value if isinstance(value, str) else to_text(value) or "").encode())
            run.services.cache.store(key, _copied(value), duration, size)

    return cache_store_value


def _copied(value: object) -> object:
    """A copy of a value that is independent of the cached one, because API Management serializes values."""
    return value if isinstance(value, str | int | float) else deepcopy(value)


def _compile_remove(node: Node) -> Action:
    key_of = node.string("key")
    fail_of = node.boolean("fail-on-cache-removal-error") if node.has("fail-on-cache-removal-error") else None

    def cache_remove_value(run: Run) -> None:
        key, cache = key_of(run.context) or "", run.services.cache
        if (
            run.readings.cache_remove == "error"
            and not cache.has(key)
            and (fail_of is None or fail_of(run.context))
        ):
            raise Failure(
                reason="CacheRemovalFailed", message="There is no value with this key in the cache."
            )
        cache.remove(key)

    return cache_remove_value


LOOKUP = Policy(
    name="cache-lookup-value",
    shape=Shape(
        (
            _KEY,
            Attribute("variable-name", required=True, expression=False),
            Attribute("default-value"),
            _CACHING_TYPE,
        )
    ),
    compile=_compile_lookup,
)
STORE = Policy(
    name="cache-store-value",
    shape=Shape(
        (
            _KEY,
            Attribute("value", required=True),
            Attribute("duration", required=True, kind=Kind.INTEGER, least=1),
            _CACHING_TYPE,
        )
    ),
    compile=_compile_store,
)
REMOVE = Policy(
    name="cache-remove-value",
    shape=Shape(
        (_KEY, _CACHING_TYPE, Attribute("fail-on-cache-removal-error", default="false", kind=Kind.BOOLEAN))
    ),
    compile=_compile_remove,
)
