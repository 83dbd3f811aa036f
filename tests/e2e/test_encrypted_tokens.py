"""The content of an access token, and the rejection of modified tokens (docs/authorization.md, D3 and D4).

The test has the stack's key, which no client has, and encrypts and decrypts with a JOSE library. It can
therefore test each check separately, with a token that is wrong in one point only.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from apim.network import Reply
from tests.e2e.client import Client, parameters_of
from tests.e2e.conftest import RunningTwin
from tests.e2e.deployment import Deployment
from tests.e2e.person import Person
from tests.policies.engine.harness import Harness, Sent, reply

HEADER = {"alg": "dir", "enc": "A256CBC-HS512", "kid": "1"}
FOREIGN_KEY = OctKey.generate_key(512)

Claims = dict[str, Any]


@pytest.fixture(scope="module")
def key(deployment: Deployment) -> OctKey:
    """The key with which the gateway of the twin encrypts tokens."""
    return deployment.key()


@pytest.fixture
def claims(token: str, key: OctKey) -> Claims:
    """The claims of a token that the gateway issued."""
    return decrypted(token, key)


def decrypted(token: str, key: OctKey) -> Claims:
    """The claims of a token."""
    plaintext = jwe.decrypt_compact(token, key, algorithms=["dir", "A256CBC-HS512"]).plaintext
    assert plaintext is not None
    return json.loads(plaintext)


def encrypted(claims: Claims, key: OctKey, **header: str) -> str:
    """A token like those of the gateway; `header` changes members of its header."""
    return jwe.encrypt_compact(
        HEADER | header, json.dumps(claims), key, algorithms=["dir", "A256CBC-HS512", "DEF"]
    )


def encoded(content: bytes) -> str:
    """Unpadded base64url (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def whole_answer(client: Client, token: str) -> tuple[int, dict[str, str], bytes]:
    """A response without its date."""
    answer = client.call(token)
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status_code, headers, answer.content


# Content


def test_a_jose_library_can_decrypt_a_token(token: str, key: OctKey) -> None:
    assert json.loads(decoded(token.partition(".")[0])) == HEADER
    assert decrypted(token, key)


def test_another_key_cannot_decrypt_a_token(token: str) -> None:
    with pytest.raises(JoseError):
        decrypted(token, FOREIGN_KEY)


@pytest.mark.parametrize("name", ["Ada Lovelace", "Grace Hopper"])
def test_a_token_has_user_client_scope_audience_and_expiry(
    twin: RunningTwin, client: Client, deployment: Deployment, name: str
) -> None:
    code = parameters_of(twin.person(name).sign_in(client.authorize_url()))["code"]
    answer = client.redeem(code).json()
    claims = decrypted(answer["access_token"], deployment.key())
    assert claims.pop("exp") - claims.pop("iat") == answer["expires_in"] == 600
    assert len(claims.pop("jti")) == 32
    assert claims == {
        "iss": client.gateway,
        "aud": client.resource,
        "sub": {user.name: user.object_id for user in deployment.directory.users}[name],
        "tid": deployment.directory.tenant_id,
        "client_id": client.client_id,
        "scope": "functions",
        "gid": code.partition(".")[0],
    }


def test_the_audience_without_a_resource_is_the_whole_gateway(
    client: Client, ada: Person, key: OctKey
) -> None:
    code = parameters_of(ada.sign_in(client.authorize_url(resource=None)))["code"]
    token = client.redeem(code, resource=None).json()["access_token"]
    assert decrypted(token, key)["aud"] == client.gateway


def test_every_token_has_a_unique_id(client: Client, ada: Person, key: OctKey) -> None:
    codes = [parameters_of(ada.sign_in(client.authorize_url()))["code"] for _ in range(2)]
    first, second = (decrypted(client.redeem(code).json()["access_token"], key) for code in codes)
    assert first["jti"] != second["jti"]
    assert first["gid"] != second["gid"]


# Tokens that are wrong in one point


def test_a_token_encrypted_by_the_test_is_accepted(client: Client, claims: Claims, key: OctKey) -> None:
    """This proves that each refusal below has the expected cause."""
    answer = client.call(encrypted(claims, key))
    assert answer.status_code == 200
    assert "hello_mcp" in answer.text


WRONG_CLAIMS: dict[str, Callable[[Claims], Claims]] = {
    "for another server of this gateway": lambda claims: {"aud": claims["iss"] + "/jira-mcp"},
    "for a server whose path begins with the path of this server": lambda claims: {
        "aud": claims["aud"] + "2"
    },
    "for a path below this server": lambda claims: {"aud": claims["aud"] + "/sse"},
    "for a foreign server": lambda _: {"aud": "https://other.example/mcp"},
    "for a host whose name begins with the gateway's name": lambda claims: {
        "aud": claims["iss"] + ".evil.example/mcp"
    },
    "for the server in capitals": lambda claims: {"aud": claims["aud"].upper()},
    "without an audience": lambda _: {"aud": None},
    "of another issuer": lambda _: {"iss": "https://other.example"},
    "of the issuer with a slash": lambda claims: {"iss": claims["iss"] + "/"},
    "without an issuer": lambda _: {"iss": None},
    "expired a minute ago": lambda claims: {"exp": claims["iat"] - 60},
    "expired this second": lambda claims: {"exp": claims["iat"]},
    "of a grant that does not exist": lambda _: {"gid": "A" * 22},
}


@pytest.mark.parametrize("point", WRONG_CLAIMS)
def test_a_token_with_one_wrong_claim_is_rejected_like_any_bad_token(
    twin: RunningTwin, client: Client, claims: Claims, key: OctKey, point: str
) -> None:
    bad = encrypted(claims | WRONG_CLAIMS[point](claims), key)
    assert whole_answer(client, bad) == whole_answer(client, "x")
    assert client.call("x").status_code == 401
    assert twin.received("functions") == []


def test_d6_a_token_with_another_issuer_revokes_nothing(client: Client, claims: Claims, key: OctKey) -> None:
    assert client.revoke(encrypted(claims | {"iss": "https://other.example"}, key)).status_code == 200
    assert client.call(encrypted(claims, key)).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "0"},
        {"kid": "2"},
        {"kid": "../1"},
        {"typ": "JWT"},
        {"zip": "DEF"},
        {"cty": "JWT"},
    ],
    ids=str,
)
def test_a_token_with_another_header_is_rejected_like_any_bad_token(
    twin: RunningTwin, client: Client, claims: Claims, key: OctKey, header: dict[str, str]
) -> None:
    assert whole_answer(client, encrypted(claims, key, **header)) == whole_answer(client, "x")
    assert twin.received("functions") == []


