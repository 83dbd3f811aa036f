"""A stand-in for Azure Cosmos DB for NoSQL: its REST API, with SQLite as storage."""

from twin.cosmos.account import Container, CosmosAccount, Database, SqlRoleAssignment
from twin.cosmos.app import create_app
from twin.cosmos.store import SqliteStore

__all__ = ["Container", "CosmosAccount", "Database", "SqlRoleAssignment", "SqliteStore", "create_app"]
