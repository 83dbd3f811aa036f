"""Authentication with Entra tokens and authorization with data-plane roles. Keys are not accepted.

Source: learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources and
learn.microsoft.com/azure/cosmos-db/how-to-setup-rbac
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

from twin.cosmos.account import CosmosAccount
from twin.cosmos.errors import CosmosError
from twin.entra.keys import InvalidTokenError

AUDIENCE = "https://cosmos.azure.com"

READ_METADATA = "Microsoft.DocumentDB/databaseAccounts/readMetadata"
_ITEMS = "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items"
READ = f"{_ITEMS}/read"
CREATE = f"{_ITEMS}/create"
UPSERT = f"{_ITEMS}/upsert"
REPLACE = f"{_ITEMS}/replace"
DELETE = f"{_ITEMS}/delete"
QUERY = "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/executeQuery"
READ_FEED = "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/readChangeFeed"
_READ_ONLY = frozenset({READ_METADATA, READ, QUERY, READ_FEED})


class Verifier(Protocol):
    """Checks tokens, as `twin.entra.TokenVerifier` does."""

    def verify(self, token: str, *, audience: str) -> Mapping[str, Any]:
        """The claims of a valid token; raises `InvalidTokenError` otherwise."""
        ...


def authenticate(header: str | None, account: CosmosAccount, verifier: Verifier) -> str:
    """The object id of the principal that an `Authorization` header authenticates.

    The header is `type=aad&ver=1.0&sig=<token>`, URL-encoded or not.

    Raises:
        CosmosError: 401, if the header has no valid token.
    """
    if not header:
        raise _unauthorized(
            "Required Header authorization is missing. Ensure a valid Authorization token is passed."
        )
    parts = dict(parse_qsl(unquote(header), keep_blank_values=True))
    if parts.get("type") in {"master", "resource"}:
        if account.local_auth_disabled:
            raise _unauthorized(
                "Local Authorization is disabled. Use an AAD token to authorize all requests.", substatus=5202
            )
        raise _unauthorized("The stand-in accepts no keys. Use an AAD token to authorize all requests.")
    if parts.get("type") != "aad" or parts.get("ver") != "1.0" or not parts.get("sig"):
        raise _unauthorized(
            "The input authorization header is in the wrong format. It must be "
            "'type=aad&ver=1.0&sig=<token>', URL-encoded."
        )
    try:
        claims = verifier.verify(parts["sig"], audience=AUDIENCE)
    except InvalidTokenError as error:
        raise _unauthorized(f"The AAD token is not accepted: {error}.") from error
    principal = claims.get("oid")
    if not isinstance(principal, str):
        raise _unauthorized("The AAD token is not accepted: it has no principal (oid).")
    return principal


def authorize(principal: str, action: str, path: str, account: CosmosAccount) -> None:
    """Checks that a role assignment of the principal allows an action.

    Args:
        principal: object id of the principal.
        action: one of the actions in this module.
        path: `/`, `/dbs/x` or `/dbs/x/colls/y`.
        account: the account with the role assignments.

    Raises:
        CosmosError: 403 with substatus 5301, if no role assignment allows it.
    """
    for role in account.role_assignments:
        if role.principal_id != principal or (role.read_only and action not in _READ_ONLY):
            continue
        if role.covers(path.rstrip("/")) or (action == READ_METADATA and role.is_below(path)):
            return
    place = "any scope" if action == READ_METADATA else f"resource [{path.removeprefix('/')}]"
    raise CosmosError(
        HTTPStatus.FORBIDDEN,
        f"Request blocked by Auth {account.name} : Request is blocked because principal [{principal}] does "
        f"not have required RBAC permissions to perform action [{action}] on {place}. Learn more: "
        "https://aka.ms/cosmos-native-rbac.",
        substatus=5301,
    )


def not_in_data_plane(method: str, path: str) -> CosmosError:
    """An error with status 403 for an operation that no Entra token allows, such as creating a container."""
    return CosmosError(
        HTTPStatus.FORBIDDEN,
        f"The given request [{method} {path}] cannot be authorized by AAD token in data plane. Declare "
        "databases and containers in the Pulumi program.",
        substatus=5300,
    )


def _unauthorized(message: str, *, substatus: int = 0) -> CosmosError:
    return CosmosError(HTTPStatus.UNAUTHORIZED, message, substatus=substatus)
