"""The control API, over HTTP."""

import copy
import json
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from apim.cache import Cache
from apim.findings import Finding, PolicyError
from apim.http.network import Fault, HttpNetwork, Upstream
from apim.readings import TABLE, Readings
from tests.stacks import FUNCTIONS_ONLY
from twin.behaviour import Behaviour
from twin.clock import Clock
from twin.control import ControlContext, create_control
from twin.entra.accounts import Accounts
from twin.entra.directory import Directory
from twin.entra.keys import SigningKeys
from twin.request_log import LoggedRequest, RequestLog
from twin.shared_readings import SharedReadings
from twin.stack import Stack, StackError, evaluate

if TYPE_CHECKING:
    from apim.trace import Trace


class GatewayDouble:
    """A gateway without traces. Under some readings its policy is invalid."""

    def __init__(self) -> None:
        self.tracing = False
        self.traces: deque[Trace] = deque()
        self.readings = Readings.default()

    def use(self, readings: Readings) -> None:
        if readings.system_net != Readings.default().system_net:
            raise PolicyError([Finding(document="global", line=1, column=2, message="not imported")])
        self.readings = readings


class RolloutDouble:
    """Records changed settings; refuses the setting "wrong"."""

    def __init__(self) -> None:
        self.is_finished = True
        self.config: dict[str, str] = {}

    async def begin(self, config: Mapping[str, str]) -> None:
        if "wrong" in config:
            raise StackError("wrong is not a setting.")
        self.config, self.is_finished = dict(config), False

    def finish(self) -> None:
        self.is_finished = True

    def restore(self) -> None:
        self.config, self.is_finished = {}, True


class Twin:
    """The parts that the control API changes."""

    def __init__(self, stack: Stack, keys: SigningKeys) -> None:
        self.clock = Clock()
        self.cache = Cache(self.clock)
        self.network = HttpNetwork(
            {"store.example": Upstream(service="cosmos", base_url="http://127.0.0.1:1")}
        )
        self.directory = Directory(tenant_id="t", base_url="http://localhost:1")
        self.accounts = Accounts(self.directory, self.clock)
        self.keys = copy.copy(keys)
        self.gateway = GatewayDouble()
        self.deleted = 0
        self.request_log = RequestLog()
        self.readings, self.rollout = SharedReadings(), RolloutDouble()
        context = ControlContext(
            cache=self.cache,
            gateway=self.gateway,
            behaviour=Behaviour(
                gateway=self.gateway, readings=self.readings, initial=Readings.default(), rollout=self.rollout
            ),
            network=self.network,
            clock=self.clock,
            accounts=self.accounts,
            keys=self.keys,
            stack=stack,
            delete_state=self.delete_state,
            request_logs={"jira": self.request_log},
        )
        self.control = TestClient(create_control(context), base_url="http://localhost:8001")

    async def delete_state(self) -> None:
        self.deleted += 1


@pytest.fixture(scope="module")
def stack() -> Stack:
    return evaluate(FUNCTIONS_ONLY)


@pytest.fixture(scope="module")
def keys() -> SigningKeys:
    """The keys with which each test begins; generating some takes longer than a test."""
    return SigningKeys()


@pytest.fixture
def twin(stack: Stack, keys: SigningKeys) -> Iterator[Twin]:
    twin = Twin(stack, keys)
    with twin.control:
        yield twin


def refusal(answer, status: int = 400) -> str:
    assert answer.status_code == status
    return answer.json()["error"]


def test_the_root_lists_calls_and_services(twin: Twin) -> None:
    answer = twin.control.get("/").json()
    assert "POST /faults" in answer["calls"]
    assert answer["services"] == ["cosmos"]


def test_the_cache_can_be_cleared(twin: Twin) -> None:
    twin.cache.store("key", "value", 60, 5)
    assert twin.control.post("/cache/clear").status_code == 200
    assert twin.cache.lookup("key") is None


