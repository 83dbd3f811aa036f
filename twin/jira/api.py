"""Jira's REST API, version 2, of Data Center (https://docs.atlassian.com/software/jira/docs/api/REST/)."""

from collections.abc import Callable
from typing import Any

from twin.jira import fields
from twin.jira.call import Call
from twin.jira.errors import JiraError, bad_request
from twin.jira.records import Issue, Project, User
from twin.jira.search import search as find_issues
from twin.jira.serializer import format_time
from twin.jira.store import STATUSES

Handler = Callable[[Call], Any]
ROUTES: list[tuple[str, str, Handler]] = []
"""Method, path below `/rest/api/2`, and handler. The result None of a handler is sent as status 204."""


def _route(method: str, path: str) -> Callable[[Handler], Handler]:
    def add(handler: Handler) -> Handler:
        ROUTES.append((method, path, handler))
        return handler

    return add


class Created(dict[str, Any]):
    """A result that is sent with status 201."""


@_route("GET", "/serverInfo")
def server_info(call: Call) -> dict[str, Any]:
    """The version of Jira that the stand-in reports."""
    return {
        "baseUrl": call.serializer.base_url,
        "version": "9.12.2",
        "versionNumbers": [9, 12, 2],
        "deploymentType": "Server",
        "buildNumber": 9120002,
        "serverTime": format_time(call.site.now()),
        "serverTitle": "Fairlight Buoys (stand-in of the twin)",
    }


@_route("GET", "/myself")
def myself(call: Call) -> Any:
    """The user to whom the credentials belong."""
    return call.serializer.user(call.site.me)


@_route("GET", "/user")
def user(call: Call) -> Any:
    """A user by name or key."""
    return call.serializer.user(call.site.user(call.query.get("username") or call.query.get("key", "")).name)


@_route("GET", "/user/search")
def user_search(call: Call) -> list[Any]:
    """Users whose name, email address or display name contains a string; `.` finds all users."""
    return _matching_users(call, call.query.get("username", call.query.get("query", "")))


@_route("GET", "/user/assignable/search")
def assignable_search(call: Call) -> list[Any]:
    """Users to whom issues can be assigned: all active users of the site."""
    return _matching_users(call, call.query.get("username", call.query.get("query", "")))


@_route("GET", "/field")
def field_list(_call: Call) -> list[dict[str, Any]]:
    """All fields."""
    return fields.definitions()


@_route("GET", "/project")
def projects(call: Call) -> list[Any]:
    """All projects."""
    return [call.serializer.project(project) for project in call.site.projects.values()]


@_route("GET", "/project/{project}")
def project(call: Call) -> dict[str, Any]:
    """One project."""
    return call.serializer.project(_project(call), full=True)


@_route("GET", "/search")
def search(call: Call) -> dict[str, Any]:
    """Issues found by JQL."""
    issues = find_issues(call.site, str(call.query.get("jql", call.body.get("jql", ""))))
    return issues_page(call, issues)


ROUTES.append(("POST", "/search", search))


def issues_page(call: Call, issues: list[Issue]) -> dict[str, Any]:
    """A page of issues, with the requested fields."""
    some, page = call.page(issues)
    wanted = call.fields() or ["*navigable"]
    shown = [call.serializer.issue(issue, wanted=wanted) for issue in some]
    return {"expand": "schema,names", **page, "issues": shown}


@_route("POST", "/issue")
def create_issue(call: Call) -> Created:
    """Creates an issue."""
    return Created(_create(call, call.body))


@_route("GET", "/issue/{issue}")
def get_issue(call: Call) -> dict[str, Any]:
    """One issue."""
    return call.serializer.issue(_issue(call), wanted=call.fields())


@_route("PUT", "/issue/{issue}")
def edit_issue(call: Call) -> None:
    """Changes fields of an issue."""
    issue = _issue(call)
    fields.apply(call.site, issue, call.body.get("fields", {}))
    fields.update(call.site, issue, call.body.get("update") or {})


