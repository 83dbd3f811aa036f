"""The policy cors: preflights and cross-origin requests."""

from typing import Any

import pytest

from apim.service import Operation
from tests.policies.engine.harness import harness_with, policies

CORS = (
    '<cors allow-credentials="{credentials}" terminate-unmatched-request="{terminate}"><allowed-origins>'
    "<origin>{origin}</origin></allowed-origins>"
    '<allowed-methods preflight-result-max-age="600"><method>POST</method>'
    "<method>GET</method></allowed-methods>"
    "<allowed-headers><header>Authorization</header></allowed-headers>"
    "<expose-headers><header>X-Out</header></expose-headers></cors>"
)


def cors(origin: str = "https://app.example", credentials: str = "false", terminate: str = "true") -> str:
    return CORS.format(origin=origin, credentials=credentials, terminate=terminate)


def preflight(**headers: str) -> dict[str, Any]:
    return {"Origin": "https://app.example", "Access_Control_Request_Method": "POST"} | headers


def test_a_preflight_needs_no_options_operation_and_runs_no_other_policies() -> None:
    harness = harness_with(
        policies(cors() + '<return-response><set-status code="401" reason="No" /></return-response>')
    )
    answer = harness.send("OPTIONS", **preflight(Access_Control_Request_Headers="authorization"))
    assert (answer.status, answer.body, harness.network.sent) == (200, b"", [])
    assert answer.header("Access-Control-Allow-Origin") == "https://app.example"
    assert answer.header("Access-Control-Allow-Methods") == "POST"
    assert answer.header("Access-Control-Allow-Headers") == "authorization"
    assert answer.header("Access-Control-Max-Age") == "600"
    assert answer.header("Vary") == "Origin"


@pytest.mark.parametrize(
    "headers",
    [
        preflight(Origin="https://evil.example"),
        preflight(Access_Control_Request_Headers="x-other"),
    ],
)
def test_a_preflight_that_is_not_allowed_gets_an_empty_200(headers: dict[str, Any]) -> None:
    answer = harness_with(policies(cors())).send("OPTIONS", **headers)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("Access-Control-Allow-Origin") is None


def test_options_without_cors_or_without_an_operation_for_the_method_results_in_404() -> None:
    assert harness_with().send("OPTIONS", **preflight()).status == 404
    harness = harness_with(policies(cors()))
    assert harness.send("OPTIONS", **preflight(Access_Control_Request_Method="DELETE")).status == 404
    assert harness.send("OPTIONS").status == 404


def test_an_api_with_an_operation_for_options_runs_all_policies_for_a_preflight() -> None:
    operations = (
        Operation(id="o", name="o", method="OPTIONS", url_template="/items"),
        Operation(id="p", name="p", method="POST", url_template="/items"),
    )
    harness = harness_with(
        api=policies('<set-variable name="a" value="1" />' + cors()), operations=operations
    )
    assert (
        harness.send("OPTIONS", **preflight()).header("Access-Control-Allow-Origin") == "https://app.example"
    )
    assert harness.send("OPTIONS").body == b"from the backend"


def test_a_response_of_return_response_has_the_cors_headers_under_one_reading() -> None:
    harness = harness_with(
        policies(cors() + '<return-response><set-status code="401" reason="No" /></return-response>'),
        reading="cors-return-response=added",
    )
    answer = harness.send("POST", body=b"", Origin="https://app.example")
    assert answer.status == 401
    assert answer.header("Access-Control-Allow-Origin") == "https://app.example"
    assert answer.header("Access-Control-Expose-Headers") == "X-Out"


def test_a_foreign_origin_gets_an_empty_response_to_get_and_no_cors_headers_to_post() -> None:
    harness = harness_with(policies(cors()))
    response = harness.send("GET", Origin="https://evil.example")
    assert (response.status, response.body, harness.network.sent) == (200, b"", [])
    posted = harness.send("POST", body=b"x", Origin="https://evil.example")
    assert (posted.body, posted.header("Access-Control-Allow-Origin")) == (b"from the backend", None)
    lenient = harness_with(policies(cors(terminate="false")))
    assert lenient.send("GET", Origin="https://evil.example").body == b"from the backend"


def test_a_policy_for_any_origin_sends_a_star_or_the_origin_if_credentials_are_allowed() -> None:
    star = harness_with(policies(cors("*"))).send(Origin="https://app.example")
    credentials = harness_with(policies(cors("*", "true"))).send(Origin="https://app.example")
    assert (star.header("Access-Control-Allow-Origin"), star.header("Vary")) == ("*", None)
    assert credentials.header("Access-Control-Allow-Origin") == "https://app.example"
    assert credentials.header("Access-Control-Allow-Credentials") == "true"


def test_a_request_without_origin_is_not_changed() -> None:
    answer = harness_with(policies(cors())).send()
    assert (answer.body, answer.header("Access-Control-Allow-Origin")) == (b"from the backend", None)
