"""Audit records: each event leaves one, and nothing in them is a secret or content."""

from collections.abc import Callable, Mapping

import pytest

from apim.service import NamedValue
from apim.services import TraceTelemetry
from tests.policies.engine.stage import reply
from tests.policies.oauth.stand import OBJECT_ID, Stand, away, encoded, handle_of

CANARY = "canary-7f3e9a"
NOTHING = "-"
MEMBERS = {"event", "outcome", "error", "subject", "client", "server", "tool", "milliseconds", "requestId"}


@pytest.fixture
def stand() -> Stand:
    made = Stand.new()
    made.stage.gateway.services.telemetry.clear()
    return made


def records(stand: Stand) -> list[TraceTelemetry]:
    return list(stand.stage.gateway.services.telemetry)


def record(stand: Stand) -> Mapping[str, str]:
    """The only record since the last call."""
    (one,) = records(stand)
    stand.stage.gateway.services.telemetry.clear()
    assert (one.message, one.source, one.severity) == ("audit", "audit", "information")
    assert set(one.properties) == MEMBERS
    assert int(one.properties["milliseconds"]) >= 0
    return one.properties


def taken(stand: Stand, expected: tuple[str, ...]) -> Mapping[str, str]:
    """The only record since the last call, with these values."""
    one = record(stand)
    assert essence(one) == expected
    return one


