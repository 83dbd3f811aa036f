"""Responses of MCP paths through the whole twin (docs/authorization.md, E)."""

import secrets

import httpx
import pytest

from tests.e2e.client import Client, parameters_of, refusal_of
from tests.e2e.conftest import CALLS_PER_MINUTE, RunningTwin
from tests.e2e.person import Person


def forged(token: str, part: int) -> str:
    """The token with one character of one part changed."""
    parts = token.split(".")
    parts[part] = ("A" if parts[part][0] != "A" else "B") + parts[part][1:]
    return ".".join(parts)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/mcp"),
        ("GET", "/mcp/"),
        ("DELETE", "/mcp"),
        ("HEAD", "/mcp"),
        ("PUT", "/mcp/sse"),
        ("GET", "/mcp/sse"),
        ("HEAD", "/mcp/sse"),
        ("POST", "/mcp/sse/"),
        ("POST", "/mcp/message"),
        ("PROPFIND", "/mcp/message"),
    ],
)
def test_e1_the_challenge_without_a_token_has_the_resource_metadata(
    twin: RunningTwin, method: str, path: str
) -> None:
    answer = httpx.request(method, f"{twin.gateway}{path}")
    assert answer.status_code == 401
    document = f"{twin.gateway}/.well-known/oauth-protected-resource{path.replace('message', 'sse')}"
    assert answer.headers["www-authenticate"] == f'Bearer resource_metadata="{document}", scope="functions"'
    metadata = httpx.get(document).json()
    assert metadata["resource"] == twin.gateway + path.replace("message", "sse")
    assert answer.headers["cache-control"] == "no-store"
    assert twin.received("functions") == []


def test_e1_every_bad_token_gets_the_same_response(twin: RunningTwin, client: Client, token: str) -> None:
    bad = [
        "x",
        ".",
        "a.b.c",
        "a..b.c.d",
        token[:-1],
        token + "A",
        token.partition(".")[0] + "....",
        "x" * 5000,
    ]
    bad += [forged(token, part) for part in (0, 2, 3, 4)]
    answers = [client.call(value) for value in bad]
    twin.advance_clock(601)
    answers.append(client.call(token))
    seen = {(answer.status_code, answer.headers["www-authenticate"], answer.content) for answer in answers}
    assert len(seen) == 1
    ((status, challenge, _),) = seen
    assert status == 401
    assert challenge.startswith('Bearer error="invalid_token", resource_metadata=')
    assert twin.received("functions") == []


def test_e1_a_token_with_another_scheme_is_answered_like_any_bad_token(client: Client, token: str) -> None:
    bad = client.call("x")
    for scheme in ("Basic", "Token", "bearer,"):
        answer = client.call(None, headers={"Authorization": f"{scheme} {token}"})
        assert (answer.status_code, answer.content) == (401, bad.content)
        assert answer.headers["www-authenticate"] == bad.headers["www-authenticate"]


def test_e1_a_token_in_the_query_is_refused(twin: RunningTwin, client: Client, token: str) -> None:
    assert client.call(None, params={"access_token": token}).status_code == 401
    assert client.call(token, params={"access_token": token}).status_code == 401
    assert twin.received("functions") == []


def test_a_token_for_the_whole_gateway_is_valid_for_the_server(client: Client, ada: Person) -> None:
    code = parameters_of(ada.sign_in(client.authorize_url(resource=None)))["code"]
    token = client.redeem(code, resource=None).json()["access_token"]
    assert client.call(token).status_code == 200


