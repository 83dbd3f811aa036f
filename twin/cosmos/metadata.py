"""The JSON bodies of the account, its databases, containers and documents."""

import json
from typing import Any

from twin.cosmos.account import Container, CosmosAccount, Database
from twin.cosmos.resource_ids import container_rid, database_rid, document_rid
from twin.cosmos.store import Document

_ETAG = '"00000000-0000-0000-0000-000000000000"'


def account_body(account: CosmosAccount) -> dict[str, Any]:
    """The account. It has one location, whose endpoint is the address of the stand-in."""
    locations = [{"name": account.location, "databaseAccountEndpoint": f"{account.base_url.rstrip('/')}/"}]
    replication = {"asyncReplication": False, "minReplicaSetSize": 1, "maxReplicasetSize": 4}
    return {
        "_self": "",
        "id": account.name,
        "_rid": account.name,
        "media": "//media/",
        "addresses": "//addresses/",
        "_dbs": "//dbs/",
        "writableLocations": locations,
        "readableLocations": locations,
        "enableMultipleWriteLocations": False,
        "userReplicationPolicy": replication,
        "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
        "systemReplicationPolicy": replication,
        "readPolicy": {"primaryReadCoefficient": 1, "secondaryReadCoefficient": 1},
        "queryEngineConfiguration": json.dumps(
            {"maxSqlQueryInputLength": 262144, "enableSpatialIndexing": True}
        ),
    }


def database_body(database: Database) -> dict[str, Any]:
    """A database."""
    rid = database_rid(database.name)
    return {
        "id": database.name,
        "_rid": rid,
        "_self": f"dbs/{rid}/",
        "_etag": _ETAG,
        "_colls": "colls/",
        "_users": "users/",
        "_ts": 0,
    }


def container_body(database: str, container: Container) -> dict[str, Any]:
    """A container."""
    rid = container_rid(database, container.name)
    ttl = {} if container.default_ttl is None else {"defaultTtl": container.default_ttl}
    return {
        "id": container.name,
        "indexingPolicy": {
            "indexingMode": "consistent",
            "automatic": True,
            "includedPaths": [{"path": "/*"}],
            "excludedPaths": [{"path": '/"_etag"/?'}],
        },
        "partitionKey": {"paths": [container.partition_key], "kind": "Hash", "version": 2},
        **ttl,
        "_rid": rid,
        "_ts": 0,
        "_self": f"dbs/{database_rid(database)}/colls/{rid}/",
        "_etag": _ETAG,
        "_docs": "docs/",
        "_sprocs": "sprocs/",
        "_triggers": "triggers/",
        "_udfs": "udfs/",
        "_conflicts": "conflicts/",
    }


def key_ranges(database: str, container: Container) -> dict[str, Any]:
    """The partition key ranges of a container: a single range with all keys."""
    rid = container_rid(database, container.name)
    whole = {
        "_rid": document_rid(database, container.name, 0),
        "id": "0",
        "_etag": _ETAG,
        "minInclusive": "",
        "maxExclusive": "FF",
        "ridPrefix": 0,
        "_self": f"dbs/{database_rid(database)}/colls/{rid}/pkranges/0/",
        "throughputFraction": 1,
        "status": "online",
        "parents": [],
        "_ts": 0,
    }
    return {"_rid": rid, "PartitionKeyRanges": [whole], "_count": 1}


def document_body(database: str, container: str, document: Document) -> dict[str, Any]:
    """A document with its system properties."""
    rid = document_rid(database, container, document.number)
    parent = f"dbs/{database_rid(database)}/colls/{container_rid(database, container)}"
    return document.content | {
        "_rid": rid,
        "_self": f"{parent}/docs/{rid}/",
        "_etag": document.etag,
        "_attachments": "attachments/",
        "_ts": document.written,
    }
