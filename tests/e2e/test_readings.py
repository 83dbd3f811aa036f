"""A sign-in, refusals and tool calls under each reading, on one running twin.

docs/readings.md lists the readings. Each is tested once with an option other than the default, and all of
them together with the strict and with the lenient options.
"""

import asyncio
import concurrent.futures
import secrets
from collections.abc import Iterator

import aiohttp
import pytest

from apim.readings import TABLE, Readings, question
from tests.e2e import legacy
from tests.e2e.client import Client, parameters_of, refusal_of
from tests.e2e.conftest import RunningTwin
from tests.e2e.person import Page, Person

APP = "http://localhost:6274"
CROSS_ORIGIN = {"Origin": APP}
CONNECTION = {"Connection": "keep-alive, X-Hop", "Keep-Alive": "timeout=5", "TE": "trailers", "X-Hop": "1"}
STATE = "a b+c%2F&=\u00e9/~"
"""A client's `state` with every character that an encoding may change."""
REDIRECT_URI = "http://127.0.0.1:45321/callback?app=a%20b&x=1"

ALL = {"all strict": Readings.strict(), "all lenient": Readings.lenient()}
EACH = [f"{question.name}={option.name}" for question in TABLE for option in question.options[1:]]
ROTATIONS = [f"named-value-order={option.name}" for option in question("named-value-order").options]


@pytest.fixture(params=[*EACH, *ALL])
def readings(request: pytest.FixtureRequest, twin: RunningTwin) -> Iterator[Readings]:
    """The twin uses these readings until the test ends."""
    chosen = ALL.get(request.param) or Readings.parse([request.param])
    twin.use(chosen)
    yield chosen
    twin.control.post("/reset").raise_for_status()


@pytest.fixture
def client(twin: RunningTwin, readings: Readings) -> Client:  # noqa: ARG001 -- in effect when it registers
    """A registered client whose redirect URI and state are hard to encode."""
    client = twin.client(redirect_uri=REDIRECT_URI, state=STATE)
    registered = client.register()
    assert registered.status_code == 201, registered.text
    return client


def sign_in(client: Client, ada: Person) -> str:
    """Signs in, checks the whole response, and returns its code."""
    end = ada.sign_in(client.authorize_url())
    assert end.startswith(f"{REDIRECT_URI}&code=")
    answer = parameters_of(end)
    assert answer["state"] == STATE
    assert answer["iss"] == client.gateway
    return answer["code"]


def token_of(client: Client, code: str) -> str:
    answer = client.redeem(code)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def test_a_user_signs_in_and_calls_tools_over_both_transports(
    twin: RunningTwin, readings: Readings, client: Client, ada: Person
) -> None:
    token = token_of(client, sign_in(client, ada))
    call = client.call(token, headers=CONNECTION)
    if readings.functions_streamable_http == "fails":
        assert (call.status_code, refusal_of(call.json())) == (502, "server_error")
    else:
        assert call.status_code == 200, call.text
        assert "save_snippet" in call.text
    assert "save_snippet" in asyncio.run(tools_over_sse(f"{client.resource}/sse", token))
    sent = twin.received("functions")[-1]
    assert {name.lower() for name, _ in sent["headers"]} & {"keep-alive", "te", "x-hop", "cookie"} == set()


async def tools_over_sse(url: str, token: str) -> set[str]:
    async with aiohttp.ClientSession() as http, legacy.connected(http, url, token) as session:
        return {tool["name"] for tool in (await session.ask("tools/list", {}, number=1))["tools"]}


@pytest.mark.usefixtures("readings")
def test_invalid_requests_are_rejected(client: Client, ada: Person) -> None:
    code = sign_in(client, ada)
    token = token_of(client, code)
    for bad, challenge in (
        (None, "Bearer resource_metadata="),
        (token[:-4] + "AAAA", 'error="invalid_token"'),
    ):
        answer = client.call(bad, headers=CROSS_ORIGIN | CONNECTION)
        assert answer.status_code == 401
        assert challenge in answer.headers["www-authenticate"]
        assert answer.headers["access-control-allow-origin"] == APP
    assert client.call(token, headers={"Origin": "https://evil.example"}).status_code == 403
    # A session that does not exist.
    assert client.call(token, headers={"Mcp-Session-Id": secrets.token_hex(8)}).status_code == 404

    unknown = ada.open(client.authorize_url(client_id="unknown-client"))
    assert (unknown.status, "not registered" in unknown.html) == (400, True)
    elsewhere = ada.open(client.authorize_url(redirect_uri="http://127.0.0.1:45321/other"))
    assert elsewhere.status == 400
    plain = parameters_of(ada.open(client.authorize_url(code_challenge_method="plain")).url)
    assert (plain["error"], plain["state"]) == ("invalid_request", STATE)
    denied = ada.press(ada.open(client.authorize_url()), "Deny")
    assert parameters_of(denied.url)["error"] == "access_denied"

    stolen = client.redeem(code, code_verifier="x" * 43)
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    assert client.redeem("no.code").status_code == 400


