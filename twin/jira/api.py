"""Jira's REST API, version 2, as Data Center has it (https://docs.atlassian.com/software/jira/docs/api/REST/)."""

from collections.abc import Callable
from typing import Any

from twin.jira import fields
from twin.jira.call import Call
from twin.jira.errors import JiraError, bad_request, not_found
from twin.jira.records import Issue, Link, Project, User, Version, Worklog
from twin.jira.search import search as find_issues
from twin.jira.shapes import moment
from twin.jira.site import LINK_TYPES, PRIORITIES, RESOLUTIONS, STATUSES, TYPES, find

Handler = Callable[[Call], Any]
ROUTES: list[tuple[str, str, Handler]] = []
"""Method, path below `/rest/api/2`, and what answers; None as answer is 204."""


def _route(method: str, path: str) -> Callable[[Handler], Handler]:
    def add(handler: Handler) -> Handler:
        ROUTES.append((method, path, handler))
        return handler

    return add


class Created(dict[str, Any]):
    """An answer with status 201."""


@_route("GET", "/serverInfo")
def server_info(call: Call) -> dict[str, Any]:
    """Which Jira this claims to be."""
    return {
        "baseUrl": call.shapes.base_url,
        "version": "9.12.2",
        "versionNumbers": [9, 12, 2],
        "deploymentType": "Server",
        "buildNumber": 9120002,
        "serverTime": moment(call.site.now()),
        "serverTitle": "Fairlight Buoys (stand-in of the twin)",
    }


@_route("GET", "/myself")
def myself(call: Call) -> Any:
    """Whose credentials were sent."""
    return call.shapes.user(call.site.me)


@_route("GET", "/user")
def user(call: Call) -> Any:
    """Somebody by name or key."""
    return call.shapes.user(call.site.user(call.query.get("username") or call.query.get("key", "")).name)


@_route("GET", "/user/search")
def user_search(call: Call) -> list[Any]:
    """People whose name, mail address or displayed name contains a text; `.` is everybody."""
    return _people(call, call.query.get("username", call.query.get("query", "")))


@_route("GET", "/user/assignable/search")
def assignable_search(call: Call) -> list[Any]:
    """People to whom issues can be assigned: in this site all who are active."""
    return _people(call, call.query.get("username", call.query.get("query", "")))


@_route("GET", "/user/viewissue/search")
def viewissue_search(call: Call) -> list[Any]:
    """People who may see an issue: in this site all who are active."""
    return _people(call, call.query.get("username", ""))


@_route("GET", "/user/permission/search")
def permission_search(call: Call) -> list[Any]:
    """People who have permissions: in this site all who are active."""
    return _people(call, call.query.get("username", ""))


@_route("GET", "/field")
def field_list(_call: Call) -> list[dict[str, Any]]:
    """All fields."""
    return fields.definitions()


@_route("GET", "/status")
def statuses(call: Call) -> list[Any]:
    """All statuses."""
    return [call.shapes.status(each) for each in STATUSES]


@_route("GET", "/priority")
def priorities(call: Call) -> list[Any]:
    """All priorities."""
    return [call.shapes.named("priority", each) for each in PRIORITIES]


@_route("GET", "/resolution")
def resolutions(call: Call) -> list[Any]:
    """All resolutions."""
    return [call.shapes.named("resolution", each) for each in RESOLUTIONS]


@_route("GET", "/issuetype")
def issue_types(call: Call) -> list[Any]:
    """All issue types."""
    return [call.shapes.issue_type(each) for each in TYPES]


@_route("GET", "/project")
def projects(call: Call) -> list[Any]:
    """All projects."""
    return [call.shapes.project(each) for each in call.site.projects.values()]


@_route("GET", "/projects/picker")
def projects_picker(call: Call) -> dict[str, Any]:
    """Projects whose key or name contains a text."""
    text = call.query.get("query", "").lower()
    found = [
        call.shapes.project(each)
        for each in call.site.projects.values()
        if text in each.key.lower() or text in each.name.lower()
    ]
    return {"projects": found, "total": len(found), "header": f"Showing {len(found)} of {len(found)}"}


@_route("GET", "/project/{project}")
def project(call: Call) -> dict[str, Any]:
    """One project."""
    return call.shapes.project(_project(call), full=True)


@_route("GET", "/project/{project}/components")
def components(call: Call) -> Any:
    """The components of a project."""
    return call.shapes.project(_project(call), full=True)["components"]


@_route("GET", "/project/{project}/versions")
def versions(call: Call) -> Any:
    """The versions of a project."""
    return call.shapes.project(_project(call), full=True)["versions"]


