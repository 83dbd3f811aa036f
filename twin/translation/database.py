"""Reads the Cosmos DB account of a stack."""

from twin.cosmos.account import Container, CosmosAccount, Database, SqlRoleAssignment
from twin.stack import Declared, Stack, StackError

_READER = "00000000-0000-0000-0000-000000000001"
_CONTRIBUTOR = "00000000-0000-0000-0000-000000000002"


def cosmos_account(stack: Stack, base_url: str) -> CosmosAccount | None:
    """The account that a stack declares, or None.

    Args:
        stack: the stack, not evaluated as a preview.
        base_url: the address at which the twin serves the account.

    Raises:
        StackError: the stack declares several accounts, or something that the stand-in does not support.
    """
    declared = stack.of_type("cosmosdb:DatabaseAccount")
    if not declared:
        return None
    if len(declared) > 1:
        names = ", ".join(account.name for account in declared)
        raise StackError(f"The twin runs one Cosmos DB account; the stack declares {len(declared)}: {names}.")
    (account,) = declared
    name = account.outputs["name"]
    return CosmosAccount(
        name=name,
        base_url=base_url,
        location=account.inputs.get("location") or "westeurope",
        databases=tuple(
            Database(
                name=database.outputs["name"],
                containers=tuple(
                    _container(container)
                    for container in stack.of_type("cosmosdb:SqlResourceSqlContainer")
                    if container.inputs["accountName"] == name
                    and container.inputs["databaseName"] == database.outputs["name"]
                ),
            )
            for database in stack.of_type("cosmosdb:SqlResourceSqlDatabase")
            if database.inputs["accountName"] == name
        ),
        role_assignments=tuple(
            _role_assignment(assignment, account)
            for assignment in stack.of_type("cosmosdb:SqlResourceSqlRoleAssignment")
            if assignment.inputs["accountName"] == name
        ),
        local_auth_disabled=bool(account.inputs.get("disableLocalAuth")),
    )


def _container(container: Declared) -> Container:
    resource = container.inputs["resource"]
    paths = (resource.get("partitionKey") or {}).get("paths") or []
    if len(paths) != 1:
        raise StackError(
            f"The container {container.outputs['name']} has {len(paths)} partition key paths; "
            "it must have one."
        )
    return Container(
        name=container.outputs["name"], partition_key=paths[0], default_ttl=resource.get("defaultTtl")
    )


def _role_assignment(assignment: Declared, account: Declared) -> SqlRoleAssignment:
    role = str(assignment.inputs.get("roleDefinitionId") or "").rpartition("/")[2]
    if role not in (_READER, _CONTRIBUTOR):
        raise StackError(
            f"The role assignment {assignment.name} uses the role definition {role or '(none)'}. "
            f"The twin supports the built-in roles {_READER} (reader) and {_CONTRIBUTOR} (contributor)."
        )
    scope = str(assignment.inputs.get("scope") or "")
    if scope != account.id and not scope.startswith(f"{account.id}/"):
        raise StackError(
            f"The role assignment {assignment.name} has the scope {scope}, which is not in its account. "
            "A scope must be the account's id, optionally followed by /dbs/<database>."
        )
    return SqlRoleAssignment(
        principal_id=assignment.inputs["principalId"],
        scope=scope.removeprefix(account.id) or "/",
        read_only=role == _READER,
    )
