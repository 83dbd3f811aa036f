"""Messages at the gateway's root, which clients of legacy servers send: the token or the query selects the
server."""

import base64
import functools
import hashlib
import json
import re
import time
from dataclasses import replace

import pytest
from joserfc import jwe
from joserfc.jwk import OctKey

from apim.failure import SendError
from apim.network import Reply
from apim.service import Api, Operation
from tests.e2e.client import refusal_of
from tests.policies.engine.harness import Harness, Response, Sent, reply
from tests.policies.oauth.flow import encoded
from tests.stacks import FUNCTIONS_ONLY, planned_service

GATEWAY = "https://gateway.example"
USER_AND_CLIENT = {"sub": "ada", "clientDocumentId": encoded(hashlib.sha256(b"app").digest())}


def _container(name: str) -> dict[str, object]:
    return {
        "name": name,
        "image": f"ghcr.io/example/{name}:1.0.0",
        "port": 8080,
        "transport": "sse",
        "sessionParameter": "sessionId",
        "paths": {"messages": "/message"},
    }


@functools.cache
def _shared_harness() -> tuple[Harness, str]:
    """A stack with two servers that announce `/message` and two that do not, and the key of its tokens."""
    web = {"name": "web", "image": "ghcr.io/example/web:1.0.0", "port": 8080}
    config = {**FUNCTIONS_ONLY, "containers": json.dumps([_container("notes"), _container("tasks"), web])}
    service = planned_service(GATEWAY, config)
    (key,) = [named_value.value for named_value in service.named_values if named_value.name == "token-key-v1"]
    return Harness(service), key


@pytest.fixture
def harness() -> Harness:
    """The gateway, with a store that accepts every grant and every session of the user and the client."""
    harness, _ = _shared_harness()
    harness.network.answer = _answer
    harness.network.sent.clear()
    return harness


def _answer(sent: Sent) -> Reply:
    if "/colls/grants/" in sent.url:
        return reply(200, json.dumps({"status": "redeemed", **USER_AND_CLIENT}))
    if "/colls/sessions/" in sent.url:
        return reply(200 if sent.method == "GET" else 201, json.dumps(USER_AND_CLIENT))
    return reply(202, "")


def token(audience: str) -> str:
    """An access token with this audience and the scopes of all servers."""
    _, key = _shared_harness()
    now = int(time.time())
    claims = {
        "iss": GATEWAY,
        "aud": audience,
        "sub": "ada",
        "client_id": "app",
        "scope": "functions notes tasks web",
        "gid": "g",
        "exp": now + 600,
    }
    header = {"alg": "dir", "enc": "A256CBC-HS512", "kid": "1"}
    return jwe.encrypt_compact(
        header,
        json.dumps(claims).encode(),
        OctKey.import_key(base64.b64decode(key)),
        algorithms=["dir", "A256CBC-HS512"],
    )


def message(harness: Harness, audience: str) -> Response:
    """Sends a message at the root, with a token for this audience."""
    return harness.send(
        "POST",
        "/message",
        "sessionId=0123456789abcdef&code=k",
        body=b"{}",
        Authorization=f"Bearer {token(audience)}",
    )


def forwarded(harness: Harness) -> list[str]:
    """The URLs of the messages that the gateway forwarded."""
    return [sent.url for sent in harness.network.sent if "/message" in sent.url]


@pytest.mark.parametrize("name", ["notes", "tasks"])
def test_the_audience_selects_the_server(harness: Harness, name: str) -> None:
    assert message(harness, f"{GATEWAY}/{name}-mcp").status == 202
    (url,) = forwarded(harness)
    assert url == f"https://{name}.example/message?sessionId=0123456789abcdef"


def test_a_token_for_another_server_is_refused(harness: Harness) -> None:
    assert message(harness, f"{GATEWAY}/mcp").status == 401
    assert forwarded(harness) == []


def test_a_message_with_a_token_for_the_whole_gateway_is_refused(harness: Harness) -> None:
    answer = message(harness, GATEWAY)
    assert (answer.status, refusal_of(answer.json())) == (400, "invalid_target")
    assert forwarded(harness) == []