def test_e2_a_foreign_origin_is_rejected_before_the_token_is_checked(
    twin: RunningTwin, client: Client, token: str
) -> None:
    answer = client.call(token, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert twin.received("functions") == []


@pytest.mark.parametrize("origin", ["http://localhost:6274", "http://127.0.0.1:5173"])
def test_e2_a_local_browser_app_is_admitted_at_a_local_stack(client: Client, token: str, origin: str) -> None:
    answer = client.call(token, headers={"Origin": origin})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["vary"] == "Origin"


def test_a4_a_browser_app_can_read_the_headers_that_it_needs(client: Client, token: str) -> None:
    for answer in (client.call(None), client.call("x"), client.call(token)):
        readable = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
        assert {"WWW-Authenticate", "Mcp-Session-Id", "MCP-Protocol-Version"} <= readable


def test_e3_only_listed_headers_reach_the_server(twin: RunningTwin, client: Client, token: str) -> None:
    unwanted = {
        "Cookie": "a=b",
        "X-Atlassian-Jira-Url": "https://evil.example",
        "x-functions-key": "k",
        "X-Forwarded-For": "1.2.3.4",
        "Forwarded": "for=1.2.3.4",
        "X-MS-CLIENT-PRINCIPAL-ID": "admin",
        "X-Custom": "x",
        "X-Mcp-Anything": "x",
        "Proxy-Mcp-Thing": "x",
    }
    kept = {
        "Mcp-Session-Id": secrets.token_hex(8),
        "MCP-Protocol-Version": "2025-06-18",
        "Last-Event-ID": "7",
    }
    headers = {"Mcp-Session-Id": kept["Mcp-Session-Id"]}
    twin.fault("functions", status=200, times=1, headers=headers, body="{}")
    client.call(token, method="initialize")
    client.call(token, headers=unwanted | kept)
    (_, request) = twin.received("functions")
    arrived = {name.lower(): value for name, value in request["headers"]}
    assert not {name.lower() for name in unwanted} & set(arrived)
    for name, value in kept.items():
        assert value in str(arrived[name.lower()])
    assert token not in str(request)


def test_e3_more_headers_than_can_be_checked_are_refused(
    twin: RunningTwin, client: Client, token: str
) -> None:
    answer = client.call(token, headers={f"X-Custom-{number}": "x" for number in range(60)})
    assert answer.status_code == 431
    assert twin.received("functions") == []


def test_e3_thirty_unlisted_headers_are_all_dropped(twin: RunningTwin, client: Client, token: str) -> None:
    assert client.call(token, headers={f"X-Custom-{number}": "x" for number in range(30)}).status_code == 200
    (request,) = twin.received("functions")
    assert "x-custom" not in str(request).lower()


def test_e8_responses_do_not_name_the_backend(client: Client, token: str) -> None:
    answer = client.call(token)
    shown = str(dict(answer.headers)).lower() + answer.text.lower()
    assert "azurewebsites" not in shown
    assert "x-powered-by" not in shown


def test_e3_response_headers_for_browsers_or_about_the_server_are_removed(
    twin: RunningTwin, client: Client, token: str
) -> None:
    sent_headers = {
        "Set-Cookie": "session=1; Path=/",
        "Location": "https://func.azurewebsites.net/elsewhere",
        "Server": "Kestrel",
        "X-Powered-By": "ASP.NET",
        "WWW-Authenticate": "Basic realm=elsewhere",
        "Request-Context": "appId=cid-v1:1",
        "X-MS-Middleware-Request-Id": "1",
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Allow-Methods": "PUT",
        "Access-Control-Allow-Headers": "x-evil",
        "Access-Control-Allow-Origin": "https://evil.example",
        "Link": "<https://func.azurewebsites.net/>; rel=next",
        "Via": "1.1 func.azurewebsites.net",
        "Refresh": "0; url=https://func.azurewebsites.net/",
        "Content-Location": "https://func.azurewebsites.net/",
        "Clear-Site-Data": '"*"',
        "X-Mcp-Other": "x",
        "Content-Type": "application/json",
        "Mcp-Session-Id": secrets.token_hex(8),
    }
    twin.fault("functions", status=200, times=1, headers=sent_headers, body="{}")
    received_headers = client.call(token).headers
    assert (received_headers["mcp-session-id"], received_headers["content-type"]) == (
        sent_headers["Mcp-Session-Id"],
        "application/json",
    )
    kept = {"mcp-session-id", "content-type"}
    assert [
        name
        for name, value in sent_headers.items()
        if received_headers.get(name) == value and name.lower() not in kept
    ] == []
    assert "set-cookie" not in received_headers


def test_e6_json_rpc_errors_pass_unchanged(client: Client, token: str) -> None:
    answer = client.http.post(
        client.resource,
        content=b"null",
        headers={
            "Authorization": f"Bearer {token}",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
        },
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == -32000


@pytest.mark.parametrize(
    "path", ["/mcp/nothing", "/mcp/../token", "/mcpx", "/runtime/webhooks/mcp", "/nothing"]
)
def test_other_paths_do_not_exist(twin: RunningTwin, token: str, path: str) -> None:
    answer = httpx.get(
        httpx.URL(twin.gateway).copy_with(raw_path=path.encode()),
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code in (404, 405)
    assert twin.received("functions") == []


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"error": True}, 502),
        ({"status": 401}, 502),
        ({"status": 403}, 502),
        ({"status": 500}, 502),
        ({"status": 302}, 502),
        ({"status": 503}, 503),
    ],
)
def test_e8_a_failing_server_causes_another_status_than_a_bad_token(
    twin: RunningTwin, client: Client, token: str, fault: dict[str, object], status: int
) -> None:
    client.call(token)
    sent_headers = {
        "Location": "https://func.azurewebsites.net/",
        "X-AspNet-Version": "4",
        "Content-Type": "text/plain",
    }
    body = "System.Exception at func.azurewebsites.net"
    twin.fault("functions", times=1, **({"headers": sent_headers, "body": body} | fault))
    answer = client.call(token, headers={"Origin": "http://localhost:6274"})
    assert answer.status_code == status
    assert "www-authenticate" not in answer.headers
    assert refusal_of(answer.json()) in ("server_error", "temporarily_unavailable")
    assert set(answer.json()["error"]["message"].split()) & {"MCP", "gateway"}
    assert "azurewebsites" not in answer.text + str(answer.headers)
    assert "x-aspnet-version" not in answer.headers
    assert answer.headers["access-control-allow-origin"] == "http://localhost:6274"


