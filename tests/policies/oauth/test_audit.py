"""Audit records: each event creates a single record, without secrets or content."""

from collections.abc import Callable, Mapping

import pytest

from apim.service import NamedValue
from apim.services import TraceTelemetry
from tests.policies.engine.harness import reply
from tests.policies.oauth.flow import OBJECT_ID, Flow, encoded, handle_of, unreachable

CANARY = "canary-7f3e9a"
NO_VALUE = "-"
MEMBERS = {
    "event",
    "outcome",
    "error",
    "subject",
    "client",
    "server",
    "tool",
    "toolSource",
    "milliseconds",
    "requestId",
}
MODERN = {"MCP_Protocol_Version": "2026-07-28"}


@pytest.fixture
def flow() -> Flow:
    flow = Flow.new()
    flow.harness.gateway.services.telemetry.clear()
    return flow


def records(flow: Flow) -> list[TraceTelemetry]:
    return list(flow.harness.gateway.services.telemetry)


def record(flow: Flow) -> Mapping[str, str]:
    """The only record since the last call."""
    (audit_record,) = records(flow)
    flow.harness.gateway.services.telemetry.clear()
    assert (audit_record.message, audit_record.source, audit_record.severity) == (
        "audit",
        "audit",
        "information",
    )
    assert set(audit_record.properties) == MEMBERS
    assert int(audit_record.properties["milliseconds"]) >= 0
    return audit_record.properties


def record_with(flow: Flow, expected: tuple[str, ...]) -> Mapping[str, str]:
    """The only record since the last call, which must have this summary."""
    audit_record = record(flow)
    assert summary(audit_record) == expected
    return audit_record


def summary(properties: Mapping[str, str]) -> tuple[str, ...]:
    """The event, the outcome, the error, the subject and the server of a record."""
    return tuple(properties[name] for name in ("event", "outcome", "error", "subject", "server"))


def test_f7_each_event_of_a_sign_in_creates_one_record(flow: Flow) -> None:
    flow.register()
    registered = record_with(flow, ("registration", "success", NO_VALUE, NO_VALUE, NO_VALUE))

    page = flow.consent_page(handle_of(flow.authorize()))
    assert not records(flow)
    at_entra = flow.consent(page)
    consent = record_with(flow, ("consent", "success", NO_VALUE, NO_VALUE, "mcp"))

    back = flow.callback(at_entra)
    sign_in = record_with(flow, ("sign-in", "success", NO_VALUE, OBJECT_ID, "mcp"))

    code = (back.header("Location") or "").partition("code=")[2].partition("&")[0]
    tokens = flow.redeem(code).json()
    token = record_with(flow, ("token", "success", NO_VALUE, OBJECT_ID, "mcp"))

    refreshed = flow.refresh(tokens["refresh_token"]).json()
    refresh = record_with(flow, ("refresh", "success", NO_VALUE, OBJECT_ID, "mcp"))

    assert flow.call(refreshed["access_token"]).status == 200
    call = record_with(flow, ("mcp-request", "success", NO_VALUE, OBJECT_ID, "mcp"))

    flow.revoke(refreshed["refresh_token"])
    revocation = record_with(flow, ("revocation", "success", NO_VALUE, OBJECT_ID, "mcp"))

    assert flow.call(refreshed["access_token"]).status == 401
    assert summary(record(flow)) == ("mcp-request", "refused", "invalid_token", OBJECT_ID, "mcp")

    all_records = (registered, consent, sign_in, token, refresh, call, revocation)
    assert {audit_record["client"] for audit_record in all_records} == {
        flow.store.one("grants")["clientDocumentId"]
    }
    assert len({audit_record["requestId"] for audit_record in all_records}) == len(all_records)


def test_f7_a_denied_consent_creates_a_record(flow: Flow) -> None:
    page = flow.consent_page(handle_of(flow.authorize()))
    flow.consent(page, "deny")
    assert summary(record(flow)) == ("consent", "refused", "access_denied", NO_VALUE, "mcp")