def test_a_fault_can_return_a_status(twin: Twin) -> None:
    fault = {"service": "cosmos", "status": 429, "headers": {"x-ms-retry-after-ms": "5"}, "times": 1}
    assert twin.control.post("/faults", json=fault).status_code == 200
    taken = twin.network.faults.take("cosmos")
    assert taken is not None
    assert (taken.status, taken.headers) == (429, {"x-ms-retry-after-ms": "5"})
    assert twin.network.faults.take("cosmos") is None


def test_a_fault_can_delay_responses_or_fail_connections(twin: Twin) -> None:
    twin.control.post("/faults", json={"service": "cosmos", "delay": 2.5, "times": 1})
    twin.control.post("/faults", json={"service": "cosmos", "error": True})
    slow, failing, again = (twin.network.faults.take("cosmos") for _ in range(3))
    assert slow is not None
    assert (slow.delay, slow.error) == (2.5, False)
    assert failing is not None
    assert failing.error
    assert again is failing


def test_faults_can_be_cleared(twin: Twin) -> None:
    for query in ("", "?service=cosmos"):
        twin.control.post("/faults", json={"service": "cosmos", "error": True})
        assert twin.control.delete(f"/faults{query}").status_code == 200
        assert not twin.network.faults


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"status": 500}, "Missing: service"),
        ({"service": "kosmos", "status": 500}, "There is no service 'kosmos'. The services are: cosmos"),
        ({"service": "cosmos"}, "needs one of status"),
        ({"service": "cosmos", "status": "500"}, "status must be an HTTP status"),
        ({"service": "cosmos", "status": 99}, "status must be an HTTP status"),
        ({"service": "cosmos", "status": True}, "status must be an HTTP status"),
        ({"service": "cosmos", "error": "yes"}, "error must be true"),
        ({"service": "cosmos", "error": True, "status": 500}, "status and error cannot be combined"),
        ({"service": "cosmos", "delay": -1}, "delay must be from 0 to 3600 seconds"),
        ({"service": "cosmos", "delay": "1"}, "delay must be a number"),
        ({"service": "cosmos", "delay": 1e9}, "delay must be from 0 to 3600 seconds"),
        ({"service": "cosmos", "status": 500, "times": 10**30}, "times must be a number of requests"),
        ({"service": "cosmos", "status": 101}, "status must be an HTTP status"),
        ({"service": "cosmos", "status": 500, "headers": {"a": "1\r\nb: 2"}}, "line breaks"),
        ({"service": "cosmos", "status": 500, "headers": {"a": "\u00e9"}}, "beyond ASCII"),
        ({"service": "cosmos", "status": 500, "headers": {"a\r\nb": "1"}}, "is not a header name"),
        ({"service": "cosmos", "status": 500, "headers": {"": "1"}}, "is not a header name"),
        (
            {"service": "cosmos", "status": 500, "headers": {"Content-Length": "5"}},
            "is derived from the body",
        ),
        ({"service": "cosmos", "status": 500, "times": 0}, "times must be a number of requests"),
        ({"service": "cosmos", "status": 500, "headers": {"a": 1}}, "headers must be an object of strings"),
        ({"service": "cosmos", "status": 500, "body": {}}, "body must be a string"),
        ({"service": "cosmos", "status": 500, "time": 1}, "Unknown: time. Accepted: body, delay"),
    ],
)
def test_an_invalid_fault_is_rejected_with_the_accepted_values(
    twin: Twin, fault: dict[str, Any], message: str
) -> None:
    assert message in refusal(twin.control.post("/faults", json=fault))
    assert not twin.network.faults


def test_a_lone_surrogate_is_not_accepted_as_body(twin: Twin) -> None:
    fault = '{"service": "cosmos", "status": 500, "body": "\\ud800"}'
    assert "body must be a string" in refusal(twin.control.post("/faults", content=fault))