@_route("GET", "/project/{project}/statuses")
def project_statuses(call: Call) -> list[Any]:
    """The statuses of each issue type of a project: the same for all."""
    _project(call)
    reachable = [call.shapes.status(each) for each in STATUSES]
    return [{**call.shapes.issue_type(each), "statuses": reachable} for each in TYPES]


@_route("POST", "/version")
def create_version(call: Call) -> Created:
    """Makes a version of a project."""
    key, name = str(call.body.get("project", "")), call.body.get("name")
    if not isinstance(name, str) or not name:
        raise bad_request(name="You must specify a valid version name")
    owner = call.site.project(key)
    if any(each.name == name for each in owner.versions):
        raise bad_request(name="A version with this name already exists in this project.")
    version = Version(
        id=call.site.new_id(),
        name=name,
        description=str(call.body.get("description") or ""),
        released=bool(call.body.get("released")),
    )
    owner.versions.append(version)
    return Created(call.shapes.version(version, owner))


@_route("GET", "/version/{version}")
def get_version(call: Call) -> dict[str, Any]:
    """One version."""
    return call.shapes.version(*_version(call))


@_route("PUT", "/version/{version}")
def update_version(call: Call) -> dict[str, Any]:
    """Changes some of a version."""
    version, owner = _version(call)
    version.name = str(call.body.get("name") or version.name)
    version.description = str(call.body.get("description") or version.description)
    version.released = bool(call.body.get("released", version.released))
    return call.shapes.version(version, owner)


@_route("GET", "/issue/createmeta/{project}/issuetypes")
def create_types(call: Call) -> dict[str, Any]:
    """Of which types an issue of a project can be."""
    _project(call)
    return call.values([call.shapes.issue_type(each) for each in TYPES])


@_route("GET", "/issue/createmeta/{project}/issuetypes/{type}")
def create_fields(call: Call) -> dict[str, Any]:
    """What the form for a new issue asks for."""
    where = call.shapes.project(_project(call), full=True)
    kind = find(TYPES, id_=call.path["type"])
    if kind is None:
        raise not_found("The issue type selected is invalid.")
    allowed = {
        "issuetype": [call.shapes.issue_type(kind)],
        "priority": [call.shapes.named("priority", each) for each in PRIORITIES],
        "components": where["components"],
    }
    custom = {fields.EPIC_NAME} if kind.name == "Epic" else {fields.EPIC_LINK, fields.POINTS, fields.SPRINT}
    return call.values(
        [
            {
                "required": name in {"summary", "issuetype", "project"},
                "schema": fields.schema(name),
                "name": fields.NAMES[name],
                "fieldId": name,
                "hasDefaultValue": name == "priority",
                "operations": ["set"],
                **({"allowedValues": allowed[name]} if name in allowed else {}),
            }
            for name in (*fields.CREATABLE, *sorted(custom))
        ]
    )


@_route("GET", "/search")
def search(call: Call) -> dict[str, Any]:
    """Issues found by JQL."""
    found = find_issues(call.site, str(call.query.get("jql", call.body.get("jql", ""))))
    return issues_page(call, found)


ROUTES.append(("POST", "/search", search))


def issues_page(call: Call, found: list[Issue]) -> dict[str, Any]:
    """A page of issues, with the fields that were asked for."""
    some, page = call.page(found)
    wanted = call.fields() or ["*navigable"]
    expand = call.query.get("expand", call.body.get("expand") or ())
    shown = [call.shapes.issue(each, wanted=wanted, changelog="changelog" in expand) for each in some]
    return {"expand": "schema,names", **page, "issues": shown}


@_route("POST", "/issue")
def create_issue(call: Call) -> Created:
    """Makes an issue."""
    return Created(_create(call, call.body))


@_route("POST", "/issue/bulk")
def create_issues(call: Call) -> Created:
    """Makes several issues; those that cannot be made are told."""
    made: list[dict[str, Any]] = []
    wrong: list[dict[str, Any]] = []
    for number, each in enumerate(call.body.get("issueUpdates", ())):
        try:
            made.append(_create(call, each))
        except JiraError as error:
            errors = {"errorMessages": list(error.messages), "errors": error.fields}
            wrong.append({"status": error.status, "elementErrors": errors, "failedElementNumber": number})
    if wrong and not made:
        raise bad_request("None of the issues could be created", **wrong[0]["elementErrors"]["errors"])
    return Created(issues=made, errors=wrong)


@_route("GET", "/issue/{issue}")
def get_issue(call: Call) -> dict[str, Any]:
    """One issue."""
    expand = call.query.get("expand") or ""
    issue = call.shapes.issue(_issue(call), wanted=call.fields(), changelog="changelog" in expand)
    return issue | ({"names": dict(fields.NAMES)} if "names" in expand else {})


