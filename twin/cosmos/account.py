"""What the Cosmos DB account is: its databases, containers and who may use them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container.

    Attributes:
        name: its id.
        partition_key: the path of its partition key, e.g. `/id` or `/owner/name`.
        default_ttl: seconds that an item lives unless its own `ttl` says otherwise; -1: for ever, but items
            may have a `ttl`; None: `ttl` has no effect at all.
    """

    name: str
    partition_key: str
    default_ttl: int | None = None

    def __post_init__(self) -> None:
        """Refuses what the stand-in could not imitate.

        Raises:
            ValueError: not one absolute path.
        """
        if not self.partition_key.startswith("/") or not self.partition_key.strip("/"):
            raise ValueError(
                f"container '{self.name}': the partition key '{self.partition_key}' must be one path such as "
                "'/id'; the stand-in knows no hierarchical keys"
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
    """A data-plane role of a principal.

    Attributes:
        principal_id: object id of the identity.
        scope: `/` for the account, `/dbs/<database>`, or `/dbs/<database>/colls/<container>`.
        read_only: the built-in Data Reader (...0001) rather than the Data Contributor (...0002).
    """

    principal_id: str
    scope: str = "/"
    read_only: bool = False

    def covers(self, path: str) -> bool:
        """Whether the scope is `path` or lies above it."""
        scope = self.scope.rstrip("/")
        return path == scope or path.startswith(f"{scope}/")

    def lies_in(self, path: str) -> bool:
        """Whether the scope lies below `path`, so that its holder may read the metadata on the way."""
        return self.scope.startswith(f"{path.rstrip('/')}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class CosmosAccount:
    """The account.

    Attributes:
        name: the account's name.
        base_url: its endpoint for clients of the twin, e.g. `http://localhost:8003`; `GET /` returns it.
        location: the region's display name.
        databases: what it holds.
        role_assignments: the only principals that may use the data; no key is accepted.
        local_auth_disabled: whether the account declares `disableLocalAuth`. The stand-in accepts no keys
            either way; this decides what it says about them.
    """

    name: str
    base_url: str
    location: str = "West Europe"
    databases: tuple[Database, ...] = ()
    role_assignments: tuple[SqlRoleAssignment, ...] = ()
    local_auth_disabled: bool = True

    def database(self, name: str) -> Database | None:
        """The database of that name (case matters)."""
        return next((each for each in self.databases if each.name == name), None)

    def container(self, database: str, name: str) -> Container | None:
        """The container of that name."""
        found = self.database(database)
        return next((each for each in found.containers if each.name == name), None) if found else None
