"""What is inside an access token, and what the gateway makes of tokens that are not quite its own (oauth.md D3,
D4).

The test knows the stack's keys, which nobody else does, and opens and seals with a JOSE library. So it can ask
for each check by itself: a token that is right in everything but one claim.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from tests.e2e.client import Client, parameters_of
from tests.e2e.conftest import RunningTwin
from tests.e2e.person import Person
from tests.policies.engine.stage import Sent, Stage, reply
from twin.apim.network import Reply
from twin.apim.service import Service
from twin.azure import gateway
from twin.azure.cloud import Cloud
from twin.stack import evaluate
from twin.state import StateFolder

HEADER = {"alg": "dir", "enc": "A256CBC-HS512", "kid": "1"}
FOREIGN_KEY = OctKey.generate_key(512)


@dataclass(frozen=True)
class Deployment:
    """The gateway's configuration, evaluated once more from the running twin's seed."""

    twin: RunningTwin

    def service(self, **config: str) -> Service:
        """What this stack's gateway runs with these settings."""
        cloud = Cloud(seed=StateFolder(self.twin.state).seed(), gateway_url=self.twin.gateway)
        local = {"local": "true", "entraAuthority": self.twin.entra}
        return gateway.service(evaluate({**local, **config}, cloud=cloud), cloud)

    def key(self, name: str = "token-key", **config: str) -> OctKey:
        """The named value that holds a key."""
        (value,) = [value.value for value in self.service(**config).named_values if value.name == name]
        return OctKey.import_key(base64.b64decode(value))


@pytest.fixture(scope="module")
def deployment(running_twin: RunningTwin) -> Deployment:
    return Deployment(running_twin)


@pytest.fixture(scope="module")
def key(deployment: Deployment) -> OctKey:
    """The key that seals the running twin's tokens."""
    return deployment.key()


def opened(token: str, key: OctKey) -> dict[str, Any]:
    """The claims of a token."""
    plaintext = jwe.decrypt_compact(token, key, algorithms=[HEADER["alg"], HEADER["enc"]]).plaintext
    assert plaintext is not None
    return json.loads(plaintext)


def sealed(claims: dict[str, Any], key: OctKey, **header: str) -> str:
    """A token as the gateway makes them; `header` changes members of its header."""
    protected = HEADER | header
    if protected["enc"].startswith("A128"):
        key = OctKey.import_key(base64.urlsafe_b64decode(key.as_dict()["k"] + "==")[:32])
    plaintext = json.dumps(claims, separators=(",", ":"))
    return jwe.encrypt_compact(protected, plaintext, key, algorithms=[protected["alg"], protected["enc"]])


@pytest.fixture
def claims(token: str, key: OctKey) -> dict[str, Any]:
    """The claims of a token that the gateway gave."""
    return opened(token, key)


def answer_to(client: Client, token: str) -> tuple[int, dict[str, str], bytes]:
    """Everything of an answer but its date."""
    answer = client.call(token)
    return answer.status_code, {k: v for k, v in answer.headers.items() if k != "date"}, answer.content


# What is inside


def test_any_jose_library_opens_it(token: str, key: OctKey) -> None:
    head = token.partition(".")[0]
    assert json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))) == HEADER
    assert opened(token, key)


def test_another_key_does_not(token: str) -> None:
    with pytest.raises(JoseError):
        opened(token, FOREIGN_KEY)


def test_it_says_who_may_do_what_where_and_until_when(
    twin: RunningTwin, client: Client, ada: Person, key: OctKey
) -> None:
    answer = client.redeem(parameters_of(ada.sign_in(client.authorize_url()))["code"]).json()
    claims = opened(answer["access_token"], key)
    users = {user["name"]: user for user in twin.directory_users()}
    assert claims.pop("sub") == users["Ada Lovelace"]["oid"]
    assert claims.pop("exp") - claims.pop("iat") == answer["expires_in"] == 600
    assert len(claims.pop("jti")) == 32
    assert len(claims.pop("gid")) == 22
    assert claims.pop("tid") in twin.entra_tenant
    assert claims == {
        "iss": twin.gateway,
        "aud": client.resource,
        "client_id": client.client_id,
        "scope": "openid",
    }