@_route("PUT", "/issue/{issue}")
def edit_issue(call: Call) -> None:
    """Changes fields."""
    issue = _issue(call)
    fields.apply(call.site, issue, call.body.get("fields", {}))
    fields.update(call.site, issue, call.body.get("update") or {})


@_route("DELETE", "/issue/{issue}")
def delete_issue(call: Call) -> None:
    """Deletes an issue; with sub-tasks only if that is said."""
    issue = _issue(call)
    if call.shapes.sub_tasks(issue) and call.query.get("deleteSubtasks") != "true":
        raise bad_request(f"The issue '{issue.key}' has subtasks. You must specify 'deleteSubtasks'.")
    call.site.delete(issue)


@_route("PUT", "/issue/{issue}/assignee")
def assign(call: Call) -> None:
    """Assigns an issue."""
    fields.apply(call.site, _issue(call), {"assignee": {"name": call.body.get("name")}})


@_route("GET", "/issue/{issue}/comment")
def comments(call: Call) -> dict[str, Any]:
    """The comments on an issue."""
    return call.shapes.issue(_issue(call), wanted={"comment"})["fields"]["comment"]


@_route("POST", "/issue/{issue}/comment")
def add_comment(call: Call) -> Created:
    """Comments."""
    return Created(call.shapes.comment(call.site.comment(_issue(call), call.body.get("body"))))


@_route("PUT", "/issue/{issue}/comment/{comment}")
def edit_comment(call: Call) -> dict[str, Any]:
    """Changes a comment."""
    for comment in _issue(call).comments:
        if comment.id == call.path["comment"]:
            body = call.body.get("body")
            if not isinstance(body, str) or not body.strip():
                raise bad_request(comment="Comment body can not be empty!")
            comment.body, comment.updated = body, call.site.now()
            return call.shapes.comment(comment)
    raise not_found(f"Can not find a comment for the id: {call.path['comment']}.")


@_route("GET", "/issue/{issue}/transitions")
def transitions(call: Call) -> dict[str, Any]:
    """Where an issue can go: every other status."""
    issue = _issue(call)
    steps = [call.shapes.transition(each) for each in STATUSES if each.name != issue.status]
    return {"expand": "transitions", "transitions": steps}


@_route("POST", "/issue/{issue}/transitions")
def transition(call: Call) -> None:
    """Moves an issue."""
    issue = _issue(call)
    wanted = call.body.get("transition") or {}
    for status in STATUSES:
        named = str(wanted.get("id")) == status.transition or wanted.get("name") == status.name
        if named and status.name != issue.status:
            given = dict(call.body.get("fields") or {})
            resolution = (given.pop("resolution", None) or {}).get("name")
            fields.apply(call.site, issue, given)
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


@_route("GET", "/issue/{issue}/watchers")
def watchers(call: Call) -> dict[str, Any]:
    """Who watches an issue."""
    issue = _issue(call)
    people = [call.shapes.user(each) for each in issue.watchers]
    return {"isWatching": call.site.me in issue.watchers, "watchCount": len(people), "watchers": people}


@_route("POST", "/issue/{issue}/watchers")
def add_watcher(call: Call) -> None:
    """Adds a watcher; the body is a name."""
    issue, name = _issue(call), call.site.user(str(call.body.get("value") or call.site.me)).name
    if name not in issue.watchers:
        issue.watchers.append(name)


@_route("DELETE", "/issue/{issue}/watchers")
def remove_watcher(call: Call) -> None:
    """Removes a watcher."""
    issue, name = _issue(call), call.site.user(call.query.get("username", "")).name
    if name in issue.watchers:
        issue.watchers.remove(name)


@_route("GET", "/issue/{issue}/worklog")
def worklogs(call: Call) -> dict[str, Any]:
    """Time spent on an issue."""
    return call.shapes.issue(_issue(call), wanted={"worklog"})["fields"]["worklog"]


@_route("POST", "/issue/{issue}/worklog")
def add_worklog(call: Call) -> Created:
    """Notes time spent."""
    seconds = call.body.get("timeSpentSeconds") or _duration(str(call.body.get("timeSpent", "")))
    if not isinstance(seconds, int) or seconds <= 0:
        raise bad_request(timeLogged="Invalid time duration entered.")
    now = call.site.now()
    worklog = Worklog(
        id=call.site.new_id(),
        author=call.site.me,
        comment=str(call.body.get("comment") or ""),
        started=str(call.body.get("started") or moment(now)),
        seconds=seconds,
        created=now,
    )
    call.site.log_work(_issue(call), worklog)
    return Created(call.shapes.worklog(worklog))


@_route("GET", "/issue/{issue}/remotelink")
def remote_links(call: Call) -> list[dict[str, Any]]:
    """Links to elsewhere."""
    return _issue(call).remote_links


