"""The settings of the gateway's address: its host name, and the path prefix of its URLs."""

import re
from dataclasses import dataclass

from configuration.reader import Reader
from configuration.resource_id import ResourceId
from configuration.setting import Text

MANAGED = "managed"
"""The value of gatewayCertificate for a certificate that Azure issues and renews."""

_MANAGED_TIERS = ("Developer", "Basic", "Standard", "Premium")
_SECRET = "Microsoft.KeyVault/vaults/secrets"  # noqa: S105 -- a type
# The path of health checks in API Management.
_HEALTH_CHECK = "status-0123456789abcdef"
_SEGMENT = r"[a-z0-9]+(?:-[a-z0-9]+)*"
_MAX_PREFIX_LENGTH = 100
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


def _prefix_problem(value: str) -> str | None:
    if not re.fullmatch(rf"{_SEGMENT}(?:/{_SEGMENT}){{0,4}}", value) or len(value) > _MAX_PREFIX_LENGTH:
        return f"'{value}' is not a valid path prefix."
    if value.partition("/")[0] == _HEALTH_CHECK:
        return f"'/{_HEALTH_CHECK}' belongs to API Management."
    return None


HOSTNAME = Text(
    key="gatewayHostname",
    description=(
        "Host name of the gateway instead of `<service>.azure-api.net`. The issuer, the metadata, the "
        "redirect URI in Entra and the cookies depend on it. Choose it before the first client connects: "
        "after a change every client must register again and every user must sign in again. A protected "
        "stack rejects the change, see docs/deployment.md."
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

PATH_PREFIX = Text(
    key="pathPrefix",
    description=(
        "Path below which the stack publishes its APIs in an existing API Management service, so that they "
        "do not use the root of its host. The prefix is part of the issuer, of the URLs of the MCP servers "
        "and of the redirect URI in Entra: after a change every client must register again and every user "
        "must sign in again. A protected stack rejects the change. Event streams whose messages go to the "
        "root of the host are not available, see docs/existing.md."
    ),
    limits=(
        "One to five segments of lower-case letters, digits and single hyphens, separated by `/`; at most "
        f"{_MAX_PREFIX_LENGTH} characters. Needs existingApiManagement."
    ),
    default="",
    example="ai/mcp",
    problem=_prefix_problem,
)

SETTINGS = (HOSTNAME, CERTIFICATE, PATH_PREFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The gateway's custom host name.

    Attributes:
        hostname: the host name.
        certificate: the secret with its certificate; None if Azure or the owner of the service manages it.
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
        CERTIFICATE.reject(reader, "Requires gatewayHostname, which is not set.", without)
    elif certificate and adopted:
        CERTIFICATE.reject(
            reader,
            "Must not be set with existingApiManagement: the owner of that service sets it there.",
            without,
        )
    elif hostname and not certificate and not adopted and HOSTNAME.problem(hostname) is None:
        CERTIFICATE.reject(reader, "Required with gatewayHostname, but not set.")
    elif certificate == MANAGED and sku not in _MANAGED_TIERS:
        CERTIFICATE.reject(reader, f"The tier {sku} has no managed certificates.")
    return Address(hostname=hostname, certificate=ResourceId.parse(certificate)) if hostname else None


def read_prefix(reader: Reader, *, adopted: bool) -> str:
    """Reads the path prefix; empty for none.

    Args:
        reader: collects the problems.
        adopted: whether the stack uses an existing API Management service.
    """
    prefix = PATH_PREFIX.read(reader)
    if prefix and PATH_PREFIX.problem(prefix):
        return ""
    if prefix and not adopted:
        PATH_PREFIX.reject(
            reader,
            "Requires existingApiManagement, which is not set; the stack's own service has no other APIs.",
            f"pulumi config rm {PATH_PREFIX.key}",
        )
    return prefix
