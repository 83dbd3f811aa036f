"""The real mcp-atlassian against the stand-in for Jira: calls pass through, over both transports."""

import json

import pytest

from configuration.presets.jira import REPOSITORY as JIRA_IMAGE
from tests.children import free_port
from tests.twin.real_servers import Session, served
from twin import mcp_atlassian
from twin.clock import Clock
from twin.jira.service import JiraStandIn
from twin.stand_in import StandInArgs

ENV = {
    "JIRA_URL": "https://jira.example",
    "JIRA_USERNAME": "nobody",
    "JIRA_API_TOKEN": "twin",
    "TOOLSETS": "all",
    "IGNORE_HEADER_AUTH": "true",
    "ALLOW_GLOBAL_CRED_FALLBACK": "true",
}
SSE = ENV | {"TRANSPORT": "sse", "FASTMCP_MESSAGE_PATH": "/jira-mcp/messages/"}
HTTP = ENV | {"TRANSPORT": "streamable-http", "STATELESS": "true"}


@pytest.fixture(scope="module")
def real_server(tmp_path_factory):
    mcp_atlassian.install()
    folder = tmp_path_factory.mktemp("jira")
    stand_in = JiraStandIn(StandInArgs(ports=(free_port(),), folder=folder, clock=Clock()))
    containers = {"sse": ([], SSE), "http": ([], HTTP)}
    with served(stand_in, f"{JIRA_IMAGE}:0.23.1", containers, folder) as origins:
        urls = {"sse": f"{origins['sse']}/sse", "http": f"{origins['http']}/mcp"}
        yield stand_in, {name: Session(url) for name, url in urls.items()}


def test_the_server_lists_its_tools(either_session):
    tools = either_session.tools()
    assert len(tools) == 63
    assert {"jira_search", "jira_create_issue", "jira_transition_issue", "jira_add_comment"} <= tools


def test_a_created_issue_is_found_commented_and_moved(either_session, stand_in):
    new = {
        "project_key": "BUOY",
        "summary": "Paint buoy 17",
        "issue_type": "Task",
        "description": "In **red**",
    }
    (created,) = either_session.call(("jira_create_issue", new | {"assignee": "ben"}))
    key = json.loads(created)["issue"]["key"]
    assert key == "BUOY-14"

    issues, steps, _ = either_session.call(
        ("jira_search", {"jql": 'project = BUOY AND summary ~ "paint"'}),
        ("jira_get_transitions", {"issue_key": key}),
        ("jira_add_comment", {"issue_key": key, "body": "Which red?"}),
    )
    assert [issue["key"] for issue in json.loads(issues)["issues"]] == [key]
    done = next(step["id"] for step in json.loads(steps) if step["name"] == "Done")
    _, after = either_session.call(
        ("jira_transition_issue", {"issue_key": key, "transition_id": str(done)}),
        ("jira_get_issue", {"issue_key": key}),
    )
    assert json.loads(after)["status"]["name"] == "Done"
    issue = stand_in.site.issue(key)
    assert (issue.status, issue.resolution, issue.assignee) == ("Done", "Done", "ben")
    assert issue.description == "In *red*"
    assert [comment.body for comment in issue.comments] == ["Which red?"]


def test_an_issue_is_edited(session, stand_in):
    changes = {"priority": {"name": "High"}, "labels": ["tablet"], "assignee": "kenji"}
    (result,) = session.call(("jira_update_issue", {"issue_key": "TIDE-5", "fields": json.dumps(changes)}))
    assert not result.startswith("error")
    issue = stand_in.site.issue("TIDE-5")
    assert (issue.priority, issue.labels, issue.assignee) == ("High", ["tablet"], "kenji")


def test_boards_and_sprints_can_be_read(session):
    boards, sprints, issues = session.call(
        ("jira_get_agile_boards", {"project_key": "BUOY"}),
        ("jira_get_sprints_from_board", {"board_id": "1", "state": "active"}),
        ("jira_get_sprint_issues", {"sprint_id": "15"}),
    )
    assert "BUOY board" in boards
    assert "Sprint 14" in sprints
    assert "Two more buoys for Kilrona" in issues


def test_projects_fields_and_users_can_be_looked_up(session):
    projects, fields, person = session.call(
        ("jira_get_all_projects", {}),
        ("jira_search_fields", {"keyword": "epic"}),
        ("jira_get_user_profile", {"user_identifier": "mara"}),
    )
    assert "Tide app" in projects
    assert "Epic Link" in fields
    assert "Mara Lindqvist" in person


def test_wrong_jql_is_an_error(session):
    (result,) = session.call(("jira_search", {"jql": "colour = blue"}))
    assert "Field 'colour' does not exist" in result


def test_jira_never_receives_the_clients_token(either_session, stand_in):
    either_session.call(("jira_get_issue", {"issue_key": "BUOY-9"}))
    requests = stand_in.request_log.requests()
    assert requests
    assert {request.scheme for request in requests} == {"Basic"}
    assert stand_in.request_log.unknown() == ()