@_route("POST", "/issue/{issue}/remotelink")
def add_remote_link(call: Call) -> Created:
    """Adds a link to elsewhere."""
    target = call.body.get("object") or {}
    if not target.get("url") or not target.get("title"):
        raise bad_request(object="'url' and 'title' are required.")
    link = {**call.body, "id": int(call.site.new_id())}
    _issue(call).remote_links.append(link)
    return Created(
        id=link["id"], self=f"{call.shapes.issue(_issue(call), wanted=['key'])['self']}/remotelink"
    )


@_route("GET", "/issueLinkType")
def link_types(call: Call) -> dict[str, Any]:
    """All types of links."""
    return {"issueLinkTypes": [call.shapes.link_type(name) for name in LINK_TYPES]}


@_route("POST", "/issueLink")
def create_link(call: Call) -> Created:
    """Links the `inwardIssue`, which acts, to the `outwardIssue`."""
    name = str((call.body.get("type") or {}).get("name"))
    kind = next((each for each in LINK_TYPES if each.lower() == name.lower()), None)
    if kind is None:
        raise not_found(f"No issue link type with name '{name}' found.")
    source, target = (
        call.site.issue(str((call.body.get(side) or {}).get("key")))
        for side in ("inwardIssue", "outwardIssue")
    )
    call.site.links.append(Link(id=call.site.new_id(), type=kind, source=source.key, target=target.key))
    body = (call.body.get("comment") or {}).get("body")
    if body:
        call.site.comment(source, body)
    return Created()


@_route("DELETE", "/issueLink/{link}")
def delete_link(call: Call) -> None:
    """Removes a link."""
    for link in call.site.links:
        if link.id == call.path["link"]:
            call.site.links.remove(link)
            return
    raise not_found(f"No issue link with id '{call.path['link']}' exists.")


def _issue(call: Call) -> Issue:
    return call.site.issue(call.path["issue"])


def _project(call: Call) -> Project:
    return call.site.project(call.path["project"])


def _version(call: Call) -> tuple[Version, Project]:
    for owner in call.site.projects.values():
        for version in owner.versions:
            if version.id == call.path["version"]:
                return version, owner
    raise not_found(f"Could not find version for id '{call.path['version']}'")


def _people(call: Call, text: str) -> list[Any]:
    wanted = "" if text in {".", "%", "_"} else text.lower()

    def matches(each: User) -> bool:
        texts = (each.name, each.display.lower(), f"{each.name}@fairlight-buoys.example")
        return each.active and any(wanted in known for known in texts)

    found = [call.shapes.user(each.name) for each in call.site.users.values() if matches(each)]
    return list(call.page(found)[0])


def _create(call: Call, body: Any) -> dict[str, Any]:
    given = body.get("fields") if isinstance(body, dict) else None
    if not isinstance(given, dict):
        raise bad_request("one of 'fields' or 'update' required")
    missing = {
        name: message
        for name, message in (
            ("project", "project is required"),
            ("issuetype", "issue type is required"),
            ("summary", "You must specify a summary of the issue."),
        )
        if not given.get(name)
    }
    if missing:
        raise bad_request(**missing)
    site = call.site
    try:
        key = given["project"].get("key") or given["project"].get("id")
        owner = site.project(str(key))
    except (JiraError, AttributeError):
        raise bad_request(project="valid project is required") from None
    now = site.now()
    issue = Issue(
        id=site.new_id(),
        key=f"{owner.key}-{owner.last + 1}",
        project=owner.key,
        type="Task",
        summary="",
        status=STATUSES[0].name,
        priority="Medium",
        reporter=site.me,
        created=now,
        updated=now,
        watchers=[site.me],
    )
    fields.apply(site, issue, given)
    fields.update(site, issue, body.get("update") or {})
    if issue.type == "Sub-task" and issue.parent is None:
        raise bad_request(issuetype="Issue type is a sub-task but parent issue key or id not specified.")
    if issue.type != "Sub-task" and issue.parent is not None:
        raise bad_request(parent="Field 'parent' cannot be set: the issue is no sub-task.")
    issue.changes.clear()
    owner.last += 1
    site.issues[issue.key] = issue
    return {name: call.shapes.issue(issue, wanted=["key"])[name] for name in ("id", "key", "self")}


def _duration(text: str) -> int | None:
    """Seconds in `1w 2d 3h 30m`, where a day has eight hours and a week five days."""
    units = {"w": 5 * 8 * 3600, "d": 8 * 3600, "h": 3600, "m": 60}
    total = 0
    for part in text.split():
        if part[-1] not in units or not part[:-1].isdigit():
            return None
        total += int(part[:-1]) * units[part[-1]]
    return total or None
