"""A stand-in for Microsoft Entra ID: one tenant, its sign-in page, its tokens."""

from twin.entra.accounts import Accounts
from twin.entra.app import create_app
from twin.entra.directory import (
    TEST_USERS,
    TOKEN_EXCHANGE,
    Application,
    AppRole,
    Directory,
    FederatedCredential,
    IdentityHost,
    ManagedIdentity,
    RoleAssignment,
    User,
)
from twin.entra.keys import InvalidTokenError, SigningKeys
from twin.entra.tokens import TokenVerifier

__all__ = [
    "TEST_USERS",
    "TOKEN_EXCHANGE",
    "Accounts",
    "AppRole",
    "Application",
    "Directory",
    "FederatedCredential",
    "IdentityHost",
    "InvalidTokenError",
    "ManagedIdentity",
    "RoleAssignment",
    "SigningKeys",
    "TokenVerifier",
    "User",
    "create_app",
]
