"""Checks for limits of Azure that a stack can exceed even if each of its settings is valid."""

from collections.abc import Iterator
from dataclasses import dataclass

import pulumi

from gateway.plan import Plan
from settings import Settings

# https://learn.microsoft.com/azure/api-management/api-management-region-availability, 11 November 2025, and
# for all tiers in 2026. The classic tiers are in all regions.
_V2_TIERS = frozenset({"BasicV2", "StandardV2", "PremiumV2"})
_REGIONS_OF_V2_TIERS = frozenset(
    {
        *("australiacentral", "australiaeast", "australiasoutheast", "brazilsouth", "canadacentral"),
        *("canadaeast", "centralindia", "centralus", "eastasia", "eastus", "eastus2", "francecentral"),
        *("germanywestcentral", "italynorth", "japaneast", "koreacentral", "northcentralus", "northeurope"),
        *("norwayeast", "southafricanorth", "southcentralus", "southindia", "swedencentral"),
        *("switzerlandnorth", "uaenorth", "uksouth", "ukwest", "westeurope", "westus", "westus2"),
    }
)
_REGION_PAGE = "https://learn.microsoft.com/azure/api-management/api-management-region-availability"

# https://learn.microsoft.com/azure/api-management/service-limits: the smallest limits of any tier.
_MAX_NAMED_VALUES = 100
_MAX_OPERATIONS = 100
_MAX_FRAGMENTS = 50
_MAX_APIS = 50
# The limit of `runtimeUri` in the specification of API Center's deployments, version 2024-03-15-preview.
_MAX_URL_LENGTH_IN_API_CENTER = 200
# `<name of up to 50 characters>.azure-api.net`
_ASSIGNED_HOSTNAME_LENGTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A property of the stack that Azure refuses, or may refuse.

    Attributes:
        message: the problem and its remedy.
        warning: whether the deployment may succeed nevertheless.
    """

    message: str
    warning: bool = False


class LimitsError(pulumi.RunError):
    """Azure would refuse the stack. Pulumi shows only the message, without a stack trace."""


def check(settings: Settings, plan: Plan) -> None:
    """Checks a stack before anything is created. Warnings are logged.

    Raises:
        LimitsError: Azure would refuse it.
    """
    problems = list(findings(settings, plan))
    for finding in problems:
        if finding.warning:
            pulumi.log.warn(finding.message)
    errors = [finding.message for finding in problems if not finding.warning]
    if errors:
        lines = "\n".join(f"  {message}" for message in errors)
        raise LimitsError(f"Azure would refuse this stack, so nothing was created:\n{lines}")


def findings(settings: Settings, plan: Plan) -> Iterator[Finding]:
    """The properties of the stack that Azure refuses, or may refuse."""
    if (
        settings.sku in _V2_TIERS
        and not settings.local
        and settings.location not in _REGIONS_OF_V2_TIERS
        and settings.existing.api_management is None
    ):
        yield Finding(
            message=f"API Management {settings.sku} was not available in {settings.location} when this "
            f"program was released. See {_REGION_PAGE}, or choose another region: "
            "pulumi config set azure-native:location northeurope",
            warning=True,
        )
    yield from _too_many("named values", len(plan.named_values), _MAX_NAMED_VALUES, "MCP servers")
    yield from _too_many("policy fragments", len(plan.fragments), _MAX_FRAGMENTS, "MCP servers")
    yield from _too_many("APIs", len(plan.apis), _MAX_APIS, "MCP servers")
    for api in plan.apis:
        kind = f"operations of the API {api.id}"
        yield from _too_many(kind, len(api.operations), _MAX_OPERATIONS, "paths of this server")
    if settings.api_center:
        yield from _long_urls(settings, plan)


def _long_urls(settings: Settings, plan: Plan) -> Iterator[Finding]:
    """URLs of MCP servers that are too long for API Center."""
    host = settings.address.hostname if settings.address else "x" * _ASSIGNED_HOSTNAME_LENGTH
    urls = [
        (backend.name, f"https://{host}/{backend.path}{path}")
        for backend in plan.backends
        for path in ("", *backend.event_stream_paths)
    ]
    if "github" in settings.backends:
        urls.append(("github", settings.github_url))
    for name, length in {name: len(url) for name, url in urls}.items():
        if length > _MAX_URL_LENGTH_IN_API_CENTER:
            yield Finding(
                message=f"A URL of the MCP server '{name}' has {length} characters; Azure API Center allows "
                f"{_MAX_URL_LENGTH_IN_API_CENTER}. Use a shorter host name or path, or do not list the "
                "servers there: pulumi config rm apiCenter"
            )


def _too_many(kind: str, count: int, maximum: int, reducible: str) -> Iterator[Finding]:
    if count > maximum:
        yield Finding(
            message=f"The stack has {count} {kind}; API Management allows {maximum}. Use fewer {reducible}."
        )
