"""Tags are resolved to digests by the registry, and written where the stack pins its images."""

import hashlib
import json
from collections.abc import Callable

import httpx2
import pytest

from preflight.images import RegistryError, resolve
from preflight.unpinned import Unpinned, unpinned
from twin.gateway_plan import load_settings

IMAGE = "registry.example/team/notes:1.2.3"
MANIFEST = b'{"schemaVersion": 2}'
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
CHALLENGE = (
    'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:team/notes:pull"'
)


def registry(
    *, challenge: str = "", token: str = "anonymous", digest: str = DIGEST, status: int = 200
) -> Callable[[httpx2.Request], httpx2.Response]:
    """A registry; with a challenge it answers only to a token."""

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
        (registry(challenge='Basic realm="x"'), "does not support"),
        (registry(challenge=CHALLENGE.replace("https:", "http:")), "does not support"),
        (registry(status=404), "answered 404"),
        (registry(digest=f"sha256:{'0' * 64}"), "does not have the digest"),
    ],
)
def test_an_untrustworthy_digest_is_an_error(
    handler: Callable[[httpx2.Request], httpx2.Response], message: str
) -> None:
    with pytest.raises(RegistryError, match=message):
        digest_of(handler)


def test_a_registry_that_does_not_answer_is_an_error() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    with pytest.raises(RegistryError, match="does not answer"):
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
    found = list(unpinned(settings))
    assert [(one.path, one.whole) for one in found] == [("jiraDigest", False), ("containers[1].image", True)]
    assert found[0].command(DIGEST)[-2:] == ["jiraDigest", DIGEST]
    assert found[1].command(DIGEST)[-1] == f"ghcr.io/example/notes:1.2.3@{DIGEST}"
    assert found[1] == Unpinned(image="ghcr.io/example/notes:1.2.3", path="containers[1].image", whole=True)
