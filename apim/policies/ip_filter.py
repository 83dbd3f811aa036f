"""https://learn.microsoft.com/azure/api-management/ip-filter-policy."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from apim.failure import Failure
from apim.node import Node
from apim.policy import INBOUND, Policy
from apim.run import Run
from apim.shape import Attribute, Child, Shape, Text
from apim.statements import Action

Address = IPv4Address | IPv6Address


def _compile(node: Node) -> Action:
    action_of = node.string("action")
    addresses = [child.text() for child in node.children("address")]
    ranges = [(child.string("from"), child.string("to")) for child in node.children("address-range")]
    if not addresses and not ranges:
        node.fail("<ip-filter> needs <address> or <address-range>")
    for child in node.children("address"):
        _check_literal(child, child.text_constant)
    for child in node.children("address-range"):
        _check_literal(child, child.literal("from"))
        _check_literal(child, child.literal("to"))

    def ip_filter(run: Run) -> None:
        context = run.context
        caller = _parsed(context.request.ip_address)
        listed = any(_parsed(read(context)) == caller for read in addresses) or any(
            _within(caller, _parsed(low(context)), _parsed(high(context))) for low, high in ranges
        )
        if (action_of(context) == "allow") == listed:
            return
        if listed:
            raise _denied("CallerIpBlocked", "Caller IP address is blocked. Access denied.")
        message = f"Caller IP address {context.request.ip_address} is not allowed. Access denied."
        raise _denied("CallerIpNotAllowed", message)

    return ip_filter


def _check_literal(node: Node, text: str | None) -> None:
    if text is not None:
        try:
            ip_address(text.strip())
        except ValueError:
            node.fail(f"{text.strip()!r} is not an IP address")


def _parsed(text: str | None) -> Address:
    try:
        address = ip_address((text or "").strip())
    except ValueError as error:
        message = "Failed to establish IP address for the caller. Access denied."
        raise _denied("FailedToParseCallerIP", message) from error
    return getattr(address, "ipv4_mapped", None) or address


def _within(address: Address, low: Address, high: Address) -> bool:
    same = address.version == low.version == high.version
    return same and int(low) <= int(address) <= int(high)


def _denied(reason: str, message: str) -> Failure:
    return Failure(reason=reason, message=message, status=403, public=message)


POLICY = Policy(
    name="ip-filter",
    sections=INBOUND,
    shape=Shape(
        (Attribute("action", required=True, values=("allow", "forbid")),),
        children=(
            Child("address", Shape(text=Text.VALUE, text_required=True), most=None),
            Child(
                "address-range",
                Shape((Attribute("from", required=True), Attribute("to", required=True))),
                most=None,
            ),
        ),
    ),
    compile=_compile,
)