def test_the_clock_can_be_moved_forwards_and_backwards(twin: Twin) -> None:
    assert twin.control.post("/clock", json={"advance": 3600}).json()["offset"] == 3600
    assert twin.clock.now() > time.time() + 3500
    assert twin.control.post("/clock", json={"advance": -3600}).json()["offset"] == 0


@pytest.mark.parametrize("seconds", ["1", None, True, 1e300, [1]])
def test_the_clock_accepts_only_seconds(twin: Twin, seconds: object) -> None:
    refusal(twin.control.post("/clock", json={"advance": seconds}))
    assert twin.clock.offset == 0


def test_infinity_is_not_a_number_of_seconds(twin: Twin) -> None:
    refusal(twin.control.post("/clock", content='{"advance": Infinity}'))
    refusal(twin.control.post("/clock", content='{"advance": NaN}'))
    assert twin.clock.offset == 0


def test_received_requests_can_be_read_without_their_credentials(twin: Twin) -> None:
    async def send() -> None:
        twin.network.faults.add("cosmos", Fault(status=200))
        await twin.network.send(
            "GET", "https://store.example/dbs", headers=[("Authorization", "Bearer abc.def")]
        )

    assert twin.control.portal is not None
    twin.control.portal.call(send)
    answer = twin.control.get("/received", params={"service": "cosmos"})
    (received,) = answer.json()["received"]
    assert (received["method"], received["url"], received["status"]) == (
        "GET",
        "https://store.example/dbs",
        200,
    )
    assert "abc.def" not in answer.text
    assert refusal(twin.control.get("/received?service=x")).startswith("There is no service 'x'")


def test_headers_that_are_not_utf_8_do_not_hide_received_requests(twin: Twin) -> None:
    async def send() -> None:
        twin.network.faults.add("cosmos", Fault(status=200))
        await twin.network.send(
            "GET", "https://store.example/dbs", headers=[("Mcp-Session-Id", "\udcff\xe9")]
        )

    assert twin.control.portal is not None
    twin.control.portal.call(send)
    answer = twin.control.get("/received")
    assert answer.json()["received"][0]["headers"] == [["Mcp-Session-Id", "\udcff\xe9"]]


def test_requests_to_a_stand_in_can_be_read(twin: Twin) -> None:
    request = LoggedRequest(
        method="GET",
        path="/rest/api/2/myself",
        header_names=("host", "authorization"),
        scheme="Basic",
        status=200,
        unknown=False,
    )
    twin.request_log.add(request)
    expected = json.loads(json.dumps(asdict(request)))
    for query in ("", "?service=jira"):
        assert twin.control.get(f"/stand-in-requests{query}").json() == {
            "requests": [{"service": "jira", **expected}]
        }
    refused = twin.control.get("/stand-in-requests?service=mail")
    assert (refused.status_code, "The stand-ins are: jira" in refused.text) == (400, True)
    twin.control.post("/reset")
    assert twin.control.get("/stand-in-requests").json() == {"requests": []}


def test_a_user_can_be_disabled_and_enabled(twin: Twin) -> None:
    user = twin.directory.users[0]
    twin.control.post(f"/entra/users/{user.principal_name}", json={"enabled": False})
    assert twin.accounts.is_disabled(user)
    twin.control.post(f"/entra/users/{user.object_id}", json={"enabled": True})
    assert not twin.accounts.is_disabled(user)
    assert "the users are: ada@" in refusal(twin.control.post("/entra/users/x", json={"enabled": False}), 404)
    assert "true or false" in refusal(twin.control.post("/entra/users/x", json={"enabled": "no"}))


def test_entras_key_can_be_rotated_with_and_without_the_previous_key(twin: Twin) -> None:
    def published() -> list[str]:
        return [key["kid"] for key in twin.keys.jwks["keys"]]

    (first,) = published()
    twin.control.post("/entra/keys/rotate")
    assert len(published()) == 2
    assert published()[1] == first
    twin.control.post("/entra/keys/rotate", json={"keepPrevious": False})
    assert len(published()) == 1
    assert first not in published()