def essence(properties: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(properties[name] for name in ("event", "outcome", "error", "subject", "server"))


def test_f7_a_sign_in_leaves_one_record_for_each_of_its_events(stand: Stand) -> None:
    stand.register()
    registered = taken(stand, ("registration", "success", NOTHING, NOTHING, NOTHING))

    page = stand.consent_page(handle_of(stand.authorize()))
    assert not records(stand)
    at_entra = stand.consent(page)
    consent = taken(stand, ("consent", "success", NOTHING, NOTHING, "mcp"))

    back = stand.callback(at_entra)
    sign_in = taken(stand, ("sign-in", "success", NOTHING, OBJECT_ID, "mcp"))

    code = (back.header("Location") or "").partition("code=")[2].partition("&")[0]
    tokens = stand.redeem(code).json()
    token = taken(stand, ("token", "success", NOTHING, OBJECT_ID, "mcp"))

    refreshed = stand.refresh(tokens["refresh_token"]).json()
    refresh = taken(stand, ("refresh", "success", NOTHING, OBJECT_ID, "mcp"))

    assert stand.call(refreshed["access_token"]).status == 200
    call = taken(stand, ("mcp-request", "success", NOTHING, OBJECT_ID, "mcp"))

    stand.revoke(refreshed["refresh_token"])
    revocation = taken(stand, ("revocation", "success", NOTHING, OBJECT_ID, "mcp"))

    assert stand.call(refreshed["access_token"]).status == 401
    assert essence(record(stand)) == ("mcp-request", "refused", "invalid_token", OBJECT_ID, "mcp")

    every = (registered, consent, sign_in, token, refresh, call, revocation)
    assert {one["client"] for one in every} == {stand.store.one("grants")["clientDocumentId"]}
    assert len({one["requestId"] for one in every}) == len(every)


def test_f7_a_consent_that_is_denied_leaves_a_record(stand: Stand) -> None:
    page = stand.consent_page(handle_of(stand.authorize()))
    stand.consent(page, "deny")
    assert essence(record(stand)) == ("consent", "refused", "access_denied", NOTHING, "mcp")


REFUSALS = [
    ("authorize-unknown-client", ("authorization", "refused", "unknown_client")),
    ("authorize-no-challenge", ("authorization", "refused", "invalid_request")),
    ("consent-expired", ("consent", "refused", "expired_transaction")),
    ("consent-store-away", ("consent", "failed", "temporarily_unavailable")),
    ("callback-expired", ("sign-in", "refused", "expired_transaction")),
    ("callback-refused", ("sign-in", "refused", "access_denied")),
    ("token-unknown", ("token", "refused", "invalid_grant")),
    ("authorize-too-often", ("authorization", "refused", "too_many_requests")),
    ("refresh-malformed", ("refresh", "refused", "invalid_grant")),
    ("register-malformed", ("registration", "refused", "invalid_redirect_uri")),
    ("revoke-unknown", ("revocation", "refused", "unknown_token")),
    ("call-without-token", ("mcp-request", "refused", "invalid_token")),
    ("call-from-page", ("mcp-request", "refused", "forbidden_origin")),
    ("call-of-no-operation", ("mcp-request", "refused", "invalid_token")),
]


def refused_callback(stand: Stand) -> None:
    at_entra = stand.at_entra()
    stand.stage.gateway.services.telemetry.clear()
    stand.entra = lambda: reply(400, '{"error":"invalid_grant"}')
    stand.callback(at_entra)


def consent_without_store(stand: Stand) -> None:
    stand.store.failing = dict.fromkeys(range(20), away)
    stand.consent_page("unknown")


def authorize_too_often(stand: Stand) -> None:
    for _ in range(60):
        stand.authorize(client_id=None)
    stand.stage.gateway.services.telemetry.clear()
    stand.authorize()


UNKNOWN_STATE = f"code=c&state={encoded(bytes(32))}.{encoded(bytes(32))}"
WAYS: dict[str, Callable[[Stand], object]] = {
    "authorize-unknown-client": lambda stand: stand.authorize(client_id="nobody"),
    "authorize-no-challenge": lambda stand: stand.authorize(code_challenge=None),
    "authorize-too-often": authorize_too_often,
    "consent-expired": lambda stand: stand.consent_page("unknown"),
    "consent-store-away": consent_without_store,
    "callback-expired": lambda stand: stand.get("/oauth-callback", UNKNOWN_STATE),
    "callback-refused": refused_callback,
    "token-unknown": lambda stand: stand.redeem(f"{encoded(bytes(16))}.{encoded(bytes(32))}"),
    "refresh-malformed": lambda stand: stand.refresh("malformed"),
    "register-malformed": lambda stand: stand.register(redirect_uris=["ftp://a"]),
    "revoke-unknown": lambda stand: stand.revoke("unknown"),
    "call-without-token": lambda stand: stand.stage.ask("POST", "/mcp", body=b"{}"),
    "call-from-page": lambda stand: stand.stage.ask(
        "POST", "/mcp", body=b"{}", Origin="https://elsewhere.example"
    ),
    "call-of-no-operation": lambda stand: stand.stage.ask("PUT", "/mcp", body=b"{}"),
}


@pytest.mark.parametrize(("way", "expected"), REFUSALS)
def test_f7_a_refusal_leaves_one_record_with_its_reason(
    stand: Stand, way: str, expected: tuple[str, str, str]
) -> None:
    WAYS[way](stand)
    assert essence(record(stand))[:3] == expected


@pytest.mark.parametrize(
    ("headers", "event", "tool"),
    [
        ({}, "mcp-request", NOTHING),
        ({"Mcp_Method": "tools/call", "Mcp_Name": "save_snippet"}, "tool-call", "save_snippet"),
        ({"Mcp_Method": "tools/call"}, "tool-call", NOTHING),
        ({"Mcp_Method": "tools/call", "Mcp_Name": "x" * 129}, "tool-call", "invalid"),
        ({"Mcp_Method": "tools/call", "Mcp_Name": "my secret is"}, "tool-call", "invalid"),
        ({"Mcp_Method": "resources/read", "Mcp_Name": "file:///home"}, "mcp-request", NOTHING),
    ],
)
def test_f7_a_tool_is_known_from_the_headers_without_reading_the_body(
    stand: Stand, headers: dict[str, str], event: str, tool: str
) -> None:
    token = stand.token()
    stand.stage.gateway.services.telemetry.clear()
    stand.stage.ask("POST", "/mcp", body=b"{}", Authorization=f"Bearer {token}", **headers)
    one = record(stand)
    assert (one["event"], one["tool"]) == (event, tool)


@pytest.mark.parametrize(
    ("status", "outcome", "error"),
    [
        (200, "success", "-"),
        (202, "success", "-"),
        (404, "failed", "http_404"),
        (500, "failed", "server_error"),
    ],
)
def test_f7_a_call_records_what_the_server_answered(
    stand: Stand, status: int, outcome: str, error: str
) -> None:
    token = stand.token()
    stand.stage.gateway.services.telemetry.clear()
    stand.served = lambda: reply(status, "{}")
    stand.call(token)
    one = record(stand)
    assert (one["outcome"], one["error"]) == (outcome, error)


def test_f7_a_record_belongs_to_the_trace_that_the_client_began(stand: Stand) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    stand.stage.ask("POST", "/mcp", body=b"{}", traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    assert [one.operation_id for one in records(stand)] == [trace]


def test_f7_metadata_and_preflights_leave_no_record(stand: Stand) -> None:
    for path in ("oauth-authorization-server", "openid-configuration", "oauth-protected-resource/unknown"):
        stand.get(f"/.well-known/{path}", "")
    stand.stage.ask("OPTIONS", "/token", Origin="https://a.example", Access_Control_Request_Method="POST")
    stand.stage.ask("OPTIONS", "/mcp", Origin="https://gateway.example", Access_Control_Request_Method="POST")
    assert not records(stand)


def test_f7_no_record_has_a_secret_or_content(stand: Stand) -> None:
    """Canaries in everything that a client or a browser sends, next to all that a sign-in makes."""
    stand.register(client_name=f"App {CANARY}", software_id=CANARY)
    started = stand.authorize(state=CANARY, scope=f"functions {CANARY}", login_hint=CANARY)
    page = stand.consent_page(handle_of(started))
    at_entra = stand.consent(page)
    back = stand.callback(at_entra, code=CANARY)
    code = (back.header("Location") or "").partition("code=")[2].partition("&")[0]
    cookies = dict(stand.cookies)
    tokens = stand.redeem(code).json()
    refreshed = stand.refresh(tokens["refresh_token"]).json()
    stand.stage.ask(
        "POST",
        "/mcp",
        f"q={CANARY}",
        body=CANARY.encode(),
        Authorization=f"Bearer {refreshed['access_token']}",
        Cookie=f"a={CANARY}",
        Mcp_Session_Id=CANARY,
        User_Agent=CANARY,
    )
    stand.stage.ask("POST", "/mcp", body=b"{}", Authorization=f"Bearer {CANARY}")
    stand.stage.ask("POST", "/mcp", f"access_token={CANARY}", body=b"{}")
    stand.revoke(refreshed["refresh_token"])
    stand.redeem(CANARY, client_id=CANARY, code_verifier=CANARY)
    stand.refresh(CANARY)
    written = "\n".join(f"{name}={value}" for one in records(stand) for name, value in one.properties.items())
    assert len(records(stand)) == 11
    secrets = [CANARY, code, *cookies.values(), *tokens.values(), *refreshed.values(), stand.client_id]
    secrets += [handle_of(started), "ada@twin.example", *(value.value for value in secret_values(stand))]
    secrets += [
        part for value in (code, tokens["refresh_token"]) for part in value.split(".") if len(part) > 9
    ]
    assert not [secret for secret in secrets if len(str(secret)) > 9 and str(secret) in written]


def secret_values(stand: Stand) -> list[NamedValue]:
    return [value for value in stand.stage.gateway.service.named_values if value.secret]
