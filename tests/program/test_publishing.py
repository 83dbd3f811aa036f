import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pulumi
import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.core.rest import HttpRequest
from azure.identity import ClientAssertionCredential, ClientSecretCredential, DefaultAzureCredential

from backends import package
from backends.publisher import Publisher, PublishingError, credential
from backends.publishing import PublicationProvider

if TYPE_CHECKING:
    from azure.core import PipelineClient

APP_ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/func"
SCM = "https://func.scm.azurewebsites.net/api"
FUNCTIONS = f"https://management.azure.com{APP_ID}/functions"


class Answer:
    def __init__(self, status: int, body: object = None) -> None:
        self.status_code = status
        self._body = body

    def text(self) -> str:
        return self._body if isinstance(self._body, str) else json.dumps(self._body)

    def json(self) -> object:
        return self._body


class Azure:
    """Answers by method and path; a list is answered in turn, its last element for ever."""

    def __init__(self, answers: dict[str, list[Answer | Exception]]) -> None:
        self.requests: list[HttpRequest] = []
        self._answers = answers

    def send_request(self, request: HttpRequest) -> Answer:
        self.requests.append(request)
        answers = self._answers[f"{request.method} {request.url.partition('?')[0]}"]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Time:
    def __init__(self) -> None:
        self.seconds = 0.0

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def now(self) -> float:
        return self.seconds


def azure(**changed: list[Answer | Exception]) -> Azure:
    answers: dict[str, list[Answer | Exception]] = {
        "upload": [Answer(202, "d1")],
        "deployment": [Answer(200, {"status": 4})],
        "log": [Answer(200, [{"message": "No matching distribution"}])],
        "functions": [Answer(200, {"value": [{"name": "func/save_snippet"}, {"name": "func/hello_mcp"}]})],
    }
    answers.update(changed)
    return Azure(
        {
            f"POST {SCM}/publish": answers["upload"],
            f"GET {SCM}/deployments/d1": answers["deployment"],
            f"GET {SCM}/deployments/d1/log": answers["log"],
            f"GET {FUNCTIONS}": answers["functions"],
        }
    )


def publish(service: Azure, time: Time | None = None) -> list[str]:
    time = time or Time()
    publisher = Publisher(cast("PipelineClient", service), sleep=time.sleep, now=time.now)
    return publisher.publish(app_id=APP_ID, app_name="func", content=b"zip")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in ("host.json", "requirements.txt", "function_app.py", "snippets.py"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_a_package_is_built_by_the_app_and_its_functions_are_named() -> None:
    service = azure()

    assert publish(service) == ["hello_mcp", "save_snippet"]
    upload = service.requests[0]
    assert upload.url == f"{SCM}/publish?RemoteBuild=true"
    assert upload.headers["Content-Type"] == "application/zip"
    assert upload.content == b"zip"


def test_a_new_app_is_given_time_to_become_reachable() -> None:
    early: list[Answer | Exception] = [ServiceRequestError("no such host"), Answer(404), Answer(503)]

    assert publish(azure(upload=[*early, Answer(202, "d1")]))


def test_publishing_waits_for_the_build_and_for_the_host() -> None:
    building: list[Answer | Exception] = [
        Answer(404),
        *(Answer(200, {"status": status}) for status in (0, 1, 2, 4)),
    ]
    starting: list[Answer | Exception] = [
        Answer(200, {"value": []}),
        Answer(200, {"value": [{"name": "func/hello_mcp"}]}),
    ]

    assert publish(azure(deployment=building, functions=starting)) == ["hello_mcp"]


@pytest.mark.parametrize("status", [-1, 3, 5, 6])
def test_a_deployment_that_ends_otherwise_is_an_error_with_its_log(status: int) -> None:
    with pytest.raises(PublishingError, match="No matching distribution"):
        publish(azure(deployment=[Answer(200, {"status": status})]))


def test_code_that_the_host_cannot_load_is_an_error_although_the_deployment_succeeded() -> None:
    time = Time()

    with pytest.raises(PublishingError, match="did not load a function"):
        publish(azure(functions=[Answer(200, {"value": []})]), time)
    assert time.seconds >= 60, "gave up too early"


def test_who_may_not_publish_is_told_which_role_is_missing() -> None:
    with pytest.raises(PublishingError, match="Website Contributor"):
        publish(azure(upload=[Answer(403)]))


def test_who_is_not_signed_in_is_told_how() -> None:
    with pytest.raises(PublishingError, match="az login"):
        publish(azure(upload=[ClientAuthenticationError("no credential")]))


def test_a_package_that_is_refused_is_an_error_at_once() -> None:
    service = azure(upload=[Answer(400, "not a zip")])

    with pytest.raises(PublishingError, match=r"refused the package \(400\): not a zip"):
        publish(service)
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({}, DefaultAzureCredential),
        (
            {"ARM_CLIENT_ID": "c", "ARM_TENANT_ID": "t", "ARM_CLIENT_SECRET": "placeholder"},
            ClientSecretCredential,
        ),
        (
            {"ARM_CLIENT_ID": "c", "ARM_TENANT_ID": "t", "ARM_OIDC_TOKEN": "placeholder"},
            ClientAssertionCredential,
        ),
    ],
    ids=["developer", "secret", "oidc"],
)
def test_code_is_published_as_whoever_pulumi_deploys_as(environment: dict[str, str], kind: type) -> None:
    assert isinstance(credential(environment), kind)


