"""JQL: results, their order, and the errors of an invalid query."""

import pytest

from twin.jira.errors import JiraError
from twin.jira.search import search
from twin.jira.store import Site

NOW = 1_790_000_000.0


@pytest.fixture(scope="module")
def site() -> Site:
    return Site(lambda: NOW)


def keys(site: Site, jql: str) -> list[str]:
    return [issue.key for issue in search(site, jql)]


@pytest.mark.parametrize(
    ("jql", "expected_keys"),
    [
        ("project = TIDE AND status = Done ORDER BY key", ["TIDE-2", "TIDE-3"]),
        ("project = TIDE AND status = Done ORDER BY key DESC", ["TIDE-3", "TIDE-2"]),
        ('project = "Tide app" AND type = Bug ORDER BY priority DESC', ["TIDE-6", "TIDE-5"]),
        ("labels in (kilrona) AND project = BUOY ORDER BY key", ["BUOY-9", "BUOY-13"]),
        ("project = BUOY AND assignee is EMPTY ORDER BY key ASC", ["BUOY-13"]),
        ("project = TIDE and assignee is not empty and type != Epic and status not in (Done) order by key",
         ["TIDE-4", "TIDE-6", "TIDE-7"]),
        ('text ~ "shackle"', ["BUOY-9"]),
        ('summary ~ "kilrona late"', ["TIDE-6"]),
        ("project = BUOY AND (status = 'In Review' OR assignee = kenji) AND NOT status = Done", ["BUOY-12"]),
        ('sprint in openSprints() AND statusCategory = "To Do" ORDER BY key', ["BUOY-6", "BUOY-10"]),
        ("sprint = 15", ["BUOY-13"]),
        ('"Epic Link" = TIDE-1 ORDER BY key', ["TIDE-2", "TIDE-3", "TIDE-6"]),
        ("parent = BUOY-5", ["BUOY-6"]),
        ("created >= -1d ORDER BY created", ["BUOY-10", "BUOY-12"]),
        ("due < 3d AND status != Done ORDER BY due", ["TIDE-4", "TIDE-7"]),
        ("resolution = 'Cannot Reproduce'", ["BUOY-8"]),
        ("issuekey in (BUOY-2, TIDE-1) order by key", ["BUOY-2", "TIDE-1"]),
        ("fixVersion = 'fw 2.8' ORDER BY key", ["BUOY-4", "BUOY-5"]),
        ("reporter = currentUser()", []),
    ],
)  # fmt: skip
def test_a_query_finds_the_expected_issues(site, jql, expected_keys):
    assert keys(site, jql) == expected_keys


def test_an_empty_query_finds_everything_newest_first(site):
    issues = search(site, "")
    assert len(issues) == len(site.issues) == 20
    assert [issue.created for issue in issues] == sorted((issue.created for issue in issues), reverse=True)


def test_a_query_can_consist_of_an_order_only(site):
    assert keys(site, "ORDER BY key")[:2] == ["BUOY-1", "BUOY-2"]
    assert keys(site, "ORDER BY key").index("BUOY-9") < keys(site, "ORDER BY key").index("BUOY-10")


@pytest.mark.parametrize(
    ("jql", "message"),
    [
        ("colour = blue", "Field 'colour' does not exist"),
        ("project = NOPE", "The value 'NOPE' does not exist for the field 'project'"),
        ("status = Sunk", "The value 'Sunk' does not exist for the field 'status'"),
        ("project ~ BUOY", "The operator '~' is not supported by the 'project' field"),
        ("summary = x", "The operator '=' is not supported by the 'summary' field"),
        ("project = BUOY status = Done", "Expecting either 'OR' or 'AND' but got 'status'"),
        ("project =", "Expecting a value, list or function before the end of the query"),
        ("(project = BUOY", "Expecting ')' before the end"),
        ("project = 'BUOY", "is not allowed here"),
        ("created > yesterday", "Date value 'yesterday' for field 'created' is invalid"),
        ("assignee = membersOf(sailors)", "Unable to find JQL function 'membersof()'"),
        ("project = BUOY ORDER BY colour", "Field 'colour' does not exist"),
        ("project is BUOY", "takes EMPTY or NULL only"),
    ],
)
def test_an_invalid_query_is_rejected_with_its_error(site, jql, message):
    with pytest.raises(JiraError) as refused:
        search(site, jql)
    assert refused.value.status == 400
    assert message in str(refused.value)