def test_the_stack_is_shown_without_its_secrets(twin: Twin, stack: Stack) -> None:
    answer = twin.control.get("/stack")
    resources = {resource["name"]: resource for resource in answer.json()["resources"]}
    assert resources["gateway-keys-token-key-v1-secret"]["inputs"]["properties"]["value"] == "***"
    assert resources["gateway-values-gateway-url"]["inputs"]["value"].startswith("https://")
    assert answer.json()["outputs"]["gatewayUrl"].startswith("https://")
    for key in stack.of_type("RandomBytes"):
        assert key.outputs["base64"] not in answer.text


def test_a_reset_restores_everything_except_the_data_of_users(twin: Twin) -> None:
    twin.cache.store("key", "value", 60, 5)
    twin.control.post("/faults", json={"service": "cosmos", "error": True})
    twin.control.post("/clock", json={"advance": 3600})
    twin.control.post("/entra/users/ada@twin.example", json={"enabled": False})
    assert twin.control.post("/reset").status_code == 200
    assert len(twin.cache) == 0
    assert not twin.network.faults
    assert twin.clock.offset == 0
    assert not twin.accounts.is_disabled(twin.directory.users[0])
    assert twin.deleted == 0


def test_a_reset_of_the_state_deletes_the_data_of_users(twin: Twin) -> None:
    assert twin.control.post("/reset", json={"state": True}).status_code == 200
    assert twin.deleted == 1
    assert "state must be true" in refusal(twin.control.post("/reset", json={"state": "all"}))


@pytest.mark.parametrize("body", ["{", "[]", '"text"', "\xff", "[" * 10000])
def test_a_body_that_is_not_a_json_object_is_rejected(twin: Twin, body: str) -> None:
    assert "Accepted: advance" in refusal(twin.control.post("/clock", content=body.encode("latin-1")))


def test_a_large_body_is_refused(twin: Twin) -> None:
    assert "larger than" in refusal(twin.control.post("/clock", content=b" " * 70_000))


