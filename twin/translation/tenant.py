"""Reads the Entra tenant of a stack: applications, managed identities and federated credentials."""

import json
from collections.abc import Iterator

from twin.azure.cloud import Cloud
from twin.azure.identifiers import Seed
from twin.entra.directory import (
    TEST_GROUPS,
    TEST_USERS,
    Agent,
    Application,
    AppRole,
    Directory,
    FederatedCredential,
    IdentityHost,
    ManagedIdentity,
    RoleAssignment,
)
from twin.stack import Declared, Stack

GATEWAY = "gateway"
FUNCTIONS = "functions"
AGENTS = "agents"
"""The name of the identity for agents, which the twin adds to every stack."""

_HOSTS = {
    "apimanagement:ApiManagementService": GATEWAY,
    "web:WebApp": FUNCTIONS,
}


def directory(stack: Stack, cloud: Cloud, base_url: str) -> Directory:
    """The Entra directory with the applications, identities and role assignments of a stack.

    Args:
        stack: the stack, not evaluated as a preview.
        cloud: the cloud of the evaluation.
        base_url: address of the tenant for browsers, without a trailing slash.
    """
    hosts = tuple(
        _identity_host(resource, name, cloud)
        for type_, name in _HOSTS.items()
        for resource in stack.of_type(type_)
    )
    agents = _agents(stack, cloud)
    return Directory(
        tenant_id=cloud.tenant,
        base_url=base_url,
        applications=(
            *(_application(stack, app) for app in stack.of_type("azuread:index/application:Application")),
            *(
                Application(
                    client_id=agent.client_id,
                    object_id=agent.principal_id,
                    display_name=f"Agent {agent.principal_id}",
                    client_secrets=(agent.client_secret,),
                )
                for agent in agents
            ),
            *_existing(stack, cloud),
        ),
        managed_identities=(
            agent_identity(cloud.seed),
            *(
                ManagedIdentity(name=agent.host, client_id=agent.client_id, principal_id=agent.principal_id)
                for agent in agents
            ),
            *(_user_assigned(identity) for identity in stack.of_type("managedidentity:UserAssignedIdentity")),
            *(
                identity
                for type_ in _HOSTS
                for resource in stack.of_type(type_)
                if (identity := _system_assigned(resource, cloud))
            ),
        ),
        identity_hosts=(
            *hosts,
            IdentityHost(name=AGENTS, system_assigned=agent_identity(cloud.seed).client_id),
            *(IdentityHost(name=agent.host, system_assigned=agent.client_id) for agent in agents),
        ),
        agents=agents,
        role_assignments=_role_assignments(stack),
    )


def agent_identity(seed: Seed) -> ManagedIdentity:
    """The identity of the twin's agents."""
    return ManagedIdentity(
        name=AGENTS, client_id=seed.guid("agents#client"), principal_id=seed.guid("agents#principal")
    )


def _application(stack: Stack, app: Declared) -> Application:
    client_id = app.outputs["clientId"]
    principal = _service_principal(stack, client_id)
    return Application(
        client_id=client_id,
        object_id=principal.outputs["objectId"] if principal else app.outputs["objectId"],
        display_name=app.inputs["displayName"],
        redirect_uris=tuple((app.inputs.get("web") or {}).get("redirectUris") or ()),
        identifier_uris=(
            *(app.inputs.get("identifierUris") or ()),
            *(
                uri.inputs["identifierUri"]
                for uri in stack.of_type("applicationIdentifierUri:ApplicationIdentifierUri")
                if uri.inputs["applicationId"] == app.id
            ),
        ),
        federated_credentials=tuple(
            FederatedCredential(
                issuer=credential.inputs["issuer"],
                subject=credential.inputs["subject"],
                audience=credential.inputs["audiences"][0],
            )
            for credential in stack.of_type("ApplicationFederatedIdentityCredential")
            if credential.inputs["applicationId"] == app.id
        ),
        app_roles=tuple(
            AppRole(id=role["id"], value=role["value"])
            for role in app.inputs.get("appRoles") or ()
            if role.get("value") and role.get("enabled", True)
        ),
        has_service_principal=principal is not None,
        access_token_claims=tuple(
            claim["name"] for claim in (app.inputs.get("optionalClaims") or {}).get("accessTokens") or ()
        ),
        token_version=int((app.inputs.get("api") or {}).get("requestedAccessTokenVersion") or 1),
        assignment_required=bool(principal and principal.inputs.get("appRoleAssignmentRequired")),
    )