@_route("PUT", "/issue/{issue}/assignee")
def assign(call: Call) -> None:
    """Assigns an issue."""
    fields.apply(call.site, _issue(call), {"assignee": {"name": call.body.get("name")}})


@_route("GET", "/issue/{issue}/comment")
def comments(call: Call) -> dict[str, Any]:
    """The comments on an issue."""
    return call.serializer.issue(_issue(call), wanted={"comment"})["fields"]["comment"]


@_route("POST", "/issue/{issue}/comment")
def add_comment(call: Call) -> Created:
    """Adds a comment to an issue."""
    return Created(call.serializer.comment(call.site.comment(_issue(call), call.body.get("body"))))


@_route("GET", "/issue/{issue}/transitions")
def transitions(call: Call) -> dict[str, Any]:
    """The possible transitions of an issue: one to each status except its current one."""
    issue = _issue(call)
    steps = [call.serializer.transition(status) for status in STATUSES if status.name != issue.status]
    return {"expand": "transitions", "transitions": steps}


@_route("POST", "/issue/{issue}/transitions")
def transition(call: Call) -> None:
    """Moves an issue to another status."""
    issue = _issue(call)
    wanted = call.body.get("transition") or {}
    for status in STATUSES:
        named = str(wanted.get("id")) == status.transition or wanted.get("name") == status.name
        if named and status.name != issue.status:
            changes = dict(call.body.get("fields") or {})
            resolution = (changes.pop("resolution", None) or {}).get("name")
            fields.apply(call.site, issue, changes)
            fields.update(call.site, issue, call.body.get("update") or {})
            call.site.transition(issue, status, resolution)
            return
    if "id" not in wanted and "name" not in wanted:
        raise bad_request("Missing 'transition' identifier")
    step = wanted.get("id") or wanted.get("name")
    raise bad_request(
        f"It seems that you have tried to perform a workflow operation ({step}) that is not valid for the "
        f"current state of this issue ({issue.key})."
    )


def _issue(call: Call) -> Issue:
    return call.site.issue(call.path["issue"])


def _project(call: Call) -> Project:
    return call.site.project(call.path["project"])


def _matching_users(call: Call, text: str) -> list[Any]:
    wanted = "" if text in {".", "%", "_"} else text.lower()

    def matches(user: User) -> bool:
        texts = (user.name, user.display.lower(), f"{user.name}@fairlight-buoys.example")
        return user.active and any(wanted in known for known in texts)

    users = [call.serializer.user(user.name) for user in call.site.users.values() if matches(user)]
    return list(call.page(users)[0])


def _create(call: Call, body: Any) -> dict[str, Any]:
    values = body.get("fields") if isinstance(body, dict) else None
    if not isinstance(values, dict):
        raise bad_request("one of 'fields' or 'update' required")
    missing = {
        name: message
        for name, message in (
            ("project", "project is required"),
            ("issuetype", "issue type is required"),
            ("summary", "You must specify a summary of the issue."),
        )
        if not values.get(name)
    }
    if missing:
        raise bad_request(**missing)
    site = call.site
    try:
        key = values["project"].get("key") or values["project"].get("id")
        owner = site.project(str(key))
    except (JiraError, AttributeError):
        raise bad_request(project="valid project is required") from None
    now = site.now()
    issue = Issue(
        id=site.new_id(),
        key=f"{owner.key}-{owner.last_number + 1}",
        project=owner.key,
        type="Task",
        summary="",
        status=STATUSES[0].name,
        priority="Medium",
        reporter=site.me,
        created=now,
        updated=now,
    )
    fields.apply(site, issue, values)
    fields.update(site, issue, body.get("update") or {})
    if issue.type == "Sub-task" and issue.parent is None:
        raise bad_request(issuetype="Issue type is a sub-task but parent issue key or id not specified.")
    if issue.type != "Sub-task" and issue.parent is not None:
        raise bad_request(parent="Field 'parent' cannot be set: the issue is not a sub-task.")
    owner.last_number += 1
    site.issues[issue.key] = issue
    return {name: call.serializer.issue(issue, wanted=["key"])[name] for name in ("id", "key", "self")}
