"""The Cosmos DB account: its databases, containers and role assignments."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container.

    Attributes:
        name: its id.
        partition_key: the path of its partition key, e.g. `/id` or `/owner/name`.
        default_ttl: time to live in seconds of an item without its own `ttl`; -1: items do not expire unless
            they have a `ttl`; None: `ttl` has no effect.
    """

    name: str
    partition_key: str
    default_ttl: int | None = None

    def __post_init__(self) -> None:
        """Rejects definitions that the stand-in does not support.

        Raises:
            ValueError: the partition key is not one absolute path, or `default_ttl` is not valid.
        """
        if not self.partition_key.startswith("/") or not self.partition_key.strip("/"):
            raise ValueError(
                f"container '{self.name}': the partition key '{self.partition_key}' must be one path such as "
                "'/id'; the stand-in does not support hierarchical keys"
            )
        if self.default_ttl is not None and (self.default_ttl == 0 or self.default_ttl < -1):
            raise ValueError(
                f"container '{self.name}': default_ttl must be -1 or positive, not {self.default_ttl}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database and its containers."""

    name: str
    containers: tuple[Container, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlRoleAssignment:
    """The assignment of a data-plane role to a principal.

    Attributes:
        principal_id: object id of the identity.
        scope: `/` for the account, `/dbs/<database>`, or `/dbs/<database>/colls/<container>`.
        read_only: True for the built-in role Data Reader (...0001), False for Data Contributor (...0002).
    """

    principal_id: str
    scope: str = "/"
    read_only: bool = False

    def covers(self, path: str) -> bool:
        """Whether the scope is `path` or contains it."""
        scope = self.scope.rstrip("/")
        return path == scope or path.startswith(f"{scope}/")

    def is_below(self, path: str) -> bool:
        """Whether the scope is below `path`, so that the principal may read the metadata of `path`."""
        return self.scope.startswith(f"{path.rstrip('/')}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class CosmosAccount:
    """The account.

    Attributes:
        name: the account's name.
        base_url: the address of the stand-in, e.g. `http://localhost:8003`; `GET /` returns it as the
            endpoint.
        location: the region's display name.
        databases: its databases.
        role_assignments: the principals that may use the data. Account keys are never accepted.
        local_auth_disabled: whether the account declares `disableLocalAuth`, which selects the error message
            for requests with a key.
    """

    name: str
    base_url: str
    location: str = "West Europe"
    databases: tuple[Database, ...] = ()
    role_assignments: tuple[SqlRoleAssignment, ...] = ()
    local_auth_disabled: bool = True

    def database(self, name: str) -> Database | None:
        """The database with this name (case-sensitive), or None."""
        return next((database for database in self.databases if database.name == name), None)

    def container(self, database: str, name: str) -> Container | None:
        """The container with this name (case-sensitive), or None."""
        parent = self.database(database)
        return (
            next((container for container in parent.containers if container.name == name), None)
            if parent
            else None
        )