def test_e3_a_response_with_too_many_headers_is_an_error(
    twin: RunningTwin, client: Client, token: str
) -> None:
    sent_headers = {f"X-{number}": "x" for number in range(45)} | {"Set-Cookie": "a=b"}
    twin.fault("functions", status=200, times=1, headers=sent_headers, body="{}")
    answer = client.call(token)
    assert answer.status_code == 502
    assert "set-cookie" not in answer.headers
    assert [name for name in answer.headers if name.startswith("x-")] == ["x-content-type-options"]


def test_e8_the_gateways_error_response_is_always_the_same(
    twin: RunningTwin, client: Client, token: str
) -> None:
    error_body = (
        b'{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"The gateway could not answer. '
        b'Try again later.","data":{"error":"server_error"}}}'
    )
    twin.fault("functions", times=1, error=True)
    assert client.call(token).content == error_body
    twin.clear_cache()
    twin.fault("cosmos", times=1, status=200, body="<html>cosmos-x.documents.azure.com</html>")
    answer = client.call(token)
    assert (answer.status_code, answer.content) == (500, error_body)


def test_e3_retry_after_of_a_busy_server_is_passed_on(twin: RunningTwin, client: Client, token: str) -> None:
    for sent, returned in (("17", "17"), ("soon", "5"), ("-1", "5")):
        twin.fault("functions", times=1, status=503, headers={"Retry-After": sent}, body="func-x is busy")
        answer = client.call(token)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, returned)
        assert "func-x" not in answer.text


def test_e3_only_the_session_id_of_the_query_reaches_the_server(
    twin: RunningTwin, client: Client, token: str
) -> None:
    client.call(token, params={"code": "k", "clientId": "x"})
    client.call(
        token,
        url=f"{client.resource}/message",
        params={"code": "k", "azmcpcs": secrets.token_hex(8), "sessionId": "y"},
    )
    first, second = (request["url"].partition("?")[2] for request in twin.received("functions"))
    assert (first, second) == ("", "azmcpcs=***")


def test_d7_an_unchecked_token_is_not_accepted_without_the_store(
    twin: RunningTwin, client: Client, token: str
) -> None:
    twin.fault("cosmos", status=503, times=1)
    answer = client.call(token)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["cache-control"] == "no-store"
    assert client.call(token).status_code == 200


def test_e7_the_number_of_calls_of_one_user_is_limited(twin: RunningTwin, client: Client, token: str) -> None:
    """The limit of this twin is CALLS_PER_MINUTE."""
    code = parameters_of(twin.person("Grace Hopper").sign_in(client.authorize_url()))["code"]
    token_of_grace = client.redeem(code).json()["access_token"]
    answers = [client.call(token, method="ping") for _ in range(CALLS_PER_MINUTE + 5)]
    assert {answer.status_code for answer in answers[: CALLS_PER_MINUTE - 10]} == {200}
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    assert answers[-1].headers["access-control-allow-origin"] == twin.gateway
    assert "Retry-After" in answers[-1].headers["access-control-expose-headers"]
    assert client.call(token_of_grace, method="ping").status_code == 200
