"""The publication as a resource: its updates, its state, and how Pulumi reports its failure."""

import base64
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format, struct_pb2
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from backends import package
from backends.functions import SOURCE
from backends.publishing import PublicationProvider
from backends.publishing_error import PublishingError
from tests.azure_stand_in import TOKEN, AzureStandIn, azure_cli
from tests.program.variants import Case
from twin.stack import PROJECT

APP_ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/app"
SECRET = "the-deployers-client-secret"

PUBLISHED = {
    "app_id": APP_ID,
    "app_name": "app",
    "runtime": "python 3.11",
    "package_container": "https://account.blob.core.windows.net/deployments",
    "source": "functions_app",
    "digest": "a",
    "functions": ["hello_mcp"],
}


@pytest.mark.parametrize(
    ("changes", "updated"),
    [
        ({}, False),
        ({"__provider": "another version of Pulumi"}, False),
        ({"functions": None}, False),
        ({"digest": "b"}, True),
        ({"runtime": "python 3.12"}, True),
        ({"package_container": "https://account.blob.core.windows.net/other"}, True),
        ({"package_container": "https://another.blob.core.windows.net/deployments"}, True),
    ],
)
def test_code_is_published_again_when_the_code_or_the_app_changes(changes, updated: bool) -> None:
    result = PublicationProvider().diff("id", PUBLISHED, {**PUBLISHED, **changes})
    assert (result.changes, result.replaces) == (updated, [])


def test_a_publication_is_replaced_when_it_gets_another_app() -> None:
    result = PublicationProvider().diff("id", PUBLISHED, {**PUBLISHED, "app_id": "another"})
    assert (result.changes, result.replaces) == (True, ["app_id"])


def test_a_publication_depends_on_the_code_the_app_and_its_storage() -> None:
    stack = Case("dev", preview=False).stack
    inputs = stack.one("pulumi-python:dynamic/backends:Publication").inputs
    account = stack.one("storage:StorageAccount").outputs["name"]
    app = stack.one("web:WebApp")
    assert inputs["package_container"] == f"https://{account}.blob.core.windows.net/deployments"
    deployment = app.inputs["functionAppConfig"]["deployment"]["storage"]["value"]
    assert inputs["package_container"] == deployment
    assert inputs["runtime"] == "python 3.11"
    assert (inputs["app_id"], inputs["app_name"]) == (app.id, app.outputs["name"])
    assert inputs["digest"] == package.digest(SOURCE)


def test_files_that_change_during_a_deployment_stop_it() -> None:
    with pytest.raises(
        PublishingError, match=r"functions_app/ changed during the deployment. Run `pulumi up`"
    ):
        PublicationProvider().create({**PUBLISHED, "digest": "of other files"})


def test_the_state_contains_only_the_module_of_the_provider() -> None:
    """If its path changed, Pulumi could not load the provider from the state of existing stacks."""
    pickled = base64.b64decode(serialize_provider(PublicationProvider()))
    assert b"backends.publishing" in pickled
    assert b"PublicationProvider" in pickled
    assert len(pickled) < 300, "the code of the provider is part of the state"


@contextmanager
def provider(environment: dict[str, str], output: Path) -> Generator[provider_pb2_grpc.ResourceProviderStub]:
    """Pulumi's own server for dynamic providers, as the Pulumi CLI starts it, with a configured stack."""
    # Without the credentials of this machine.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("ARM_", "AZURE_"))}
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "pulumi.dynamic"],
            cwd=PROJECT,
            env={**inherited, **environment, "PULUMI_PROJECT": "remote-mcp-gateway"},
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield provider_pb2_grpc.ResourceProviderStub(channel)
        finally:
            process.terminate()
            rest, _ = process.communicate()
            file.write(rest)


def properties(values: dict[str, Any]) -> Any:
    return json_format.ParseDict(values, struct_pb2.Struct())  # ty: ignore[missing-attribute]  generated


def details(failure: pytest.ExceptionInfo[grpc.RpcError]) -> str:
    """The error of the resource, as Pulumi's engine prints it."""
    assert isinstance(failure.value, grpc.Call)
    return failure.value.details()


def publication() -> Any:
    return properties(
        {
            **PUBLISHED,
            "digest": package.digest(SOURCE),
            "functions": None,
            "__provider": serialize_provider(PublicationProvider()),
        }
    )


