"""Tags of images are resolved to digests at the registry, and the digests are written to the settings."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from configuration.unpinned import Unpinned, unpinned
from preflight import __main__ as preflight
from preflight import images
from preflight.images import RegistryError, resolve
from tests.program.stack_settings import DEFAULTS, NAME, SECRETS, changed, load, refused
from twin.gateway_plan import load_settings
from twin.stack import PROJECT

IMAGE = "registry.example/team/notes:1.2.3"
MANIFEST = b'{"schemaVersion": 2}'
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
CHALLENGE = (
    'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:team/notes:pull"'
)


def registry(
    *, challenge: str = "", token: str = "anonymous", digest: str = DIGEST, status: int = 200
) -> Callable[[httpx2.Request], httpx2.Response]:
    """A registry; with a challenge it accepts only requests with a token."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "auth.example":
            assert dict(request.url.params) == {
                "service": "registry.example",
                "scope": "repository:team/notes:pull",
            }
            assert "authorization" not in request.headers
            return httpx2.Response(200, json={"token": token} if token else {})
        assert request.url == "https://registry.example/v2/team/notes/manifests/1.2.3"
        assert "application/vnd.oci.image.index.v1+json" in request.headers["accept"]
        if challenge and request.headers.get("authorization") != f"Bearer {token}":
            return httpx2.Response(401, headers={"www-authenticate": challenge})
        return httpx2.Response(status, content=MANIFEST, headers={"docker-content-digest": digest})

    return answer


def digest_of(handler: Callable[[httpx2.Request], httpx2.Response], image: str = IMAGE) -> str:
    with httpx2.Client(transport=httpx2.MockTransport(handler)) as client:
        return resolve(image, client)


def test_the_digest_is_that_of_the_manifest() -> None:
    assert digest_of(registry()) == DIGEST


def test_an_anonymous_token_is_requested_if_a_registry_requires_one() -> None:
    assert digest_of(registry(challenge=CHALLENGE)) == DIGEST


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (registry(challenge=CHALLENGE, token=""), "only signed-in users"),
        (registry(challenge='Basic realm="x"'), "is not supported"),
        (registry(challenge=CHALLENGE.replace("https:", "http:")), "is not supported"),
        (registry(status=404), "returned HTTP 404"),
        (registry(digest=f"sha256:{'0' * 64}"), "does not have the digest"),
    ],
)
def test_a_digest_that_cannot_be_read_or_verified_is_an_error(
    handler: Callable[[httpx2.Request], httpx2.Response], message: str
) -> None:
    with pytest.raises(RegistryError, match=message):
        digest_of(handler)


def test_a_registry_that_does_not_respond_is_an_error() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    with pytest.raises(RegistryError, match="does not respond"):
        digest_of(refuse)


def test_an_image_without_a_tag_cannot_be_resolved() -> None:
    with pytest.raises(RegistryError, match="is not a reference"):
        digest_of(registry(), f"registry.example/team/notes@{DIGEST}")


def test_each_unpinned_image_is_found_with_the_command_that_pins_it() -> None:
    entry = {"name": "notes", "image": "ghcr.io/example/notes:1.2.3", "port": 8080}
    pinned = {**entry, "name": "wiki", "image": f"ghcr.io/example/wiki:2.0.0@{DIGEST}"}
    settings = load_settings(
        {
            "backends": '["functions", "jira"]',
            "jiraUrl": "https://example.atlassian.net",
            "jiraUsername": "jira@example.com",
            "containers": json.dumps([pinned, entry]),
        },
        {"jiraApiToken": "ATATT3xFfGF0-abcdefgh"},
    )
    images = list(unpinned(settings.presets, settings.containers))
    assert [(image.path, image.whole) for image in images] == [
        ("jiraDigest", False),
        ("containers[1].image", True),
    ]
    assert images[0].command(DIGEST)[-2:] == ["jiraDigest", DIGEST]
    assert images[1].command(DIGEST)[-1] == f"ghcr.io/example/notes:1.2.3@{DIGEST}"
    assert images[1] == Unpinned(image="ghcr.io/example/notes:1.2.3", path="containers[1].image", whole=True)


UNPINNED = {
    f"{NAME}:backends": '["functions", "slack"]',
    f"{NAME}:slackBotToken": SECRETS["slackBotToken"],
    f"{NAME}:containers": json.dumps([{"name": "notes", "image": "ghcr.io/example/notes:1.2.3", "port": 80}]),
}


def values(**changes: str) -> dict[str, str]:
    """A stack that requires digests, which is the default."""
    required = {key: value for key, value in changed().items() if not key.endswith(":requireDigests")}
    return {**required, f"{NAME}:requireDigests": "true", **UNPINNED, **changes}


def test_every_image_without_a_digest_is_refused_with_the_command_that_pins_it() -> None:
    problems = refused(values(), ["slackBotToken"]).problems
    assert [problem.key for problem in problems] == ["slackDigest", "containers[0].image"]
    assert {problem.remedy for problem in problems} == {"make pin STACK=dev"}
    assert "ghcr.io/example/notes:1.2.3 is not pinned by digest" in problems[1].wrong


def test_digests_are_required_unless_a_stack_disables_that() -> None:
    assert DEFAULTS["requireDigests"] == "true"
    tagged = load(values(**{f"{NAME}:requireDigests": "false"}), ["slackBotToken"])
    assert len(list(unpinned(tagged.presets, tagged.containers))) == 2


def test_a_local_stack_needs_no_digest() -> None:
    local = {"local": "true", "localUrl": "http://localhost:8000", "entraAuthority": "http://localhost:8002"}
    assert load(values(**{f"{NAME}:{key}": value for key, value in local.items()}), ["slackBotToken"]).local


def test_the_command_pins_a_stack_that_is_refused_without_digests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Pulumi.yaml").write_bytes((PROJECT / "Pulumi.yaml").read_bytes())
    config = {**values(), f"{NAME}:slackBotToken": {"secure": "v1:AAAA"}}
    (tmp_path / "Pulumi.team.yaml").write_text(json.dumps({"config": config}), encoding="utf-8")
    monkeypatch.setattr(images, "_ROOT", tmp_path)
    monkeypatch.setattr(preflight, "_ROOT", tmp_path)
    assert preflight.main(["--stack", "team"]) == 1
    assert "> make pin STACK=team" in capsys.readouterr().err
    manifests = httpx2.MockTransport(lambda _request: httpx2.Response(200, content=MANIFEST))
    assert images.main(["--stack", "team", "--print"], manifests) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"> pulumi config set slackDigest {DIGEST} --stack team",
        f"> pulumi config set --path 'containers[0].image' ghcr.io/example/notes:1.2.3@{DIGEST} --stack team",
    ]