def test_the_same_files_make_the_same_package(source: Path) -> None:
    first = package.build(source)
    for path in source.iterdir():
        path.touch()

    assert package.build(source) == first


def test_the_host_may_read_every_file_of_the_package(source: Path) -> None:
    for entry in zipfile.ZipFile(io.BytesIO(package.build(source))).infolist():
        assert entry.create_system == 3, "not a Unix entry"
        assert entry.external_attr >> 16 & 0o444 == 0o444


@pytest.mark.parametrize(
    "name", ["local.settings.json", "local.settings.json.example", ".env", ".venv/x.py", "__pycache__/a.pyc"]
)
def test_what_belongs_to_a_developer_is_not_published(source: Path, name: str) -> None:
    before = package.digest(source)
    (source / name).parent.mkdir(exist_ok=True)
    (source / name).write_text("secret")

    assert name not in zipfile.ZipFile(io.BytesIO(package.build(source))).namelist()
    assert package.digest(source) == before


def change(source: Path) -> None:
    (source / "snippets.py").write_text("other")


def rename(source: Path) -> None:
    (source / "snippets.py").rename(source / "notes.py")


def add(source: Path) -> None:
    (source / "more.py").write_text("")


@pytest.mark.parametrize("edit", [change, rename, add])
def test_an_edit_changes_the_digest(source: Path, edit: Callable[[Path], None]) -> None:
    before = package.digest(source)
    edit(source)

    assert package.digest(source) != before


@pytest.mark.parametrize("name", ["host.json", "requirements.txt", "function_app.py"])
def test_a_folder_that_cannot_run_is_refused_before_anything_is_created(source: Path, name: str) -> None:
    (source / name).unlink()

    with pytest.raises(pulumi.RunError, match=name):
        package.digest(source)


def test_code_is_published_again_only_when_it_changed() -> None:
    provider = PublicationProvider()
    published = {"app_id": APP_ID, "digest": "a", "functions": ["hello_mcp"], "__provider": "x"}

    same = provider.diff("id", published, {"app_id": APP_ID, "digest": "a", "__provider": "y"})
    edited = provider.diff("id", published, {"app_id": APP_ID, "digest": "b"})
    moved = provider.diff("id", published, {"app_id": "other", "digest": "a"})

    assert (same.changes, same.replaces) == (False, [])
    assert (edited.changes, edited.replaces) == (True, [])
    assert (moved.changes, moved.replaces) == (True, ["app_id"])


def test_files_that_change_during_a_deployment_stop_it() -> None:
    props = {"app_id": APP_ID, "app_name": "func", "source": "functions_app", "digest": "of other files"}

    with pytest.raises(Exception, match="changed while it was deployed"):
        PublicationProvider().create(props)