@pytest.mark.parametrize(("timed_out", "status"), [(True, 504), (False, 502)])
def test_an_unreachable_server_is_reported_with_the_gateways_error(
    harness: Harness, timed_out: bool, status: int
) -> None:
    def answer(sent: Sent) -> Reply:
        if "/message" in sent.url:
            raise SendError("ca-notes.internal is unreachable", timed_out=timed_out)
        return _answer(sent)

    harness.network.answer = answer
    response = message(harness, f"{GATEWAY}/notes-mcp")
    assert response.status == status
    assert refusal_of(response.json()) == "server_error"
    assert b"ca-notes" not in response.body


@pytest.mark.parametrize("path", ["mcp", "notes-mcp", "tasks-mcp"])
def test_each_server_has_metadata_of_its_own(harness: Harness, path: str) -> None:
    for below in ("", "/sse"):
        response = harness.send("GET", f"/.well-known/oauth-protected-resource/{path}{below}")
        assert response.json()["resource"] == f"{GATEWAY}/{path}{below}"
    assert harness.send("GET", f"/.well-known/oauth-protected-resource/{path}/elsewhere").status == 404


def test_a_server_without_an_event_stream_has_no_metadata_for_its_path(harness: Harness) -> None:
    response = harness.send("GET", "/.well-known/oauth-protected-resource/web-mcp")
    assert response.json()["resource"] == f"{GATEWAY}/web-mcp"
    assert harness.send("GET", "/.well-known/oauth-protected-resource/web-mcp/sse").status == 404


def test_consent_to_the_whole_gateway_names_every_server(harness: Harness) -> None:
    transaction = {
        "status": "pending",
        "keyVersion": 1,
        "expires": time.time() + 60,
        "registration": "dynamic",
        "clientName": "=x",
        "redirectUri": "https://app.example/cb",
        "state": "",
        "scope": "functions",
        "refresh": True,
    }
    resources = ("", "/mcp", "/notes-mcp", "/tasks-mcp", "/web-mcp")
    pages = []
    for path in resources:
        document = json.dumps(transaction | {"resource": GATEWAY + path})
        harness.network.answer = lambda _sent, document=document: reply(200, document)
        pages.append(harness.send("GET", "/consent", "transaction=x").body.decode())
    shown_scopes = [re.findall(r"<dt>([^<]*MCP server[^<]*)</dt><dd><ul>(.*?)</ul>", page) for page in pages]
    servers = ["Functions", "Notes", "Tasks", "Web"]
    items = [f"<li>{name}</li>" for name in servers]
    assert shown_scopes == [
        [("Every MCP server behind this gateway", "".join(items))],
        *([("MCP server", item)] for item in items),
    ]
    accounts = [re.findall(r"<dt>Acting as</dt><dd><ul>(.*?)</ul>", page)[0] for page in pages]
    assert accounts[1:3] == [
        "<li>You, at Functions</li>",
        "<li>A shared account at Notes, the same for everyone</li>",
    ]
    assert accounts[0].count("<li>") == 4


def test_an_api_that_an_operator_adds_is_forwarded() -> None:
    declared = _shared_harness()[0].gateway.service
    operation = Operation(id="get", name="get", method="GET", url_template="/items")
    added = Api(
        id="added",
        name="added",
        path="added",
        service_url="https://added.example/v1",
        operations=(operation,),
    )
    harness = Harness(replace(declared, apis=(*declared.apis, added)))
    assert harness.send("GET", "/added/items").body == b"from the backend"
    assert [sent.url for sent in harness.network.sent] == ["https://added.example/v1/items"]


def test_a_server_without_legacy_sessions_receives_no_query(harness: Harness) -> None:
    """The gateway reads no session from the query, so the query must not reach the server."""
    bearer = f"Bearer {token(f'{GATEWAY}/web-mcp')}"
    query = "sessionId=0123456789abcdef&=x"
    assert harness.send("POST", "/web-mcp", query, body=b"{}", Authorization=bearer).status == 202
    assert [sent.url.partition("?")[2] for sent in harness.network.sent if "/mcp" in sent.url] == [""]
    assert not [sent.url for sent in harness.network.sent if "/colls/sessions/" in sent.url]


