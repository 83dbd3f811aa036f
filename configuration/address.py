"""The host name of the gateway."""

import re
from dataclasses import dataclass

from configuration.reader import Reader
from configuration.resource_id import ResourceId
from configuration.setting import Text

MANAGED = "managed"
"""A certificate that Azure issues and renews."""

_MANAGED_TIERS = ("Developer", "Basic", "Standard", "Premium")
_SECRET = "Microsoft.KeyVault/vaults/secrets"  # noqa: S105 -- a type
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"


def _hostname_problem(value: str) -> str | None:
    if not re.fullmatch(rf"{_LABEL}(?:\.{_LABEL})+", value) or len(value) > 253:  # noqa: PLR2004 -- RFC 1035
        return f"'{value}' is not a host name in lower case."
    if value.endswith(".azure-api.net"):
        return f"'{value}' is a name that Azure assigns."
    return None


def _certificate_problem(value: str) -> str | None:
    parsed = ResourceId.parse(value)
    if value == MANAGED or (parsed and parsed.is_a(_SECRET)):
        return None
    return f"'{value}' is neither `{MANAGED}` nor the id of a resource of type {_SECRET}."


HOSTNAME = Text(
    key="gatewayHostname",
    description=(
        "Host name of the gateway instead of `<service>.azure-api.net`. The issuer, the metadata, the "
        "redirect URI in Entra and the cookies depend on it. Choose it before the first client connects: "
        "after a change every client must register again and every user must sign in again. A protected "
        "stack refuses the change, see docs/deployment.md."
    ),
    limits="A host name in lower case, whose CNAME record has the output `gatewayCname` as its target.",
    default="",
    example="mcp.example.com",
    problem=_hostname_problem,
)
CERTIFICATE = Text(
    key="gatewayCertificate",
    description=(
        "Certificate of gatewayHostname: the resource id of a certificate's secret in a Key Vault with "
        "role-based access control, whose newest version API Management reads with the gateway's identity, "
        f"or `{MANAGED}` for one that Azure issues. The owner of an existing API Management service sets it "
        "there."
    ),
    limits=(f"An id of type {_SECRET}; `{MANAGED}` in the classic tiers ({', '.join(_MANAGED_TIERS)}) only."),
    default="",
    example=(
        "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/platform/providers/"
        "Microsoft.KeyVault/vaults/certificates/secrets/mcp"
    ),
    problem=_certificate_problem,
)

SETTINGS = (HOSTNAME, CERTIFICATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The gateway's custom host name.

    Attributes:
        hostname: the host name.
        certificate: the secret of its certificate; None when Azure or the owner of the service manages it.
    """

    hostname: str
    certificate: ResourceId | None


def read(reader: Reader, sku: str, *, adopted: bool) -> Address | None:
    """Reads the settings; None for the host name that Azure assigns.

    Args:
        reader: collects the problems.
        sku: tier of API Management.
        adopted: whether the stack uses an existing API Management service.
    """
    hostname, certificate = HOSTNAME.read(reader), CERTIFICATE.read(reader)
    without = f"pulumi config rm {CERTIFICATE.key}"
    if certificate and not hostname:
        CERTIFICATE.reject(reader, "It is set, but gatewayHostname is not.", without)
    elif certificate and adopted:
        CERTIFICATE.reject(
            reader,
            "It is set together with existingApiManagement, whose owner sets it on the service.",
            without,
        )
    elif hostname and not certificate and not adopted and HOSTNAME.problem(hostname) is None:
        CERTIFICATE.reject(reader, "It is not set, but gatewayHostname is.")
    elif certificate == MANAGED and sku not in _MANAGED_TIERS:
        CERTIFICATE.reject(reader, f"The tier {sku} has no managed certificates.")
    return Address(hostname=hostname, certificate=ResourceId.parse(certificate)) if hostname else None
