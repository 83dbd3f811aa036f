"""https://learn.microsoft.com/azure/api-management/validate-azure-ad-token-policy."""

from apim import tokens
from apim.csharp.context import Context
from apim.node import Node
from apim.policies.validate_jwt import (
    FINDING,
    REQUIRED_CLAIMS,
    Demands,
    checking,
    claims_of,
    group,
    texts_of,
)
from apim.policy import INBOUND, Policy
from apim.shape import Attribute, Child, Shape
from apim.statements import Action

_AUTHORITY = "https://login.microsoftonline.com"
_SHARED_TENANTS = ("common", "organizations", "consumers")
_VERSIONS = ("v2.0/", "")  # tokens of version 2 and 1 have different issuers


def _compile(node: Node) -> Action:
    tenant_of = node.string("tenant-id")
    fixed = node.literal("tenant-id")
    if fixed in _SHARED_TENANTS:
        node.fail(f"the twin only checks tokens of a single tenant, not of {fixed}", "tenant-id")
    clients = texts_of(node, "client-application-ids", "application-id")
    backends = texts_of(node, "backend-application-ids", "application-id")
    named = texts_of(node, "audiences", "audience")

    def configuration(version: str):  # noqa: ANN202 -- Read[str]
        return lambda context: f"{_AUTHORITY}/{tenant_of(context)}/{version}.well-known/openid-configuration"

    def more(claims: tokens.Claims, context: Context) -> None:
        caller = claims.get("azp") or claims.get("appid")
        if caller not in [(read(context) or "").strip() for read in clients]:
            raise tokens.TokenError(
                "TokenClaimValueNotAllowed", "The token's client application is not allowed. Access denied."
            )

    return checking(
        node,
        Demands(
            configurations=[configuration(version) for version in _VERSIONS],
            audiences=[*named, *backends],
            claims=claims_of(node),
            more=more,
        ),
    )


POLICY = Policy(
    name="validate-azure-ad-token",
    sections=INBOUND,
    shape=Shape(
        (
            Attribute("tenant-id", required=True),
            Attribute("header-name", default="Authorization"),
            *FINDING,
        ),
        children=(
            Child("client-application-ids", group("client-application-ids", "application-id").shape, least=1),
            group("backend-application-ids", "application-id"),
            group("audiences", "audience"),
            Child("decryption-keys", Shape(), unsupported="the twin does not decrypt tokens"),
            REQUIRED_CLAIMS,
        ),
    ),
    compile=_compile,
)