@pytest.mark.parametrize(
    "origin", ["http://localhost:8000", "http://localhost:8001", "https://evil.example", "null"]
)
def test_a_web_page_cannot_use_the_control_api(twin: Twin, origin: str) -> None:
    refusal(twin.control.post("/clock", json={"advance": 60}, headers={"Origin": origin}), 403)
    assert twin.clock.offset == 0


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none, cross-site", "nonsense"])
def test_a_web_page_request_without_an_origin_is_rejected(twin: Twin, site: str) -> None:
    refusal(twin.control.get("/received", headers={"Sec-Fetch-Site": site}), 403)


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_requests_from_the_address_bar_are_accepted(twin: Twin, site: str) -> None:
    assert twin.control.get("/", headers={"Sec-Fetch-Site": site}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8001", "localhost.evil.example", "127.0.0.2", "", "["]
)
def test_other_host_names_are_rejected(twin: Twin, host: str) -> None:
    refusal(twin.control.get("/", headers={"Host": host}), 403)


@pytest.mark.parametrize("host", ["localhost:8001", "127.0.0.1:8001", "[::1]:8001", "LOCALHOST"])
def test_loopback_host_names_are_accepted(twin: Twin, host: str) -> None:
    assert twin.control.get("/", headers={"Host": host}).status_code == 200


def test_the_response_to_an_unknown_call_has_the_url_of_the_list(twin: Twin) -> None:
    assert "GET / lists the calls" in refusal(twin.control.get("/nothing"), 404)
    assert "GET / lists the calls" in refusal(twin.control.get("/clock"), 405)


def test_tracing_is_switched_on_and_off(twin: Twin) -> None:
    assert twin.control.post("/tracing", json={"on": True}).json() == {"ok": True}
    assert twin.gateway.tracing
    twin.control.post("/tracing", json={"on": False})
    assert not twin.gateway.tracing
    assert refusal(twin.control.post("/tracing", json={"on": "yes"})) == "on must be true or false."
    assert "Missing: on" in refusal(twin.control.post("/tracing", json={}))


@pytest.mark.parametrize("path", ["/traces", "/traces/view", "/traces/none", "/traces/none/view"])
def test_web_pages_cannot_read_traces(twin: Twin, path: str) -> None:
    assert refusal(twin.control.get(path, headers={"Origin": "https://evil.example"}), 403)
    assert refusal(twin.control.get(path, headers={"Sec-Fetch-Site": "cross-site"}), 403)
    assert refusal(twin.control.get(path, headers={"Host": "evil.example"}), 403)


def test_readings_are_shown_with_their_options(twin: Twin) -> None:
    shown = twin.control.get("/readings").json()["readings"]
    assert [reading["name"] for reading in shown] == [reading.name for reading in TABLE]
    clocks = next(reading for reading in shown if reading["name"] == "unit-clocks")
    assert (clocks["id"], clocks["chosen"], clocks["default"]) == ("R16", "equal", "equal")
    assert clocks["options"].keys() == {"equal", "apart"}


def test_readings_are_changed_for_the_gateway_and_all_processes(twin: Twin) -> None:
    answer = twin.control.put("/readings", json={"R4": "30s", "unit-clocks": "apart"})
    assert answer.json() == {"changed": {"duration-limit": "30s", "unit-clocks": "apart"}}
    assert twin.gateway.readings == twin.readings.current
    assert twin.gateway.readings.unit_clocks == "apart"
    assert twin.control.get("/").json()["readings"] == {"duration-limit": "30s", "unit-clocks": "apart"}
    assert twin.control.put("/readings", json={"R4": "30s"}).json() == {"changed": {"duration-limit": "30s"}}
    twin.control.post("/reset")
    assert twin.gateway.readings == twin.readings.current == Readings.default()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"colour": "red"}, "Unknown: colour. Accepted: R1, "),
        ({"unit-clocks": "late"}, "unit-clocks is one of equal, apart, not 'late'."),
        ({"unit-clocks": True}, 'The body must map readings to options, such as {"query": "raw"}.'),
    ],
)
def test_a_reading_that_does_not_exist_is_refused(twin: Twin, body: dict[str, Any], message: str) -> None:
    assert message in refusal(twin.control.put("/readings", json=body))
    assert twin.readings.current == Readings.default()


def test_readings_under_which_policies_are_invalid_are_rejected(twin: Twin) -> None:
    other = next(o.name for o in TABLE[1].options if o.name != TABLE[1].default.name)
    message = refusal(twin.control.put("/readings", json={"system-net": other}))
    assert message.endswith("nothing was changed: global:1:2: not imported")
    assert twin.gateway.readings == twin.readings.current == Readings.default()


def test_settings_are_deployed_in_parts_and_undone_by_a_reset(twin: Twin) -> None:
    answer = twin.control.post("/deployment", json={"config": {"keyVersion": "2"}})
    assert (answer.json(), twin.rollout.config) == ({"finished": False}, {"keyVersion": "2"})
    assert twin.control.post("/deployment", json={"finish": True}).json() == {"finished": True}
    twin.control.post("/reset")
    assert twin.rollout.config == {}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Send either config (settings to change) or finish (true)."),
        ({"config": {"a": "b"}, "finish": True}, "Send either config"),
        ({"config": {"keyVersion": 2}}, 'config must be an object of strings, such as {"keyVersion": "2"}.'),
        ({"config": {"wrong": "1"}}, "Nothing was changed: wrong is not a setting."),
    ],
)
def test_a_change_that_cannot_be_deployed_is_refused(twin: Twin, body: dict[str, Any], message: str) -> None:
    assert message in refusal(twin.control.post("/deployment", json=body))
    assert twin.rollout.config == {}
