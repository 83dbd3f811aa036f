"""Publishing to a stand-in of the deployment service; its clock advances only while the publisher waits."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from azure.core import PipelineClient
from azure.core.exceptions import ClientAuthenticationError

from backends.publisher import Publisher, Target
from backends.publishing_error import PublishingError
from tests.azure_stand_in import AzureStandIn
from tests.children import free_port

APP_ID = "/subscriptions/s/resourceGroups/mcp-group/providers/Microsoft.Web/sites/app"

STORAGE_REFUSED = (
    "InaccessibleStorageException: Failed to access storage account for deployment: "
    "BlobUploadFailedException: Failed to upload blob to storage account: Response status code does not "
    "indicate success: 403 (This request is not authorized to perform this operation using this permission.)"
)
BROKEN_BUILD = [
    {"message": "Running pip install..."},
    {"message": "ERROR: 403 Client Error: Forbidden for url: https://packages.example/simple/"},
    {"message": "ERROR: No matching distribution found for azure-functions==9"},
]


@dataclass
class Publishing:
    """A publisher with its stand-in, its clock, and its messages to the deployer."""

    service: AzureStandIn
    target: Target
    seconds: float = 0.0
    lines: list[str] = field(default_factory=list)

    def run(self) -> list[str]:
        with PipelineClient(self.target.arm, policies=[]) as client:
            publisher = Publisher(
                client, self.target, sleep=self._sleep, now=lambda: self.seconds, report=self.lines.append
            )
            return publisher.publish(b"a zip file")

    def fails(self) -> str:
        with pytest.raises(PublishingError) as failure:
            self.run()
        return str(failure.value)

    def _sleep(self, seconds: float) -> None:
        self.seconds += seconds


@contextmanager
def publishing(**answers) -> Generator[Publishing]:
    with AzureStandIn(APP_ID, **answers) as service:
        target = Target(app_id=APP_ID, name="app", deployments=f"{service.url}/api", arm=service.url)
        yield Publishing(service, target)


def test_a_package_is_uploaded_for_a_remote_build_and_the_functions_are_named() -> None:
    functions = {"value": [{"name": "app/save_snippet"}, {"name": "app/hello_mcp"}]}
    with publishing(functions=((200, functions),)) as case:
        assert case.run() == ["hello_mcp", "save_snippet"]
    (upload,) = case.service.requests_to("/publish")
    assert upload.url == "/api/publish?RemoteBuild=true"
    assert upload.headers["Content-Type"] == "application/zip"
    assert upload.body == b"a zip file"


def test_packages_are_published_to_the_addresses_of_the_public_cloud() -> None:
    target = Target.of(APP_ID, "app")
    assert target.deployments == "https://app.scm.azurewebsites.net/api"
    assert target.arm == "https://management.azure.com"


@pytest.mark.parametrize("status", [404, 409, 429, 500, 502, 503, 504])
def test_publishing_waits_for_the_deployment_service_of_a_new_app(status: int) -> None:
    with publishing(upload=((status, "not yet"),) * 10 + ((202, '"d1"'),)) as case:
        assert case.run() == ["hello_mcp"]
    assert case.seconds >= 50
    assert any("does not accept the package yet" in line for line in case.lines)


def test_publishing_waits_for_the_host_name_of_a_new_app() -> None:
    with publishing() as case:
        case.target = replace(case.target, deployments=f"http://127.0.0.1:{free_port()}/api")
        message = case.fails()
    assert case.seconds >= 900
    assert "after 15 minutes its deployment service at http://127.0.0.1" in message
    assert "Run `pulumi up` to publish again" in message


@pytest.mark.parametrize("status", [401, 403])
def test_a_deployer_without_the_role_gets_the_command_that_assigns_it(status: int) -> None:
    with publishing(upload=((status, ""),)) as case:
        message = case.fails()
    assert case.seconds == 0, "waiting would not help"
    command = "az role assignment create --role 'Website Contributor' --assignee <your object ID> --scope"
    assert f"{command} {APP_ID}" in message


def test_a_rejected_package_is_an_immediate_error() -> None:
    with publishing(upload=((400, "not a zip"),)) as case:
        message = case.fails()
    assert "refused the package (status 400" in message
    assert message.endswith("not a zip")
    assert case.seconds == 0


def test_a_package_is_uploaded_again_while_the_role_assignment_propagates() -> None:
    failed = (200, {"status": 3, "status_text": STORAGE_REFUSED})
    with publishing(deployment=(failed, failed, failed, (200, {"status": 4}))) as case:
        assert case.run() == ["hello_mcp"]
    assert len(case.service.requests_to("/publish")) == 4
    assert case.seconds == 10 + 20 + 40
    waits = [line for line in case.lines if "Uploading the package again in" in line]
    assert [re.findall(r"in (\d+) seconds", line) for line in waits] == [["10"], ["20"], ["40"]]


@pytest.mark.parametrize(
    "refusal",
    [
        {"log": ((200, [{"message": STORAGE_REFUSED}]),)},
        {"log": ((200, [{"message": "Failed to upload because Azure Storage responded with Forbidden"}]),)},
        {"deployment": ((200, {"status": 3, "message": "BlobUploadFailedException"}), (200, {"status": 4}))},
    ],
    ids=["log", "log-in-other-words", "message"],
)
def test_a_storage_error_is_recognised_wherever_the_service_reports_it(refusal) -> None:
    answers = {"deployment": ((200, {"status": 3}), (200, {"status": 4})), **refusal}
    with publishing(**answers) as case:
        assert case.run() == ["hello_mcp"]
    assert len(case.service.requests_to("/publish")) == 2


def test_publishing_stops_after_15_minutes_if_the_storage_account_never_accepts_the_identity() -> None:
    with publishing(deployment=((200, {"status": 3}),), log=((200, [{"message": STORAGE_REFUSED}]),)) as case:
        message = case.fails()
    assert 840 <= case.seconds <= 900
    assert len(case.service.requests_to("/publish")) > 10
    assert "Storage Blob Data Owner" in message
    assert "public network access" in message
    assert "az functionapp log deployment show --name app --resource-group mcp-group" in message
    assert f"{case.target.deployments}/deployments/d1/log" in message


def test_a_failed_build_is_an_error_with_the_last_lines_of_its_log() -> None:
    with publishing(deployment=((200, {"status": 3}),), log=((200, BROKEN_BUILD),)) as case:
        message = case.fails()
    assert len(case.service.requests_to("/publish")) == 1, "a broken build would fail again"
    assert case.seconds == 0
    assert "The deployment of the package to app failed" in message
    assert "No matching distribution found for azure-functions==9" in message
    assert f"{case.target.deployments}/deployments/d1/log" in message
    assert "az functionapp log deployment show --name app --resource-group mcp-group" in message
    assert "\n" not in message


def test_the_details_of_the_log_are_read_only_from_the_service() -> None:
    """The requests contain the deployer's token, so no URL of another host is followed."""
    with publishing(details=((200, [{"message": "error: externally managed"}]),)) as case:
        log = f"{case.target.deployments}/deployments/d1/log"
        with publishing() as elsewhere:
            case.service.answers["deployment"] = [(200, {"status": 3})]
            case.service.answers["log"] = [
                (
                    200,
                    [
                        {"message": "Build failed.", "details_url": f"{log}/1"},
                        {
                            "message": "See also",
                            "details_url": f"{elsewhere.service.url}/api/deployments/d1/log/2",
                        },
                        {"message": "and", "details_url": None},
                    ],
                )
            ]
            message = case.fails()
    assert "Build failed. | error: externally managed | See also | and" in message
    assert elsewhere.service.requests == []


