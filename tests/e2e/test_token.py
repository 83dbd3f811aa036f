"""The token endpoint (docs/authorization.md, D)."""

import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import httpx
import pytest
from joserfc import jwe

from tests.e2e.client import Client, challenge_of, parameters_of
from tests.e2e.conftest import RunningTwin
from tests.e2e.deployment import Deployment
from tests.e2e.person import Person


def test_d2_a_code_is_redeemed_for_a_token(client: Client, code: str) -> None:
    answer = client.redeem(code)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    response = answer.json()
    assert len(response.pop("access_token").split(".")) == 5
    assert len(response.pop("refresh_token").split(".")) == 4
    assert response == {"token_type": "Bearer", "expires_in": 600, "scope": "functions"}


def test_keys_codes_and_tokens_are_neither_on_the_console_nor_in_the_control_api(
    twin: RunningTwin, client: Client, code: str, deployment: Deployment
) -> None:
    response = client.redeem(code).json()
    assert client.call(response["access_token"]).status_code == 200
    shown = {
        call: twin.control.get(call).text for call in ("/", "/stack", "/settings", "/audit", "/audit/view")
    }
    shown["output"] = twin.log.read_text()
    assert "mcp-request" in shown["/audit"]
    keys = [
        named_value.value
        for named_value in deployment.service().named_values
        if named_value.name.endswith(("-v1", "-v2", "-v3"))
    ]
    assert len(keys) == 6
    secret = [code, response["access_token"], response["refresh_token"], *keys]
    assert [call for call, text in shown.items() for value in secret if str(value) in text] == []


def test_the_token_is_valid_for_the_server(client: Client, token: str) -> None:
    answer = client.call(token)
    assert answer.status_code == 200
    assert "hello_mcp" in answer.text


def test_d3_two_tokens_are_never_equal(client: Client, ada: Person) -> None:
    tokens = [
        client.redeem(parameters_of(ada.sign_in(client.authorize_url()))["code"]).json()["access_token"]
        for _ in range(2)
    ]
    header, _, iv, ciphertext, tag = (
        set(parts) for parts in zip(*(token.split(".") for token in tokens), strict=True)
    )
    assert len(header) == 1
    assert len(iv) == len(ciphertext) == len(tag) == 2


def test_d1_a_code_is_redeemed_once_and_its_replay_revokes_the_token(client: Client, code: str) -> None:
    token = client.redeem(code).json()["access_token"]
    assert client.call(token).status_code == 200
    replay = client.redeem(code)
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    assert client.call(token).status_code == 401


def test_d1_one_of_several_parallel_redemptions_succeeds_and_the_others_revoke_its_token(
    twin: RunningTwin, client: Client, code: str
) -> None:
    """Two parties have the code and the verifier, and the gateway cannot tell which is the client."""
    twin.fault("cosmos", delay=1, times=20)
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: httpx.post(
                    f"{client.gateway}/token",
                    data=client.redemption(code),
                    timeout=30,
                ),
                range(8),
            )
        )
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    (winner,) = [answer.json()["access_token"] for answer in answers if answer.status_code == 200]
    assert {answer.json()["error"] for answer in answers if answer.status_code == 400} == {"invalid_grant"}
    twin.clear_cache()
    assert client.call(winner).status_code == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"code_verifier": "a" * 43},
        {"client_id": "someone-else"},
        {"redirect_uri": "http://127.0.0.1:1/callback"},
        {"code": "A" * 22 + "." + "B" * 43},
        {"code": "../../clients"},
    ],
)
def test_d1_a_redemption_must_match_the_bindings_of_the_code(
    client: Client, code: str, changed: dict[str, str]
) -> None:
    answer = client.redeem(**({"code": code} | changed))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert client.redeem(code).status_code == 200


def test_d1_a_code_of_the_right_grant_with_another_secret_has_no_effect(client: Client, code: str) -> None:
    answer = client.redeem(code.partition(".")[0] + "." + "B" * 43)
    assert answer.json()["error"] == "invalid_grant"
    assert client.redeem(code).status_code == 200


def test_d1_the_challenge_itself_does_not_redeem_the_code(client: Client, code: str) -> None:
    assert client.redeem(code, code_verifier=challenge_of(client.verifier)).json()["error"] == "invalid_grant"


def test_d2_another_resource_is_an_invalid_target(client: Client, code: str) -> None:
    """A grant for one server is not valid for another one."""
    for resource in (f"{client.gateway}/other", "https://evil.example"):
        answer = client.redeem(code, resource=resource)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")


def test_d1_a_concurrent_request_with_a_redeemed_code_is_a_replay(
    twin: RunningTwin, client: Client, code: str
) -> None:
    """The store decides which of two requests came first, not the clocks of gateway units."""
    before = len(twin.received("cosmos"))
    twin.fault("cosmos", delay=1.5, times=1)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(
            httpx.post,
            f"{client.gateway}/token",
            data=client.redemption(code),
            timeout=30,
        )
        # Until the slow request reaches the store.
        while len(twin.received("cosmos")) == before:
            pass
        token = client.redeem(code).json()["access_token"]
        assert (slow.result().status_code, slow.result().json()["error"]) == (400, "invalid_grant")
    twin.clear_cache()
    assert client.call(token).status_code == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"code_verifier": "a" * 43},
        {"client_id": "someone-else"},
        {"redirect_uri": "http://127.0.0.1:1/callback"},
    ],
)
def test_d1_a_replay_with_wrong_bindings_does_not_revoke_the_token(
    twin: RunningTwin, client: Client, code: str, changed: dict[str, str]
) -> None:
    token = client.redeem(code).json()["access_token"]
    assert client.redeem(code, **changed).json()["error"] == "invalid_grant"
    twin.clear_cache()
    assert client.call(token).status_code == 200