def test_a_code_is_redeemed_once_and_a_replay_revokes_its_token(
    twin: RunningTwin, readings: Readings, client: Client, ada: Person
) -> None:
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(client.redeem, [sign_in(client, ada)] * 3))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400]

    code = sign_in(client, ada)
    token = token_of(client, code)
    assert client.call(token).status_code == (502 if readings.functions_streamable_http == "fails" else 200)
    twin.advance_clock(1)
    replayed = client.redeem(code)
    assert (replayed.status_code, replayed.json()["error"]) == (400, "invalid_grant")
    twin.advance_clock(31)
    assert client.call(token).status_code == 401


@pytest.mark.usefixtures("readings")
def test_failures_of_the_store_and_of_a_server_get_the_gateways_error_responses(
    twin: RunningTwin, client: Client, ada: Person
) -> None:
    token = token_of(client, sign_in(client, ada))
    code = sign_in(client, ada)
    twin.fault("cosmos", error=True)
    twin.clear_cache()
    # Each request to the store is repeated after a pause, so these requests run in parallel.
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        page = pool.submit(ada.open, client.authorize_url())
        redemption = pool.submit(
            twin.http.post, f"{client.gateway}/token", data=client.redemption(code), headers=CROSS_ORIGIN
        )
        registration = pool.submit(twin.client().register)
        call = pool.submit(client.call, token)
    assert page.result().status == 503
    unstored = redemption.result()
    assert (unstored.status_code, unstored.json()["error"]) == (503, "temporarily_unavailable")
    assert unstored.headers["access-control-allow-origin"] in {"*", APP}
    assert registration.result().status_code == 503
    assert call.result().status_code == 503
    twin.control.delete("/faults").raise_for_status()

    token = token_of(client, code)
    twin.fault("functions", error=True)
    broken = client.call(token, headers=CROSS_ORIGIN)
    assert (broken.status_code, refusal_of(broken.json())) == (502, "server_error")
    assert broken.headers["access-control-allow-origin"] == APP


@pytest.mark.usefixtures("readings")
def test_a_gateway_without_a_token_of_its_identity_returns_an_error(twin: RunningTwin, ada: Person) -> None:
    client = twin.client(redirect_uri=REDIRECT_URI, state=STATE)
    twin.fault("identity", error=True)
    assert client.register().status_code == 503
    twin.control.delete("/faults").raise_for_status()
    assert client.register().status_code == 201
    consent = ada.open(client.authorize_url())
    # The token for the store is cached now, but not yet the token for Entra.
    twin.fault("identity", error=True)
    at_entra = ada.press(consent, "Allow")
    ended = parameters_of(ada.press(at_entra, ada.name).url)
    assert (ended["error"], ended["state"]) == ("server_error", STATE)


@pytest.mark.usefixtures("readings")
def test_browser_clients_can_read_every_answer(twin: RunningTwin) -> None:
    for path, method in (
        ("/.well-known/oauth-authorization-server", "GET"),
        ("/.well-known/oauth-protected-resource/mcp", "GET"),
        ("/register", "POST"),
        ("/token", "POST"),
        ("/mcp", "POST"),
    ):
        preflight = twin.http.options(
            f"{twin.gateway}{path}",
            headers=CROSS_ORIGIN
            | {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "content-type"},
        )
        assert preflight.status_code in {200, 204}, path
        assert preflight.headers["access-control-allow-origin"] in {"*", APP}, path
        answer = twin.http.request(method, f"{twin.gateway}{path}", headers=CROSS_ORIGIN)
        assert answer.headers["access-control-allow-origin"] in {"*", APP}, path


@pytest.mark.parametrize("readings", ROTATIONS, indirect=True)
def test_sign_ins_and_tokens_stay_valid_during_a_key_rotation(
    twin: RunningTwin, readings: Readings, client: Client, ada: Person
) -> None:
    before = token_of(client, sign_in(client, ada))
    consent = ada.open(client.authorize_url())
    change = twin.control.post("/deployment", json={"config": {"keyVersion": "2"}}).raise_for_status().json()
    assert change == {"finished": readings.named_value_order == "together"}
    during = token_after(client, ada, consent)
    assert {client.call(token).status_code for token in (before, during)} == {200}
    consent = ada.open(client.authorize_url())
    assert twin.control.post("/deployment", json={"finish": True}).json() == {"finished": True}
    after = token_after(client, ada, consent)
    assert {client.call(token).status_code for token in (before, during, after)} == {200}


def token_after(client: Client, ada: Person, consent: Page) -> str:
    """Continues a sign-in at its consent page, and returns a token."""
    at_entra = ada.press(consent, "Allow")
    return token_of(client, parameters_of(ada.press(at_entra, ada.name).url)["code"])