@pytest.mark.parametrize(
    ("status", "ending"),
    [(-1, "was cancelled"), (5, "conflicted with another deployment"), (6, "succeeded only in part")],
)
def test_a_deployment_that_does_not_succeed_is_an_error_with_its_log(status: int, ending: str) -> None:
    with publishing(deployment=((200, {"status": status}),), log=((200, BROKEN_BUILD),)) as case:
        message = case.fails()
    assert ending in message
    assert "No matching distribution" in message


def test_publishing_waits_for_the_build_and_for_the_host() -> None:
    building = (
        (404, ""),
        (200, "<html>starting</html>"),
        *((200, {"status": status}) for status in (0, 1, 2, 4)),
    )
    starting = ((500, ""), (200, {"value": []}), (200, {"value": [{"name": "app/hello_mcp"}]}))
    with publishing(deployment=building, functions=starting) as case:
        assert case.run() == ["hello_mcp"]


def test_a_long_build_is_reported_as_running() -> None:
    with publishing(deployment=((200, {"status": 1}),) * 30 + ((200, {"status": 4}),)) as case:
        case.run()
    progress = [line for line in case.lines if "deployment d1 is being built" in line]
    assert 3 <= len(progress) <= 5


def test_a_build_that_does_not_end_is_an_error_that_names_its_log() -> None:
    with publishing(deployment=((200, {"status": 1}),)) as case:
        message = case.fails()
    assert case.seconds == 900
    assert f"its log: {case.target.deployments}/deployments/d1/log" in message


def test_code_that_the_host_cannot_load_is_an_error_although_the_deployment_succeeded() -> None:
    with publishing(functions=((200, {"value": []}),)) as case:
        message = case.fails()
    assert "the host loaded no function" in message
    assert f"https://portal.azure.com/#resource{APP_ID}" in message
    assert case.seconds == 600


def test_the_error_of_a_failed_sign_in_has_the_command() -> None:
    class NoSignIn:
        def send_request(self, _request):
            raise ClientAuthenticationError("Please run 'az login' to set up an account")

    publisher = Publisher(NoSignIn(), Target.of(APP_ID, "app"))  # ty: ignore[invalid-argument-type]  a stub
    with pytest.raises(PublishingError, match=r"Please run 'az login'.*`az login`, or set ARM_CLIENT_ID"):
        publisher.publish(b"")


def test_without_a_deployment_id_the_latest_deployment_is_read() -> None:
    with publishing(upload=((202, ""),)) as case:
        case.run()
    assert "/api/deployments/latest" in [request.url for request in case.service.requests]


def test_no_message_has_more_than_one_line() -> None:
    """Pulumi prints the message as the error of one resource."""
    log = [{"message": "line 1\nline 2\r\n"}]
    with publishing(deployment=((200, {"status": 3, "message": "a\nb"}),), log=((200, log),)) as case:
        assert "\n" not in case.fails()
