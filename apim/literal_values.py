"""The kinds of values that attributes of policies accept as literals."""

from collections.abc import Callable

from apim.node import Operand
from apim.shape import Attribute, Kind


def wrong_literal(attribute: Attribute, operand: Operand) -> str | None:
    """The error of a literal, as the end of a sentence; None if the literal is valid."""
    text = operand.constant
    if text is None:
        return None if attribute.expression else "cannot be a policy expression"
    if attribute.values and text not in attribute.values:
        return f"is {text!r}; allowed are {', '.join(attribute.values)}"
    check = _KINDS.get(attribute.kind)
    if check is None:
        return None
    try:
        number = check(text)
    except ValueError:
        return f"is {text!r}; it must be {attribute.kind.value}"
    least, most = attribute.least, attribute.most
    if (least is not None and number < least) or (most is not None and number > most):
        return f"is {text}; it must be at least {least:g}" + (
            "" if most is None else f" and at most {most:g}"
        )
    return None


def _check_boolean(text: str) -> float:
    if text.strip().lower() not in {"true", "false"}:
        raise ValueError
    return 0


_KINDS: dict[Kind, Callable[[str], float]] = {
    Kind.BOOLEAN: _check_boolean,
    Kind.INTEGER: int,
    Kind.NUMBER: float,
}
