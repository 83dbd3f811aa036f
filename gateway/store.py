"""Declares the store of the authorization server: Cosmos DB."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import cosmosdb

from gateway.network import Network

DATABASE = "oauth"
CONTAINERS = ("clients", "transactions", "consents", "grants", "sessions")

_DATA_CONTRIBUTOR = "00000000-0000-0000-0000-000000000002"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreArgs:
    """Arguments of `Store`.

    Attributes:
        resource_group_name: resource group of the account.
        location: the region.
        tags: tags of its resources.
        principal_id: object id of the identity that reads and writes documents.
        protect: whether Pulumi refuses to delete or replace the account.
        regions: further regions with a replica, in the order of failover; if there are any, throughput is
            provisioned, because a serverless account has only one region.
        throughput: maximum number of provisioned request units per second.
        network: the only network from which it can be reached; None for the internet.
    """

    resource_group_name: pulumi.Input[str]
    location: str
    tags: Mapping[str, str]
    principal_id: pulumi.Input[str]
    protect: bool
    regions: Sequence[str] = ()
    throughput: int = 0
    network: Network | None = None


class Store(pulumi.ComponentResource):
    """A Cosmos DB account with the authorization server's database.

    Documents are read by their id, which is also their partition key, and have their own time to live
    (`ttl`). Keys are disabled: only one identity has access to documents, and only to this database.

    Attributes:
        account_id: resource id of the account.
        url: endpoint for documents, without a trailing slash.
    """

    account_id: pulumi.Output[str]
    url: pulumi.Output[str]

    def __init__(self, name: str, args: StoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:Store", name, None, opts)
        account = self._declare_account(name, args)
        child = pulumi.ResourceOptions(parent=self, deleted_with=account)
        database = _declare_database(f"{name}-database", args, account, child)
        for container in CONTAINERS:
            _declare_container(
                f"{name}-{container}", container, args, account=account, database=database, opts=child
            )
        _declare_access(f"{name}-access", args, account, database, child)
        if args.network:
            args.network.endpoint(f"{name}-private", account.id, "Sql", self)
        self.account_id = account.id
        # Built from the name, which is known in the preview of an update.
        self.url = pulumi.Output.concat("https://", account.name, ".documents.azure.com")
        self.register_outputs({"url": self.url})

    def _declare_account(self, name: str, args: StoreArgs) -> "cosmosdb.DatabaseAccount":
        return cosmosdb.DatabaseAccount(
            f"{name}-cosmos",
            cosmosdb.DatabaseAccountArgs(
                resource_group_name=args.resource_group_name,
                location=args.location,
                kind=cosmosdb.DatabaseAccountKind.GLOBAL_DOCUMENT_DB,
                database_account_offer_type=cosmosdb.DatabaseAccountOfferType.STANDARD,
                locations=[
                    cosmosdb.LocationArgs(
                        location_name=region, failover_priority=priority, is_zone_redundant=False
                    )
                    for priority, region in enumerate((args.location, *args.regions))
                ],
                enable_automatic_failover=True if args.regions else None,
                capabilities=[] if args.regions else [cosmosdb.CapabilityArgs(name="EnableServerless")],
                # A code is redeemed immediately after it was stored, by a request without a session token. At
                # a weaker consistency level, a replica without the code could answer this request.
                consistency_policy=cosmosdb.ConsistencyPolicyArgs(
                    default_consistency_level=cosmosdb.DefaultConsistencyLevel.STRONG
                ),
                disable_local_auth=True,
                disable_key_based_metadata_write_access=True,
                minimal_tls_version=cosmosdb.MinimalTlsVersion.TLS12,
                public_network_access=(
                    cosmosdb.PublicNetworkAccess.DISABLED
                    if args.network
                    else cosmosdb.PublicNetworkAccess.ENABLED
                ),
                tags=args.tags,
            ),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )


def _declare_database(
    name: str, args: StoreArgs, account: "cosmosdb.DatabaseAccount", opts: pulumi.ResourceOptions
) -> "cosmosdb.SqlResourceSqlDatabase":
    return cosmosdb.SqlResourceSqlDatabase(
        name,
        cosmosdb.SqlResourceSqlDatabaseArgs(
            resource_group_name=args.resource_group_name,
            account_name=account.name,
            database_name=DATABASE,
            resource=cosmosdb.SqlDatabaseResourceArgs(id=DATABASE),
            options=cosmosdb.CreateUpdateOptionsArgs(
                autoscale_settings=cosmosdb.AutoscaleSettingsArgs(max_throughput=args.throughput)
            )
            if args.regions
            else None,
        ),
        opts=opts,
    )


def _declare_container(
    name: str,
    container: str,
    args: StoreArgs,
    *,
    account: "cosmosdb.DatabaseAccount",
    database: "cosmosdb.SqlResourceSqlDatabase",
    opts: pulumi.ResourceOptions,
) -> None:
    cosmosdb.SqlResourceSqlContainer(
        name,
        cosmosdb.SqlResourceSqlContainerArgs(
            resource_group_name=args.resource_group_name,
            account_name=account.name,
            database_name=database.name,
            container_name=container,
            resource=cosmosdb.SqlContainerResourceArgs(
                id=container,
                partition_key=cosmosdb.ContainerPartitionKeyArgs(
                    paths=["/id"], kind=cosmosdb.PartitionKind.HASH, version=2
                ),
                # -1: a document expires only by its own `ttl`.
                default_ttl=-1,
                # Documents are only read by id, so an index would cost request units without benefit.
                # The mode must be `consistent` for the expiration of documents.
                indexing_policy=cosmosdb.IndexingPolicyArgs(
                    automatic=True,
                    indexing_mode=cosmosdb.IndexingMode.CONSISTENT,
                    included_paths=[],
                    excluded_paths=[cosmosdb.ExcludedPathArgs(path="/*")],
                ),
            ),
        ),
        opts=opts,
    )


def _declare_access(
    name: str,
    args: StoreArgs,
    account: "cosmosdb.DatabaseAccount",
    database: "cosmosdb.SqlResourceSqlDatabase",
    opts: pulumi.ResourceOptions,
) -> None:
    """Allows the identity to read and write the documents of the database."""
    scope = pulumi.Output.concat(account.id, "/dbs/", database.name)
    cosmosdb.SqlResourceSqlRoleAssignment(
        name,
        cosmosdb.SqlResourceSqlRoleAssignmentArgs(
            resource_group_name=args.resource_group_name,
            account_name=account.name,
            # The id is derived from scope and identity, so that it is the same in every run.
            role_assignment_id=pulumi.Output.all(scope=scope, principal=args.principal_id).apply(
                lambda parts: str(uuid.uuid5(uuid.NAMESPACE_URL, f"{parts['scope']}#{parts['principal']}"))
            ),
            role_definition_id=pulumi.Output.concat(account.id, "/sqlRoleDefinitions/", _DATA_CONTRIBUTOR),
            principal_id=args.principal_id,
            scope=scope,
        ),
        opts=opts,
    )
