"""The directory of the tenant: applications, managed identities and users. It is read-only at run time."""

from dataclasses import dataclass, field

TOKEN_EXCHANGE = "api://AzureADTokenExchange"  # noqa: S105 - the name of a resource, not a secret
"""The resource for which a managed identity requests the token that it sends as a client assertion."""

FIRST_PARTY_RESOURCES = frozenset(
    {
        TOKEN_EXCHANGE,
        "https://ai.azure.com",
        "https://cosmos.azure.com",
        "https://graph.microsoft.com",
        "https://management.azure.com",
        "https://storage.azure.com",
        "https://vault.azure.net",
    }
)
"""Microsoft's resources, which exist in every tenant. Azure also accepts the URLs of storage and Cosmos DB
accounts; the stand-in accepts only the general names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FederatedCredential:
    """A federated identity credential; its values are compared case-sensitively.

    Attributes:
        issuer: `iss` of the assertion, e.g. `http://localhost:8002/<tenant>/v2.0`.
        subject: `sub` of the assertion; for a managed identity its principal id.
        audience: `aud` of the assertion; Azure's default is `api://AzureADTokenExchange`.
    """

    issuer: str
    subject: str
    audience: str = TOKEN_EXCHANGE


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRole:
    """A role that an application defines; `id` is a GUID, `value` is its value in the `roles` claim."""

    id: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An app registration, with or without its service principal.

    Attributes:
        client_id: the application (client) id, a GUID.
        object_id: the service principal's object id (the `oid` of its own app-only tokens).
        display_name: the name on the sign-in page.
        redirect_uris: web redirect URIs; compared exactly.
        identifier_uris: application ID URIs under which tokens for it may be requested.
        federated_credentials: describe the tokens with which it can authenticate instead of a secret.
        client_secrets: secrets with which it authenticates.
        access_token_claims: names of optional claims in access tokens for it, such as `idtyp`.
        app_roles: the roles that it defines.
        has_service_principal: False if it has none; then no tokens are issued for it (AADSTS500011).
        token_version: `api.requestedAccessTokenVersion`: 1 (Entra's default) or 2. It determines issuer,
            audience and claim names of access tokens *for* this application.
        assignment_required: `appRoleAssignmentRequired` of the service principal: if True, app-only tokens
            are issued only to principals with a role.
    """

    client_id: str
    object_id: str
    display_name: str
    redirect_uris: tuple[str, ...] = ()
    identifier_uris: tuple[str, ...] = ()
    federated_credentials: tuple[FederatedCredential, ...] = ()
    client_secrets: tuple[str, ...] = field(default=(), repr=False)
    access_token_claims: tuple[str, ...] = ()
    app_roles: tuple[AppRole, ...] = ()
    has_service_principal: bool = True
    token_version: int = 1
    assignment_required: bool = False

    def has_name(self, resource: str) -> bool:
        """Whether `resource` is a name of this application."""
        return resource == self.client_id or resource in self.identifier_uris


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedIdentity:
    """A managed identity, user-assigned or system-assigned. `principal_id` is its `oid` and `sub`."""

    name: str
    client_id: str
    principal_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityHost:
    """An Azure service with managed identities, such as the gateway or a Function App.

    Attributes:
        name: name in the twin, and the key of its secret in `app.state.identity_headers`.
        user_assigned: client ids of its user-assigned identities.
        system_assigned: client id of its system-assigned identity, if it has one.
    """

    name: str
    user_assigned: tuple[str, ...] = ()
    system_assigned: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAssignment:
    """The assignment of an app role to a principal.

    Attributes:
        principal_id: object id of a managed identity, service principal or user.
        client_id: client id of the application that defines the role.
        role_id: the app role's id.
    """

    principal_id: str
    client_id: str
    role_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of the tenant; `object_id` is the `oid` claim, `principal_name` the `preferred_username`."""

    object_id: str
    name: str
    principal_name: str


TEST_USERS = (
    User(
        object_id="ada00000-0000-4000-8000-000000001815",
        name="Ada Lovelace",
        principal_name="ada@twin.example",
    ),
    User(
        object_id="9ace0000-0000-4000-8000-000000001906",
        name="Grace Hopper",
        principal_name="grace@twin.example",
    ),
)
"""The default users of a directory, with the same object ids in every run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A security group; `members` are object ids of users."""

    object_id: str
    name: str
    members: tuple[str, ...]


TEST_GROUPS = (
    Group(
        object_id="97000000-0000-4000-8000-000000001843",
        name="Analysts",
        members=(TEST_USERS[0].object_id,),
    ),
)
"""The groups of the test users: Ada is an analyst, and Grace is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A principal outside the stack to which a role is assigned: another application, or an identity.

    In Entra, an agent is either an application or a managed identity. In the stand-in, it can authenticate as
    both.

    Attributes:
        client_id: client id of the principal.
        principal_id: object id of the principal.
        client_secret: the secret with which it authenticates as an application.
        host: name of the identity host with which it authenticates as a managed identity.
    """

    client_id: str
    principal_id: str
    client_secret: str = field(repr=False)
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """The tenant.

    Attributes:
        tenant_id: a GUID.
        base_url: address of the authority for browsers, without a trailing slash, e.g.
            `http://localhost:8002`.
        identity_hosts: the services that may request managed-identity tokens, with their identities.
        agents: principals outside the stack; they are also in `applications` or `managed_identities`.
    """

    tenant_id: str
    base_url: str
    applications: tuple[Application, ...] = ()
    managed_identities: tuple[ManagedIdentity, ...] = ()
    identity_hosts: tuple[IdentityHost, ...] = ()
    role_assignments: tuple[RoleAssignment, ...] = ()
    users: tuple[User, ...] = TEST_USERS
    groups: tuple[Group, ...] = TEST_GROUPS
    agents: tuple[Agent, ...] = ()

    @property
    def authority(self) -> str:
        """`<base_url>/<tenant>`, the prefix of all endpoints."""
        return f"{self.base_url}/{self.tenant_id}"

    @property
    def issuer(self) -> str:
        """The issuer of ID tokens and of version 2 access tokens."""
        return f"{self.authority}/v2.0"

    @property
    def issuer_v1(self) -> str:
        """The issuer of version 1 access tokens: `https://sts.windows.net/<tenant>/`, as in Azure."""
        return f"https://sts.windows.net/{self.tenant_id}/"

    def application(self, client_id: str) -> Application | None:
        """The application with this client id (case-insensitive), or None."""
        wanted = client_id.lower()
        return next((app for app in self.applications if app.client_id.lower() == wanted), None)

    def resource(self, name: str) -> Application | str | None:
        """Finds a resource by name: an application, or the name of a resource of Microsoft; None if unknown.

        A trailing slash in the name is ignored, as in Entra.
        """
        plain = name.rstrip("/")
        if plain in FIRST_PARTY_RESOURCES:
            return plain
        for app in self.applications:
            if app.has_service_principal and (app.has_name(name) or app.has_name(plain)):
                return app
        return None

    def identity(self, client_id: str) -> ManagedIdentity | None:
        """The managed identity with this client id (case-insensitive), or None."""
        wanted = client_id.lower()
        return next(
            (identity for identity in self.managed_identities if identity.client_id.lower() == wanted), None
        )

    def user(self, name: str) -> User | None:
        """The user with this object id or user principal name (case-insensitive), or None."""
        wanted = name.lower()
        return next(
            (user for user in self.users if wanted in {user.object_id.lower(), user.principal_name.lower()}),
            None,
        )

    def roles(self, principal_id: str, app: Application) -> list[str]:
        """The sorted values of the app roles of `app` that a principal has, directly or through a group."""
        values = {role.id: role.value for role in app.app_roles}
        holders = {principal_id, *(group.object_id for group in self.groups if principal_id in group.members)}
        return sorted(
            {
                values[assignment.role_id]
                for assignment in self.role_assignments
                if assignment.principal_id in holders
                and assignment.client_id == app.client_id
                and assignment.role_id in values
            }
        )
