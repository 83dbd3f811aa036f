"""The real slack-mcp-server against the stand-in for Slack: calls pass through, over both transports."""

import csv
import io

import pytest

from configuration.presets.slack import REPOSITORY as SLACK_IMAGE
from tests.children import free_port
from tests.twin.real_servers import Session, served
from twin.clock import Clock
from twin.slack.service import SlackStandIn
from twin.stand_in import StandInArgs

ENV = {
    "SLACK_MCP_XOXB_TOKEN": "xoxb-twin",
    "SLACK_MCP_ADD_MESSAGE_TOOL": "true",
}


@pytest.fixture(scope="module")
def real_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slack")
    stand_in = SlackStandIn(StandInArgs(ports=(free_port(), free_port()), folder=folder, clock=Clock()))
    containers = {name: (["--transport", name], ENV) for name in ("sse", "http")}
    with served(stand_in, f"{SLACK_IMAGE}:v1.3.0", containers, folder) as origins:
        urls = {"sse": f"{origins['sse']}/sse", "http": f"{origins['http']}/mcp"}
        yield stand_in, {name: Session(url) for name, url in urls.items()}


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_the_server_lists_its_tools(either_session):
    tools = either_session.tools()
    assert len(tools) == 14
    assert {"channels_list", "conversations_history", "conversations_add_message", "users_search"} <= tools


def test_channels_and_users_are_those_of_the_workspace(session):
    channels, people = session.call(
        ("channels_list", {"channel_types": "public_channel,private_channel"}),
        ("users_search", {"query": "lindqvist"}),
    )
    assert rows(channels)[0]["Name"] == "#general"
    assert {row["Name"] for row in rows(channels)} >= {"#buoys", "#tide-app", "#incidents", "#budget"}
    assert rows(people)[0]["UserName"] == "mara"


def test_a_posted_message_is_in_the_history(either_session, stand_in):
    posted, history = either_session.call(
        ("conversations_add_message", {"channel_id": "#buoys", "text": "Sprint **summary**: all calm"}),
        ("conversations_history", {"channel_id": "#buoys", "limit": "50"}),
    )
    assert posted.startswith("Successfully posted message to channel C04BUOYS001")
    assert "all calm" in rows(history)[0]["Text"]
    assert rows(history)[0]["UserName"] == "gateway"
    newest = next(stand_in.workspace.history(stand_in.workspace.channel("#buoys")))
    assert newest.text == "Sprint *summary*: all calm"


def test_a_reply_belongs_to_its_thread(session, stand_in):
    workspace = stand_in.workspace
    channel = workspace.channel("#incidents")
    thread = next(workspace.history(channel)).ts
    where = {"channel_id": channel.id, "thread_ts": thread}
    before, _, after = session.call(
        ("conversations_replies", where | {"limit": "50"}),
        ("conversations_add_message", where | {"text": "BUOY-12 is in review", "content_type": "text/plain"}),
        ("conversations_replies", where | {"limit": "50"}),
    )
    assert len(rows(before)) == 6
    assert rows(after)[-1]["Text"] == "BUOY-12 is in review"
    assert all(message.text != "BUOY-12 is in review" for message in workspace.history(channel))


def test_an_error_response_of_slack_is_an_error(session):
    (result,) = session.call(("conversations_history", {"channel_id": "C00NOWHERE0"}))
    assert result == "error: channel_not_found"


def test_slack_never_receives_the_clients_token(either_session, stand_in):
    either_session.call(("conversations_history", {"channel_id": "#random"}))
    requests = stand_in.request_log.requests()
    assert requests
    assert {request.scheme for request in requests} == {None}
    assert stand_in.request_log.unknown() == ()
