"""The stand-in for Jira responds as Data Center does."""

import pytest
from starlette.testclient import TestClient

from twin.jira.app import create_app
from twin.jira.store import Site
from twin.request_log import RequestLog

NOW = 1_790_000_000.0
ACCOUNT = ("gateway@fairlight-buoys.example", "secret")


class Jira:
    def __init__(self):
        self.site = Site(lambda: NOW)
        self.request_log = RequestLog()
        app = create_app(
            self.site,
            username=ACCOUNT[0],
            token=ACCOUNT[1],
            base_url="http://jira.example",
            request_log=self.request_log,
        )
        self.http = TestClient(app)

    def __call__(self, method, path, body=None, **query):
        return self.http.request(method, f"/rest/{path}", json=body, params=query, auth=ACCOUNT)


@pytest.fixture
def jira():
    return Jira()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer the-gateways"},
        {"Authorization": "Basic !"},
        {"Authorization": "Basic eDp5"},
    ],
)
def test_other_credentials_are_refused(jira, headers):
    answer = jira.http.get("/rest/api/2/myself", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Basic"


def test_the_account_is_the_user_of_the_credentials(jira):
    assert jira("GET", "api/2/myself").json()["displayName"] == "MCP Gateway"
    assert jira("GET", "api/latest/serverInfo").json()["deploymentType"] == "Server"


def test_an_unknown_path_results_in_404_and_is_recorded(jira):
    assert jira("GET", "api/2/dashboard").status_code == 404
    assert jira("GET", "api/2/issue/BUOY-99").json()["errorMessages"] == ["Issue Does Not Exist"]
    assert jira.request_log.unknown() == ("GET /rest/api/2/dashboard",)


def test_a_new_issue_has_the_next_number_and_the_default_values(jira):
    fields = {"project": {"key": "TIDE"}, "issuetype": {"name": "bug"}, "summary": "Moon is missing"}
    answer = jira("POST", "api/2/issue", {"fields": fields})
    assert answer.status_code == 201
    assert answer.json()["key"] == "TIDE-8"
    created = jira("GET", "api/2/issue/TIDE-8", fields="status,priority,issuetype,reporter,assignee").json()
    assert created["fields"]["status"]["name"] == "To Do"
    assert created["fields"]["priority"]["name"] == "Medium"
    assert created["fields"]["issuetype"]["name"] == "Bug"
    assert created["fields"]["reporter"]["name"] == "gateway"
    assert created["fields"]["assignee"] is None
    assert "summary" not in created["fields"]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"summary": ""}, "summary"),
        ({"project": {"key": "NOPE"}}, "project"),
        ({"issuetype": {"name": "Wish"}}, "issuetype"),
        ({"priority": {"name": "Panic"}}, "priority"),
        ({"assignee": {"name": "nobody"}}, "assignee"),
        ({"labels": ["two words"]}, "labels"),
        ({"components": [{"name": "Sails"}]}, "components"),
        ({"duedate": "soon"}, "duedate"),
        ({"customfield_99999": 1}, "customfield_99999"),
        ({"issuetype": {"name": "Sub-task"}}, "issuetype"),
        ({"parent": {"key": "TIDE-1"}}, "parent"),
    ],
)
def test_an_invalid_field_is_named_and_no_issue_is_created(jira, fields, wrong):
    good = {"project": {"key": "TIDE"}, "issuetype": {"name": "Task"}, "summary": "x"}
    answer = jira("POST", "api/2/issue", {"fields": good | fields})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [wrong]
    assert "TIDE-8" not in jira.site.issues
    assert jira.site.projects["TIDE"].last_number == 7


@pytest.mark.parametrize(
    ("sprint", "message"),
    [("soon", "The Sprint id must be a number, not 'soon'"), (99, "Sprint does not exist: 99")],
)
def test_the_error_of_an_invalid_sprint_gives_the_reason(jira, sprint, message):
    answer = jira("PUT", "api/2/issue/BUOY-1", {"fields": {"customfield_10102": sprint}})
    assert answer.status_code == 400
    assert answer.json()["errors"] == {"customfield_10102": message}


def test_a_transition_changes_status_and_resolution(jira):
    steps = jira("GET", "api/2/issue/BUOY-10/transitions").json()["transitions"]
    assert [step["to"]["name"] for step in steps] == ["In Progress", "In Review", "Done"]
    body = {"transition": {"id": "41"}, "update": {"comment": [{"add": {"body": "All chains are fine"}}]}}
    assert jira("POST", "api/2/issue/BUOY-10/transitions", body).status_code == 204
    issue = jira("GET", "api/2/issue/BUOY-10").json()
    assert issue["fields"]["status"]["statusCategory"]["key"] == "done"
    assert issue["fields"]["resolution"]["name"] == "Done"
    assert issue["fields"]["comment"]["comments"][0]["body"] == "All chains are fine"
    again = jira("POST", "api/2/issue/BUOY-10/transitions", {"transition": {"id": "41"}})
    assert again.status_code == 400


def test_links_are_shown_for_both_issues(jira):
    (link,) = jira("GET", "api/2/issue/BUOY-9", fields="issuelinks").json()["fields"]["issuelinks"]
    assert (link["outwardIssue"]["key"], link["type"]["outward"]) == ("BUOY-10", "blocks")
    (link,) = jira("GET", "api/2/issue/BUOY-10", fields="issuelinks").json()["fields"]["issuelinks"]
    assert (link["inwardIssue"]["key"], link["type"]["inward"]) == ("BUOY-9", "is blocked by")


def test_search_returns_pages_with_the_requested_fields(jira):
    page = jira("GET", "api/2/search", jql="order by key", startAt=18, maxResults=5, fields="summary").json()
    assert (page["total"], page["startAt"], len(page["issues"])) == (20, 18, 2)
    assert list(page["issues"][0]["fields"]) == ["summary"]
    wrong = jira("POST", "api/2/search", {"jql": "colour = blue"})
    assert wrong.status_code == 400
    assert wrong.json()["errors"] == {}
    assert jira("GET", "api/2/search", jql="", maxResults="many").status_code == 400


def test_a_board_and_a_sprint_have_their_issues(jira):
    boards = jira("GET", "agile/1.0/board", projectKeyOrId="BUOY").json()["values"]
    assert [(board["id"], board["type"]) for board in boards] == [(1, "scrum")]
    (active,) = jira("GET", "agile/1.0/board/1/sprint", state="active").json()["values"]
    issues = jira("GET", f"agile/1.0/sprint/{active['id']}/issue", jql="status = Done").json()["issues"]
    assert {issue["fields"]["status"]["name"] for issue in issues} == {"Done"}
    of_board = jira("GET", "agile/1.0/board/2/issue").json()["issues"]
    assert {issue["key"].partition("-")[0] for issue in of_board} == {"TIDE"}
    assert jira("GET", "agile/1.0/board/2/sprint").status_code == 400
    assert jira("GET", "agile/1.0/sprint/99/issue").status_code == 404


def test_every_issue_can_be_shown_with_all_its_fields(jira):
    for key in jira.site.issues:
        fields = jira("GET", f"api/2/issue/{key}", fields="*all").json()["fields"]
        assert fields["summary"] == jira.site.issues[key].summary


def test_a_reset_restores_the_initial_data(jira):
    before = jira("GET", "api/2/search", jql="", maxResults=100, fields="*all").json()
    jira("PUT", "api/2/issue/BUOY-1", {"fields": {"summary": "Other"}})
    jira.site.reset()
    assert jira("GET", "api/2/search", jql="", maxResults=100, fields="*all").json() == before
