"""Finds policies that are not available in the tier of the service.

https://learn.microsoft.com/azure/api-management/api-management-policies, columns Classic, V2, Consumption.
The compiler checks the policies that the twin supports; this rule checks the others.
"""

from collections.abc import Iterator

from apim.findings import Finding
from apim.lint.subject import LocatedElement, Subject
from apim.policies import POLICIES

_CLASSIC = frozenset({"Developer", "Basic", "Standard", "Premium"})
_V2 = frozenset({"BasicV2", "StandardV2", "PremiumV2"})
_CONSUMPTION = frozenset({"Consumption"})
_ALL = _CLASSIC | _V2 | _CONSUMPTION

_MISSING = {
    "azure-openai-token-limit": _CONSUMPTION,
    "cosmosdb-data-source": _CONSUMPTION,
    "invoke-dapr-binding": _ALL,
    "llm-token-limit": _CONSUMPTION,
    "publish-to-dapr": _ALL,
    "quota-by-key": _V2 | _CONSUMPTION,
    "sql-data-source": _CONSUMPTION,
}


def check(subject: Subject) -> Iterator[Finding]:
    """Findings about policies that are not available in the service's SKU."""
    sku = subject.service.sku
    for document, root in subject.roots.items():
        for policy in LocatedElement(document, root).within():
            name = policy.element.name
            if name not in POLICIES and sku in _MISSING.get(name, ()):
                yield policy.finding("policy-unavailable", f"{name} is not available in the SKU {sku}")
            elif (
                name == "forward-request"
                and sku in _CONSUMPTION
                and (value := policy.element.attributes.get("buffer-response"))
                and value.text.lower() == "false"
            ):
                message = f"responses cannot be streamed in the SKU {sku}"
                yield policy.finding("policy-unavailable", message, value)
