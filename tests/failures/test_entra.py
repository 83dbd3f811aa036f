"""The errors that a client receives when Entra does not complete a sign-in (docs/authorization.md, C7)."""

from urllib.parse import urlencode

import pytest

from tests.e2e.client import parameters_of
from tests.policies.oauth.flow import GATEWAY, Failing, Flow, status, unreachable

RESPONSES: dict[str, tuple[Failing, str]] = {
    "no connection": (unreachable, "temporarily_unavailable"),
    "500": (status(500, "<html>"), "temporarily_unavailable"),
    "503": (status(503), "temporarily_unavailable"),
    "429": (status(429), "temporarily_unavailable"),
    "invalid_grant": (status(400, '{"error": "invalid_grant"}'), "access_denied"),
    "invalid_client": (status(401, '{"error": "invalid_client"}'), "server_error"),
    "HTML with 400": (status(400, "<html>"), "server_error"),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_c7_a_failure_of_entras_token_endpoint_becomes_an_oauth_error(name: str) -> None:
    flow = Flow.new()
    at_entra = flow.at_entra()
    flow.entra, error = RESPONSES[name]
    parameters = parameters_of(flow.callback(at_entra).header("Location") or "")
    assert parameters.pop("error_description")
    assert parameters == {"error": error, "state": "s", "iss": GATEWAY}
    assert list(flow.store.of("grants")) == []


@pytest.mark.parametrize(
    ("response", "error"),
    [
        ({"error": "access_denied"}, "access_denied"),
        ({"error": "temporarily_unavailable"}, "temporarily_unavailable"),
        ({"error": "unknown_error"}, "server_error"),
        ({}, "server_error"),
        ({"code": ""}, "server_error"),
    ],
    ids=str,
)
def test_c7_an_authorization_response_of_entra_without_a_code_becomes_an_oauth_error(
    response: dict[str, str], error: str
) -> None:
    """The gateway sends no request to Entra's token endpoint in this case."""
    flow = Flow.new()
    state = parameters_of(flow.at_entra().header("Location") or "")["state"]
    flow.entra_request = {}
    answer = flow.get("/oauth-callback", urlencode(response | {"state": state}))
    assert parameters_of(answer.header("Location") or "")["error"] == error
    assert flow.entra_request == {}