REFUSALS = [
    ("authorize-unknown-client", ("authorization", "refused", "unknown_client")),
    ("authorize-no-challenge", ("authorization", "refused", "invalid_request")),
    ("consent-expired", ("consent", "refused", "expired_transaction")),
    ("consent-store-unreachable", ("consent", "failed", "temporarily_unavailable")),
    ("callback-expired", ("sign-in", "refused", "expired_transaction")),
    ("callback-refused", ("sign-in", "refused", "access_denied")),
    ("token-unknown", ("token", "refused", "invalid_grant")),
    ("authorize-rate-limited", ("authorization", "refused", "too_many_requests")),
    ("token-rate-limited", ("token", "refused", "too_many_requests")),
    ("refresh-malformed", ("refresh", "refused", "invalid_grant")),
    ("register-malformed", ("registration", "refused", "invalid_redirect_uri")),
    ("revoke-unknown", ("revocation", "refused", "unknown_token")),
    ("call-without-token", ("mcp-request", "refused", "invalid_token")),
    ("call-from-foreign-origin", ("mcp-request", "refused", "forbidden_origin")),
    ("call-with-undefined-method", ("mcp-request", "refused", "invalid_token")),
]


def refused_callback(flow: Flow) -> None:
    at_entra = flow.at_entra()
    flow.harness.gateway.services.telemetry.clear()
    flow.entra = lambda: reply(400, '{"error":"invalid_grant"}')
    flow.callback(at_entra)


def consent_without_store(flow: Flow) -> None:
    flow.store.failing = dict.fromkeys(range(20), unreachable)
    flow.consent_page("unknown")


def authorize_too_often(flow: Flow) -> None:
    for _ in range(60):
        flow.authorize(client_id=None)
    flow.harness.gateway.services.telemetry.clear()
    flow.authorize()


def redeem_too_often(flow: Flow) -> None:
    flow.harness.gateway.services.counters.add("token|203.0.113.7", 600)
    flow.redeem("unknown")


UNKNOWN_STATE = f"code=c&state={encoded(bytes(32))}.{encoded(bytes(32))}"
REQUESTS: dict[str, Callable[[Flow], object]] = {
    "authorize-unknown-client": lambda flow: flow.authorize(client_id="unknown"),
    "authorize-no-challenge": lambda flow: flow.authorize(code_challenge=None),
    "authorize-rate-limited": authorize_too_often,
    "consent-expired": lambda flow: flow.consent_page("unknown"),
    "consent-store-unreachable": consent_without_store,
    "callback-expired": lambda flow: flow.get("/oauth-callback", UNKNOWN_STATE),
    "callback-refused": refused_callback,
    "token-rate-limited": redeem_too_often,
    "token-unknown": lambda flow: flow.redeem(f"{encoded(bytes(16))}.{encoded(bytes(32))}"),
    "refresh-malformed": lambda flow: flow.refresh("malformed"),
    "register-malformed": lambda flow: flow.register(redirect_uris=["ftp://a"]),
    "revoke-unknown": lambda flow: flow.revoke("unknown"),
    "call-without-token": lambda flow: flow.harness.send("POST", "/mcp", body=b"{}"),
    "call-from-foreign-origin": lambda flow: flow.harness.send(
        "POST", "/mcp", body=b"{}", Origin="https://elsewhere.example"
    ),
    "call-with-undefined-method": lambda flow: flow.harness.send("PUT", "/mcp", body=b"{}"),
}


@pytest.mark.parametrize(("name", "expected"), REFUSALS)
def test_f7_a_refusal_creates_one_record_with_its_reason(
    flow: Flow, name: str, expected: tuple[str, str, str]
) -> None:
    REQUESTS[name](flow)
    assert summary(record(flow))[:3] == expected


@pytest.mark.parametrize(
    ("headers", "event", "tool"),
    [
        ({}, "mcp-request", NO_VALUE),
        ({"Mcp_Method": "tools/call", "Mcp_Name": "save_snippet"}, "tool-call", "save_snippet"),
        ({"Mcp_Method": "tools/call"}, "tool-call", "unknown"),
        ({"Mcp_Method": "tools/call", "Mcp_Name": "x" * 129}, "tool-call", "invalid"),
        ({"Mcp_Method": "tools/call", "Mcp_Name": "my secret is"}, "tool-call", "invalid"),
        ({"Mcp_Method": "resources/read", "Mcp_Name": "file:///home"}, "mcp-request", NO_VALUE),
    ],
)
def test_f7_the_tool_is_read_from_the_headers_and_the_body_is_not_read(
    flow: Flow, headers: dict[str, str], event: str, tool: str
) -> None:
    token = flow.token()
    flow.harness.gateway.services.telemetry.clear()
    headers = MODERN | headers
    flow.harness.send("POST", "/mcp", body=b"{}", Authorization=f"Bearer {token}", **headers)
    audit_record = record(flow)
    source = NO_VALUE if tool == NO_VALUE else "header"
    assert (audit_record["event"], audit_record["tool"], audit_record["toolSource"]) == (event, tool, source)


