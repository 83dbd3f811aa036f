"""The size of a stack: zones, regions, cache, instances and replicas."""

import functools

import pytest

from tests.program import schema
from twin.stack import Stack, evaluate

JIRA = {"jiraUrl": "https://example.atlassian.net", "jiraUsername": "a@b.example"}
CONNECTION = "cache.example:10000,password=canary-of-the-cache,ssl=True,abortConnect=False"


@functools.cache
def large() -> Stack:
    return evaluate(
        {
            **JIRA,
            "sku": "Premium",
            "capacity": "3",
            "zones": '["1", "2", "3"]',
            "regions": '["northeurope", "francecentral"]',
            "storeThroughput": "8000",
            "backends": '["functions", "jira"]',
            "functionsInstances": "100",
            "functionsAlwaysReady": "2",
            "functionsMemory": "4096",
            "replicas": '{"jira": "0-10"}',
        },
        {"jiraApiToken": "ATATT3xFfGF0-abcdefgh", "redisConnection": CONNECTION},
    )


@functools.cache
def small() -> Stack:
    return evaluate({"backends": '["functions"]'}, preview=True)


def test_every_resource_matches_the_schema_of_the_sdk() -> None:
    assert [problem for resource in large().resources for problem in schema.problems(resource)] == []


def test_the_gateway_is_in_every_zone_and_region() -> None:
    service = large().one("apimanagement:ApiManagementService").inputs
    assert service["zones"] == ["1", "2", "3"]
    assert [(location["location"], location["sku"]) for location in service["additionalLocations"]] == [
        ("northeurope", {"name": "Premium", "capacity": 3}),
        ("francecentral", {"name": "Premium", "capacity": 3}),
    ]


def test_the_store_is_in_every_region_of_the_gateway() -> None:
    """A serverless account can have only one region, so this account has provisioned throughput."""
    account = large().one("cosmosdb:DatabaseAccount").inputs
    assert [
        (location["locationName"], location["failoverPriority"]) for location in account["locations"]
    ] == [
        ("westeurope", 0),
        ("northeurope", 1),
        ("francecentral", 2),
    ]
    assert account["enableAutomaticFailover"] is True
    assert account["capabilities"] == []
    assert account["consistencyPolicy"]["defaultConsistencyLevel"] == "Strong"
    options = large().one("cosmosdb:SqlResourceSqlDatabase").inputs["options"]
    assert options == {"autoscaleSettings": {"maxThroughput": 8000}}


def test_the_store_of_a_stack_in_one_region_is_serverless() -> None:
    account = small().one("cosmosdb:DatabaseAccount").inputs
    assert account["capabilities"] == [{"name": "EnableServerless"}]
    assert "enableAutomaticFailover" not in account
    assert "options" not in small().one("cosmosdb:SqlResourceSqlDatabase").inputs
    service = small().one("apimanagement:ApiManagementService").inputs
    assert not {"zones", "additionalLocations"} & service.keys()


def test_an_external_cache_is_used_in_all_regions_and_its_connection_string_is_secret() -> None:
    cache = large().one("apimanagement:Cache")
    assert (cache.inputs["cacheId"], cache.inputs["useFromLocation"]) == ("default", "default")
    assert cache.inputs["connectionString"] == CONNECTION
    assert cache.is_secret("connectionString")
    assert "canary-of-the-cache" not in str(large().outputs)
    assert small().of_type("apimanagement:Cache") == ()


def test_the_function_app_scales_according_to_the_settings() -> None:
    scaling = large().one("web:WebApp").inputs["functionAppConfig"]["scaleAndConcurrency"]
    assert scaling == {
        "instanceMemoryMB": 4096,
        "maximumInstanceCount": 100,
        "alwaysReady": [{"name": "http", "instanceCount": 2}],
    }
    default = small().one("web:WebApp").inputs["functionAppConfig"]["scaleAndConcurrency"]
    assert default == {"instanceMemoryMB": 2048, "maximumInstanceCount": 40}


@pytest.mark.parametrize(("app", "replicas"), [("jira-http", (0, 10)), ("jira-sse", (1, 1))])
def test_only_servers_without_sessions_have_several_replicas(app: str, replicas: tuple[int, int]) -> None:
    scale = large().one("app:ContainerApp", app).inputs["template"]["scale"]
    assert (scale["minReplicas"], scale["maxReplicas"]) == replicas
