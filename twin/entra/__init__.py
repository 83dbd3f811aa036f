"""A stand-in for Microsoft Entra ID: one tenant, its sign-in page, its tokens."""

from twin.entra.accounts import Accounts
from twin.entra.app import create_app
from twin.entra.directory import (
    TEST_GROUPS,
    TEST_USERS,
    TOKEN_EXCHANGE,
    Agent,
    Application,
    AppRole,
    Directory,
    FederatedCredential,
    Group,
    IdentityHost,
    ManagedIdentity,
    RoleAssignment,
    User,
)
from twin.entra.keys import InvalidTokenError, SigningKeys
from twin.entra.tokens import TokenVerifier

__all__ = [
    "TEST_GROUPS",
    "TEST_USERS",
    "TOKEN_EXCHANGE",
    "Accounts",
    "Agent",
    "AppRole",
    "Application",
    "Directory",
    "FederatedCredential",
    "Group",
    "IdentityHost",
    "InvalidTokenError",
    "ManagedIdentity",
    "RoleAssignment",
    "SigningKeys",
    "TokenVerifier",
    "User",
    "create_app",
]