CONFIGURATION = {
    "azure-native:clientId": "22222222-2222-2222-2222-222222222222",
    "azure-native:tenantId": "11111111-1111-1111-1111-111111111111",
    "azure-native:clientSecret": SECRET,
}


def test_publishing_uses_the_secret_in_the_configuration_which_no_state_contains(
    tmp_path: Path,
) -> None:
    with AzureStandIn(APP_ID) as azure, provider(azure.environment(tmp_path), tmp_path / "output") as pulumi:
        pulumi.Configure(provider_pb2.ConfigureRequest(args=properties(CONFIGURATION)))
        created = pulumi.Create(provider_pb2.CreateRequest(urn="urn", properties=publication()))
    outputs = json_format.MessageToDict(created.properties)
    assert created.id == f"{APP_ID}/publication"
    assert outputs["functions"] == ["hello_mcp"]
    assert azure.requests_to("/oauth2/v2.0/token")[0].form["client_secret"] == SECRET
    (upload,) = azure.requests_to("/publish")
    assert upload.body == package.build(SOURCE)
    assert upload.headers["Host"] == "app.scm.azurewebsites.net"
    assert {request.headers["Authorization"] for request in azure.requests if "/api" in request.path} == {
        f"Bearer {TOKEN}"
    }
    shown = str(outputs) + (tmp_path / "output").read_text()
    assert "the package is uploaded" in shown
    assert [secret for secret in (SECRET, TOKEN) if secret in shown] == []


def test_an_update_publishes_the_code_in_the_same_way_as_a_creation(tmp_path: Path) -> None:
    environment = {"PATH": f"{azure_cli(tmp_path / 'bin')}{os.pathsep}{os.environ['PATH']}"}
    with AzureStandIn(APP_ID) as azure:
        environment |= azure.environment(tmp_path)
        with provider(environment, tmp_path / "output") as pulumi:
            pulumi.Configure(provider_pb2.ConfigureRequest(args=properties({})))
            request = provider_pb2.UpdateRequest(id="id", olds=properties(PUBLISHED), news=publication())
            updated = pulumi.Update(request)
    assert json_format.MessageToDict(updated.properties)["functions"] == ["hello_mcp"]
    assert azure.requests_to("/publish")[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_failed_publication_is_reported_on_one_line(tmp_path: Path) -> None:
    log = [{"message": "ERROR: No matching distribution found for azure-functions==9"}]
    with (
        AzureStandIn(APP_ID, deployment=((200, {"status": 3}),), log=((200, log),)) as azure,
        provider(azure.environment(tmp_path), tmp_path / "output") as pulumi,
    ):
        pulumi.Configure(provider_pb2.ConfigureRequest(args=properties(CONFIGURATION)))
        with pytest.raises(grpc.RpcError) as failure:
            pulumi.Create(provider_pb2.CreateRequest(urn="urn", properties=publication()))
    assert details(failure) == (
        "The deployment of the package to app failed. The end of the log of deployment d1: ERROR: No "
        "matching distribution found for azure-functions==9 The complete log: "
        "https://app.scm.azurewebsites.net/api/deployments/d1/log, or: az functionapp log deployment show "
        "--name app --resource-group g"
    )


def test_an_incomplete_sign_in_is_reported_without_a_traceback_and_without_the_secret(tmp_path: Path) -> None:
    with provider({}, tmp_path / "output") as pulumi:
        pulumi.Configure(
            provider_pb2.ConfigureRequest(args=properties({"azure-native:clientSecret": SECRET}))
        )
        with pytest.raises(grpc.RpcError) as failure:
            pulumi.Create(provider_pb2.CreateRequest(urn="urn", properties=publication()))
    assert details(failure).startswith("azure-native:clientSecret (ARM_CLIENT_SECRET) is set, but ")
    assert SECRET not in details(failure)


def test_an_error_in_the_program_keeps_its_traceback(tmp_path: Path) -> None:
    incomplete = publication()
    del incomplete["source"]
    with provider({}, tmp_path / "output") as pulumi:
        pulumi.Configure(provider_pb2.ConfigureRequest(args=properties({})))
        with pytest.raises(grpc.RpcError) as failure:
            pulumi.Create(provider_pb2.CreateRequest(urn="urn", properties=incomplete))
    assert details(failure).startswith("Traceback (most recent call last):")
    assert details(failure).endswith("KeyError: 'source'\n")