def other_encryption(claims: Claims, key: OctKey) -> str:
    """A token with A128CBC-HS256, which needs only half of the key."""
    half = OctKey.import_key(decoded(str(key.as_dict()["k"]))[:32])
    header = HEADER | {"enc": "A128CBC-HS256"}
    return jwe.encrypt_compact(header, json.dumps(claims), half, algorithms=["dir", "A128CBC-HS256"])


def wrapped_key(claims: Claims, key: OctKey) -> str:
    """A token with a separate content key, which is wrapped with the gateway's key."""
    wrapping = OctKey.import_key(decoded(str(key.as_dict()["k"]))[:32])
    algorithms = ["A256KW", "A256CBC-HS512"]
    return jwe.encrypt_compact(
        HEADER | {"alg": "A256KW"}, json.dumps(claims), wrapping, algorithms=algorithms
    )


def unsigned_jwt(claims: Claims, _key: OctKey) -> str:
    return ".".join([encoded(b'{"alg":"none"}'), encoded(json.dumps(claims).encode()), ""])


def relabelled(claims: Claims, key: OctKey) -> str:
    """A token that was encrypted with another header, which is then replaced by the gateway's header."""
    own = encoded(json.dumps(HEADER, separators=(",", ":")).encode())
    return own + "." + encrypted(claims, key, kid="9").partition(".")[2]


def cut_tag(claims: Claims, key: OctKey) -> str:
    head, encrypted_key, iv, ciphertext, tag = encrypted(claims, key).split(".")
    return ".".join([head, encrypted_key, iv, ciphertext, encoded(decoded(tag)[:16])])


def longer_tag(claims: Claims, key: OctKey) -> str:
    head, encrypted_key, iv, ciphertext, tag = encrypted(claims, key).split(".")
    return ".".join([head, encrypted_key, iv, ciphertext, encoded(decoded(tag) + b"\0")])