def test_a_message_without_a_token_is_not_forwarded(harness: Harness) -> None:
    assert harness.send("POST", "/message", "sessionId=0123456789abcdef", body=b"{}").status == 401
    assert harness.send("OPTIONS", "/message").status == 204
    assert forwarded(harness) == []


FOR_FUNCTIONS = "azmcpcs=0123456789abcdef"
FOR_CONTAINERS = "sessionId=0123456789abcdef"


def challenged_path(answer: Response) -> str:
    """The path of the server whose metadata the challenge of a response names."""
    assert answer.status == 401
    match = re.search(
        r'resource_metadata="[^"]*/oauth-protected-resource([^"]*)"', answer.header("WWW-Authenticate") or ""
    )
    assert match
    return match[1]


@pytest.mark.parametrize("audience", ["/mcp", ""])
def test_e4a_the_query_parameter_azmcpcs_selects_the_functions_server(
    harness: Harness, audience: str
) -> None:
    bearer = f"Bearer {token(GATEWAY + audience)}"
    assert (
        harness.send("POST", "/message", f"{FOR_FUNCTIONS}&code=k", body=b"{}", Authorization=bearer).status
        == 202
    )
    assert [url for url in forwarded(harness) if "/colls/" not in url] == [
        f"https://functions.example/runtime/webhooks/mcp/message?{FOR_FUNCTIONS}"
    ]


@pytest.mark.parametrize(
    ("query", "audience", "path"),
    [
        (FOR_FUNCTIONS, "/notes-mcp", "/mcp/sse"),
        (FOR_FUNCTIONS, "/web-mcp", "/mcp/sse"),
        (FOR_CONTAINERS, "/mcp", "/notes-mcp/sse"),
        (FOR_CONTAINERS, "/web-mcp", "/notes-mcp/sse"),
        (f"{FOR_CONTAINERS}&{FOR_FUNCTIONS}", "/mcp", "/mcp/sse"),
        ("", "/web-mcp", "/mcp/sse"),
    ],
)
def test_e4a_a_token_for_another_server_is_refused_with_a_challenge_of_the_selected_server(
    harness: Harness, query: str, audience: str, path: str
) -> None:
    bearer = f"Bearer {token(GATEWAY + audience)}"
    answer = harness.send("POST", "/message", query, body=b"{}", Authorization=bearer)
    assert challenged_path(answer) == path
    assert 'error="invalid_token"' in (answer.header("WWW-Authenticate") or "")
    assert forwarded(harness) == []


@pytest.mark.parametrize("method", ["POST", "GET", "HEAD", "DELETE"])
@pytest.mark.parametrize(
    ("query", "path"), [(FOR_FUNCTIONS, "/mcp/sse"), (FOR_CONTAINERS, "/notes-mcp/sse"), ("", "/mcp/sse")]
)
def test_e4a_a_challenge_names_the_server_that_the_query_selects(
    harness: Harness, method: str, query: str, path: str
) -> None:
    assert challenged_path(harness.send(method, "/message", query)) == path


def test_e4a_without_a_parameter_the_audience_selects_the_server(harness: Harness) -> None:
    for path in ("/mcp", "/notes-mcp"):
        bearer = f"Bearer {token(GATEWAY + path)}"
        assert harness.send("POST", "/message", body=b"{}", Authorization=bearer).status == 202
    assert [url.partition("example")[0] for url in forwarded(harness)] == [
        "https://functions.",
        "https://notes.",
    ]


def test_e1_a_valid_token_with_another_method_results_in_405(harness: Harness) -> None:
    answer = harness.send(
        "PUT", "/message", FOR_CONTAINERS, Authorization=f"Bearer {token(f'{GATEWAY}/tasks-mcp')}"
    )
    assert (answer.status, answer.header("Allow")) == (405, "POST, OPTIONS")
