"""The stand-in for Slack: its responses, its data, and the proxy in front of it."""

import asyncio
import ssl

import httpx
import pytest
import uvloop
from starlette.testclient import TestClient

from tests.children import free_port
from twin.clock import Clock
from twin.request_log import RequestLog
from twin.slack.app import create_app
from twin.slack.service import SlackStandIn
from twin.slack.store import Workspace
from twin.stand_in import StandInArgs

# The arguments of the stand-in.
TOKEN = "xoxb-test"
NOW = 1_790_000_000.0


@pytest.fixture
def request_log():
    return RequestLog()


@pytest.fixture
def workspace():
    return Workspace(lambda: NOW)


class Slack:
    def __init__(self, workspace, request_log):
        self.client = TestClient(create_app(workspace, token=TOKEN, request_log=request_log))

    def __call__(self, method, **params):
        return self.client.post(f"/api/{method}", data={"token": TOKEN} | params).json()


@pytest.fixture
def slack(workspace, request_log):
    return Slack(workspace, request_log)


def test_a_token_can_be_a_form_field_or_a_bearer_token(slack):
    assert slack("auth.test")["team"] == "Fairlight Buoys"
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert slack.client.get("/api/auth.test", headers=bearer).json()["ok"]
    body = {"channel": "C04BUOYS001", "text": "as JSON"}
    assert slack.client.post("/api/chat.postMessage", json=body, headers=bearer).json()["ok"]


@pytest.mark.parametrize(("token", "error"), [("xoxb-wrong", "invalid_auth"), ("", "not_authed")])
def test_calls_without_the_right_token_are_refused(slack, token, error):
    assert slack("users.list", token=token) == {"ok": False, "error": error}


def test_an_unknown_method_is_rejected_and_recorded(slack, request_log):
    assert slack("chat.scheduleMessage") == {
        "ok": False,
        "error": "unknown_method",
        "req_method": "chat.scheduleMessage",
    }
    assert slack.client.get("/elsewhere").status_code == 404
    assert request_log.unknown() == ("POST /api/chat.scheduleMessage", "GET /elsewhere")


def test_no_secret_is_recorded(slack, request_log):
    slack.client.get("/api/auth.test", headers={"Authorization": f"Bearer {TOKEN}"})
    slack.client.get("/api/auth.test", headers={"Authorization": TOKEN})
    assert [request.scheme for request in request_log.requests()] == ["Bearer", "(none)"]
    assert TOKEN not in repr(request_log.requests())


def test_every_page_is_returned_once(slack):
    seen, cursor = [], ""
    while True:
        answer = slack("conversations.history", channel="C04GENERAL0", limit="3", cursor=cursor)
        seen += [message["ts"] for message in answer["messages"]]
        cursor = answer["response_metadata"]["next_cursor"]
        assert answer["has_more"] == bool(cursor)
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 4
    assert seen == sorted(seen, reverse=True)


def test_a_reply_names_the_author_of_the_first_message_of_its_thread(slack):
    first = slack("chat.postMessage", channel="C04GENERAL0", text="first")["message"]
    assert "parent_user_id" not in first
    thread = {"channel": "C04GENERAL0", "thread_ts": first["ts"]}
    assert slack("chat.postMessage", **thread, text="reply")["message"]["parent_user_id"] == first["user"]
    (written, *_) = slack("conversations.history", channel="C04TIDEAPP2", limit="100")["messages"][-1:]
    _, reply, *_ = slack("conversations.replies", channel="C04TIDEAPP2", ts=written["ts"])["messages"]
    assert reply["parent_user_id"] == written["user"]


def test_bounds_are_exclusive_by_default(slack):
    ts = slack("conversations.history", channel="C04GENERAL0")["messages"][1]["ts"]
    bounds = {"channel": "C04GENERAL0", "oldest": ts, "latest": ts}
    assert slack("conversations.history", **bounds)["messages"] == []
    (message,) = slack("conversations.history", **bounds, inclusive="true")["messages"]
    assert message["ts"] == ts


def test_the_bot_reads_and_writes_only_where_it_was_invited(slack):
    assert slack("conversations.history", channel="C04ARCHIVE6")["error"] == "not_in_channel"
    assert slack("chat.postMessage", channel="C04ARCHIVE6", text="x")["error"] == "not_in_channel"
    assert slack("chat.postMessage", channel="C04NOWHERE0", text="x")["error"] == "channel_not_found"
    assert slack("chat.postMessage", channel="C04BUOYS001")["error"] == "no_text"
    assert slack("chat.postMessage", channel="C04BUOYS001", text="x")["ok"]


def test_a_reset_restores_the_initial_data(slack, workspace):
    before = slack("conversations.history", channel="C04BUOYS001")["messages"]
    slack("chat.postMessage", channel="C04BUOYS001", text="gone in a moment")
    workspace.reset()
    assert slack("conversations.history", channel="C04BUOYS001")["messages"] == before


def test_all_initial_messages_have_different_timestamps(workspace):
    for channel in workspace.channels.values():
        times = [message.ts for message in workspace._messages[channel.id]]
        assert len(times) == len(set(times))


async def through_the_proxy(folder):
    """Calls the stand-in like `slack-mcp-server`, and sends requests that it must refuse."""
    proxy_port = free_port()
    slack = SlackStandIn(StandInArgs(ports=(free_port(), proxy_port), folder=folder, clock=Clock()))
    await slack.start()
    try:
        trusted = ssl.create_default_context(cafile=folder / "slack-ca.pem")
        proxy = f"http://127.0.0.1:{proxy_port}"
        async with httpx.AsyncClient(proxy=proxy, verify=trusted, trust_env=False) as client:
            token = slack.environment()["SLACK_MCP_XOXB_TOKEN"]
            # Longer than what fits into one TLS record or one buffer.
            form = {"token": token, "channel": "C04BUOYS001", "text": "ahoy " * 100_000}
            answers = [
                (await client.post(f"https://{host}/api/chat.postMessage", data=form)).json()
                for host in ("slack.com", "fairlight-buoys.slack.com")
            ]
            refused = []
            for url in ("https://example.com/", "https://notslack.com/", "https://slack.com:8443/"):
                with pytest.raises(httpx.ProxyError) as error:
                    await client.get(url)
                refused.append(str(error.value))
            plain = await client.get("http://slack.com/api/api.test")
        return answers, refused, plain.status_code
    finally:
        await slack.stop()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_the_proxy_connects_only_to_slack(run, tmp_path):
    answers, refused, plain = run(through_the_proxy(tmp_path))
    assert [answer["ok"] for answer in answers] == [True, True]
    assert answers[0]["message"]["text"] == "ahoy " * 100_000
    assert refused == ["403 Forbidden"] * 3
    assert plain == 405