def last_half_of_the_tag_changed(claims: Claims, key: OctKey) -> str:
    head, encrypted_key, iv, ciphertext, tag = encrypted(claims, key).split(".")
    changed = decoded(tag)[:-1] + bytes([decoded(tag)[-1] ^ 1])
    return ".".join([head, encrypted_key, iv, ciphertext, encoded(changed)])


def other_iv(claims: Claims, key: OctKey) -> str:
    """The change that CBC would allow an attacker in the first block if the tag did not cover the IV."""
    head, encrypted_key, iv, ciphertext, tag = encrypted(claims, key).split(".")
    changed = bytes([decoded(iv)[0] ^ 1]) + decoded(iv)[1:]
    return ".".join([head, encrypted_key, encoded(changed), ciphertext, tag])


def impossible_ciphertext(claims: Claims, key: OctKey) -> str:
    """A ciphertext with a number of characters that base64url cannot have (RFC 4648, section 4)."""
    head, encrypted_key, iv, ciphertext, tag = encrypted(claims, key).split(".")
    letters = ciphertext[: len(ciphertext) // 4 * 4] + "A"
    return ".".join([head, encrypted_key, iv, letters, tag])


def cut_ciphertext(claims: Claims, key: OctKey) -> str:
    head, encrypted_key, iv, ciphertext, tag = encrypted(claims, key).split(".")
    return ".".join([head, encrypted_key, iv, encoded(decoded(ciphertext)[:-16]), tag])


def by_a_foreign_key(claims: Claims, _key: OctKey) -> str:
    return encrypted(claims, FOREIGN_KEY)


@pytest.mark.parametrize(
    "make",
    [
        other_encryption,
        wrapped_key,
        unsigned_jwt,
        relabelled,
        cut_tag,
        longer_tag,
        last_half_of_the_tag_changed,
        other_iv,
        impossible_ciphertext,
        cut_ciphertext,
        by_a_foreign_key,
    ],
)
def test_a_token_encrypted_in_another_way_is_rejected_like_any_bad_token(
    twin: RunningTwin, client: Client, claims: Claims, key: OctKey, make: Callable[[Claims, OctKey], str]
) -> None:
    assert whole_answer(client, make(claims, key)) == whole_answer(client, "x")
    assert twin.received("functions") == []


def test_the_key_of_the_consent_form_cannot_encrypt_tokens(
    client: Client, claims: Claims, deployment: Deployment
) -> None:
    octets = decoded(str(deployment.key("consent-key-v1").as_dict()["k"]))
    assert len(octets) == 32
    bad = encrypted(claims, OctKey.import_key(octets + octets))
    assert whole_answer(client, bad) == whole_answer(client, "x")


@pytest.mark.parametrize("tokens", [("x", "{}"), ("{}", "x"), ("{}", "{}")], ids=str)
def test_two_authorization_headers_are_refused(
    twin: RunningTwin, client: Client, token: str, tokens: tuple[str, str]
) -> None:
    headers = [("Authorization", "Bearer " + template.format(token)) for template in tokens]
    assert httpx.post(client.resource, headers=headers, json={}).status_code == 401
    assert twin.received("functions") == []


# Rotation of the key: a gateway in this process with the next key versions


def status_after_rotation(deployment: Deployment, version: int, token: str) -> int:
    """The response of the gateway with this key version to a call; the server always succeeds."""
    grants = {document["id"]: document for document in deployment.documents() if "status" in document}

    def answer(sent: Sent) -> Reply:
        return reply(200, json.dumps(grants.get(sent.url.rpartition("/")[2], {})))

    harness = Harness(deployment.service(keyVersion=str(version)))
    harness.network.answer = answer
    return harness.send("POST", "/mcp", body=b"{}", Authorization=f"Bearer {token}").status


def test_a_token_stays_valid_after_one_rotation_of_the_key_but_not_after_two(
    deployment: Deployment, token: str
) -> None:
    assert [status_after_rotation(deployment, version, token) for version in (2, 3)] == [200, 401]


def test_a_token_that_names_another_key_version_is_rejected(
    deployment: Deployment, claims: Claims, key: OctKey
) -> None:
    assert status_after_rotation(deployment, 2, encrypted(claims, key, kid="2")) == 401