def _agents(stack: Stack, cloud: Cloud) -> tuple[Agent, ...]:
    """The principals with roles that are not resources of the stack."""
    known = {
        agent_identity(cloud.seed).principal_id,
        *(user.object_id for user in TEST_USERS),
        *(group.object_id for group in TEST_GROUPS),
        *(principal.outputs["objectId"] for principal in stack.of_type("ServicePrincipal")),
        *(
            identity.outputs["principalId"]
            for identity in stack.of_type("managedidentity:UserAssignedIdentity")
        ),
    }
    principals = dict.fromkeys(
        assignment.inputs["principalObjectId"]
        for assignment in stack.of_type("AppRoleAssignment")
        if assignment.inputs["principalObjectId"] not in known
    )
    return tuple(
        Agent(
            client_id=cloud.seed.guid(f"{principal}#client"),
            principal_id=principal,
            client_secret=cloud.seed.key(f"{principal}#password", 30),
            host=f"agent-{principal}",
        )
        for principal in principals
    )


def _existing(stack: Stack, cloud: Cloud) -> Iterator[Application]:
    """The existing applications in the settings of the stack, registered as its outputs require."""
    if stack.configuration is None:
        return
    values, prefix = stack.configuration.values, f"{stack.configuration.project}:"
    if client_id := values.get(f"{prefix}existingApplication"):
        needed = stack.outputs["entraRegistration"]
        credential = needed["federatedCredential"]
        yield Application(
            client_id=client_id,
            object_id=cloud.seed.guid(f"{client_id}#principal"),
            display_name="MCP gateway (existing registration)",
            redirect_uris=(needed["redirectUri"],),
            federated_credentials=(
                FederatedCredential(
                    issuer=credential["issuer"],
                    subject=credential["subject"],
                    audience=credential["audience"],
                ),
            ),
            token_version=2,
        )
    for name, client_id in json.loads(values.get(f"{prefix}existingAudiences") or "{}").items():
        yield Application(
            client_id=client_id,
            object_id=cloud.seed.guid(f"{client_id}#principal"),
            display_name=f"MCP server {name} (existing registration)",
            token_version=2,
        )


def _service_principal(stack: Stack, client_id: str) -> Declared | None:
    return next(
        (
            principal
            for principal in stack.of_type("ServicePrincipal")
            if principal.inputs.get("clientId") == client_id
        ),
        None,
    )


def _user_assigned(identity: Declared) -> ManagedIdentity:
    return ManagedIdentity(
        name=identity.outputs["name"],
        client_id=identity.outputs["clientId"],
        principal_id=identity.outputs["principalId"],
    )


def _system_assigned(resource: Declared, cloud: Cloud) -> ManagedIdentity | None:
    principal_id = (resource.outputs.get("identity") or {}).get("principalId")
    if principal_id is None:
        return None
    return ManagedIdentity(
        name=resource.outputs["name"],
        client_id=cloud.seed.guid(f"{principal_id}#client"),
        principal_id=principal_id,
    )


def _identity_host(resource: Declared, name: str, cloud: Cloud) -> IdentityHost:
    assigned = (resource.outputs.get("identity") or {}).get("userAssignedIdentities") or {}
    own = _system_assigned(resource, cloud)
    return IdentityHost(
        name=name,
        user_assigned=tuple(ids["clientId"] for ids in assigned.values()),
        system_assigned=own.client_id if own else None,
    )


def _role_assignments(stack: Stack) -> tuple[RoleAssignment, ...]:
    clients = {
        principal.outputs["objectId"]: principal.inputs["clientId"]
        for principal in stack.of_type("ServicePrincipal")
    }
    return tuple(
        RoleAssignment(
            principal_id=assignment.inputs["principalObjectId"],
            client_id=clients[assignment.inputs["resourceObjectId"]],
            role_id=assignment.inputs["appRoleId"],
        )
        for assignment in stack.of_type("AppRoleAssignment")
        if assignment.inputs["resourceObjectId"] in clients
    )