def test_a_grant_for_the_whole_gateway_gives_a_token_for_one_server(
    deployment: Deployment, client: Client, ada: Person
) -> None:
    code = parameters_of(ada.sign_in(client.authorize_url(resource=None)))["code"]
    assert client.redeem(code, resource=f"{client.gateway}/other").json()["error"] == "invalid_target"
    token = client.redeem(code, resource=client.resource).json()["access_token"]
    opened = jwe.decrypt_compact(token, deployment.key(), algorithms=["dir", "A256CBC-HS512"])
    assert json.loads(opened.plaintext or b"")["aud"] == client.resource
    assert client.call(token).status_code == 200


@pytest.mark.parametrize(
    ("calls_before", "fault"),
    [
        (2, {"status": 412}),
        (2, {"status": 503}),
        (2, {"error": True}),
        (1, {"status": 503}),
        (1, {"error": True}),
    ],
)
def test_d7_a_replay_revokes_the_token_or_returns_an_error(
    twin: RunningTwin, client: Client, code: str, calls_before: int, fault: dict[str, object]
) -> None:
    """The grant is read twice before it is written; the write conflicts with another one, or a call fails."""
    token = client.redeem(code).json()["access_token"]
    twin.fault("cosmos", times=calls_before, delay=0.001)
    twin.fault("cosmos", times=1, **fault)
    replay = client.redeem(code)
    if fault != {"status": 412}:
        assert replay.status_code == 503
        replay = client.redeem(code)
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    assert client.call(token).status_code == 401


def test_a_replay_of_an_expired_grant_has_no_effect(twin: RunningTwin, client: Client, code: str) -> None:
    client.redeem(code)
    twin.fault("cosmos", times=1, delay=0.001)
    twin.fault("cosmos", times=1, status=404)
    answer = client.redeem(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_d1_a_code_expires_after_a_minute(twin: RunningTwin, client: Client, code: str) -> None:
    twin.advance_clock(61)
    assert client.redeem(code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "client_secret": "x"}, "unsupported_grant_type"),
        ({"code": None}, "invalid_request"),
        ({"client_id": None}, "invalid_request"),
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": "short"}, "invalid_request"),
    ],
)
def test_d2_a_malformed_request_is_refused(
    client: Client, code: str, changed: dict[str, str | None], error: str
) -> None:
    answer = client.redeem(**({"code": code} | changed))
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.headers["cache-control"] == "no-store"


FORM = "application/x-www-form-urlencoded"


def post_form(client: Client, code: str, *, after: str = "", content_type: str = FORM) -> httpx.Response:
    """Sends a valid redemption with a content type; `after` is appended to the form."""
    form = client.redemption(code)
    return httpx.post(
        f"{client.gateway}/token", content=urlencode(form) + after, headers={"Content-Type": content_type}
    )


def test_d2_a_parameter_given_twice_is_refused(client: Client, code: str) -> None:
    for after in (f"&code={code}", f"&client_id={client.client_id}", "&grant_type="):
        answer = post_form(client, code, after=after)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert post_form(client, code).status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "multipart/form-data", ""])
def test_a_form_needs_its_content_type(client: Client, code: str, content_type: str) -> None:
    answer = post_form(client, code, content_type=content_type)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert post_form(client, code, content_type=FORM + "; charset=UTF-8").status_code == 200


def test_an_empty_body_is_rejected(client: Client) -> None:
    answer = httpx.post(f"{client.gateway}/token", headers={"Content-Type": FORM})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_form_of_more_than_16_kb_is_refused(client: Client, code: str) -> None:
    assert post_form(client, code, after="&" * 17000).json()["error"] == "invalid_request"
    assert post_form(client, code, after="&" * 10).status_code == 200


def test_json_is_not_a_form(client: Client, code: str) -> None:
    answer = httpx.post(f"{client.gateway}/token", json={"grant_type": "authorization_code", "code": code})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429, "times": 3}, {"error": True}])
def test_d7_no_token_is_issued_without_the_store(
    twin: RunningTwin, client: Client, code: str, fault: dict[str, object]
) -> None:
    twin.fault("cosmos", **{"times": 1, **fault})
    answer = client.redeem(code)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["cache-control"] == "no-store"
    assert "access_token" not in answer.text
    assert client.redeem(code).status_code == 200


def test_d3_a_token_expires_after_ten_minutes(twin: RunningTwin, client: Client, token: str) -> None:
    twin.advance_clock(570)
    assert client.call(token).status_code == 200
    twin.advance_clock(31)
    assert client.call(token).status_code == 401


def test_the_number_of_failed_token_requests_is_limited(client: Client) -> None:
    """The limit of the dev stack is 600 requests a minute."""
    answers = [client.redeem("A" * 22 + "." + "B" * 43, grant_type="x") for _ in range(605)]
    assert {answer.status_code for answer in answers[:595]} == {400}
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0