@pytest.mark.parametrize(
    "version", [None, "2025-11-25", "2026-07-27", "2026-07-28, 2026-07-28", "2027", "2026-07-28 ", "draft"]
)
def test_f7_headers_of_an_older_version_do_not_name_a_tool(flow: Flow, version: str | None) -> None:
    """Servers need not compare these headers with the body before MCP 2026-07-28."""
    token = flow.token()
    flow.harness.gateway.services.telemetry.clear()
    headers = {"Mcp_Method": "tools/call", "Mcp_Name": "harmless"}
    if version is not None:
        headers["MCP_Protocol_Version"] = version
    flow.harness.send("POST", "/mcp", body=b"{}", Authorization=f"Bearer {token}", **headers)
    audit_record = record(flow)
    assert [audit_record[name] for name in ("event", "tool", "toolSource")] == ["mcp-request", "-", "-"]


@pytest.mark.parametrize(
    ("status", "outcome", "error"),
    [
        (200, "success", "-"),
        (202, "success", "-"),
        (400, "failed", "http_400"),
        (404, "failed", "http_404"),
        (500, "failed", "server_error"),
    ],
)
def test_f7_the_record_of_a_call_has_the_outcome_of_the_servers_response(
    flow: Flow, status: int, outcome: str, error: str
) -> None:
    token = flow.token()
    flow.harness.gateway.services.telemetry.clear()
    flow.served = lambda: reply(status, "{}")
    flow.call(token)
    audit_record = record(flow)
    assert (audit_record["outcome"], audit_record["error"]) == (outcome, error)


def test_f7_a_record_has_the_trace_id_that_the_client_sends(flow: Flow) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    flow.harness.send("POST", "/mcp", body=b"{}", traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    assert [audit_record.operation_id for audit_record in records(flow)] == [trace]


def test_f7_metadata_and_preflights_create_no_record(flow: Flow) -> None:
    for path in ("oauth-authorization-server", "openid-configuration", "oauth-protected-resource/unknown"):
        flow.get(f"/.well-known/{path}", "")
    flow.harness.send("OPTIONS", "/token", Origin="https://a.example", Access_Control_Request_Method="POST")
    flow.harness.send(
        "OPTIONS", "/mcp", Origin="https://gateway.example", Access_Control_Request_Method="POST"
    )
    assert not records(flow)


def test_f7_no_record_has_a_secret_or_content(flow: Flow) -> None:
    """No record contains the canary, which is in the values that a client or a browser sends, or any secret
    value that a sign-in creates."""
    flow.register(client_name=f"App {CANARY}", software_id=CANARY)
    started = flow.authorize(state=CANARY, scope=f"functions {CANARY}", login_hint=CANARY)
    page = flow.consent_page(handle_of(started))
    at_entra = flow.consent(page)
    back = flow.callback(at_entra, code=CANARY)
    code = (back.header("Location") or "").partition("code=")[2].partition("&")[0]
    cookies = dict(flow.cookies)
    tokens = flow.redeem(code).json()
    refreshed = flow.refresh(tokens["refresh_token"]).json()
    flow.harness.send(
        "POST",
        "/mcp",
        f"q={CANARY}",
        body=CANARY.encode(),
        Authorization=f"Bearer {refreshed['access_token']}",
        Cookie=f"a={CANARY}",
        Mcp_Session_Id=CANARY,
        User_Agent=CANARY,
    )
    flow.harness.send("POST", "/mcp", body=b"{}", Authorization=f"Bearer {CANARY}")
    flow.harness.send("POST", "/mcp", f"access_token={CANARY}", body=b"{}")
    flow.revoke(refreshed["refresh_token"])
    flow.redeem(CANARY, client_id=CANARY, code_verifier=CANARY)
    flow.refresh(CANARY)
    written = "\n".join(
        f"{name}={value}" for audit_record in records(flow) for name, value in audit_record.properties.items()
    )
    assert len(records(flow)) == 11
    secrets = [CANARY, code, *cookies.values(), *tokens.values(), *refreshed.values(), flow.client_id]
    secrets += [handle_of(started), "ada@twin.example", *(value.value for value in secret_values(flow))]
    secrets += [
        part for value in (code, tokens["refresh_token"]) for part in value.split(".") if len(part) > 9
    ]
    assert not [secret for secret in secrets if len(str(secret)) > 9 and str(secret) in written]


def secret_values(flow: Flow) -> list[NamedValue]:
    return [value for value in flow.harness.gateway.service.named_values if value.secret]
