"""Boards and sprints: `/rest/agile/1.0` (https://docs.atlassian.com/jira-software/REST/latest/)."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from twin.jira.api import Created, Handler, issues_page
from twin.jira.call import Call
from twin.jira.errors import bad_request
from twin.jira.records import Sprint
from twin.jira.search import search

ROUTES: list[tuple[str, str, Handler]] = []
"""Method, path below `/rest/agile/1.0`, and what answers; None as answer is 204."""

_STATES = {"future": {"active"}, "active": {"closed"}, "closed": set[str]()}


def _route(method: str, path: str) -> Callable[[Handler], Handler]:
    def add(handler: Handler) -> Handler:
        ROUTES.append((method, path, handler))
        return handler

    return add


@_route("GET", "/board")
def boards(call: Call) -> dict[str, Any]:
    """Boards, by part of their name, type or project."""
    name, kind = call.query.get("name", "").lower(), call.query.get("type")
    where = call.query.get("projectKeyOrId")
    key = call.site.project(where).key if where else None
    return call.values(
        [
            call.shapes.board(each)
            for each in call.site.boards.values()
            if name in each.name.lower()
            and (kind is None or each.type == kind)
            and (key is None or each.project == key)
        ]
    )


@_route("GET", "/board/{board}")
def board(call: Call) -> dict[str, Any]:
    """One board."""
    return call.shapes.board(call.site.board(call.identifier("board")))


@_route("GET", "/board/{board}/sprint")
def sprints(call: Call) -> dict[str, Any]:
    """The sprints of a board, by state."""
    where = call.site.board(call.identifier("board"))
    if where.type != "scrum":
        raise bad_request("The board does not support sprints")
    states = set((call.query.get("state") or "future,active,closed").split(","))
    found = [each for each in call.site.sprints.values() if each.board == where.id and each.state in states]
    return call.values([call.shapes.sprint(each) for each in found])


@_route("GET", "/board/{board}/issue")
def board_issues(call: Call) -> dict[str, Any]:
    """The issues of a board, narrowed by JQL."""
    where = call.site.board(call.identifier("board"))
    found = search(call.site, call.query.get("jql", ""))
    return issues_page(call, [each for each in found if each.project == where.project])


@_route("POST", "/sprint")
def create_sprint(call: Call) -> Created:
    """Makes a sprint that has not begun."""
    where = call.site.board(int(call.body.get("originBoardId") or 0))
    name = call.body.get("name")
    if not isinstance(name, str) or not name:
        raise bad_request("The sprint name is required")
    sprint = Sprint(id=max(call.site.sprints) + 1, board=where.id, name=name, state="future")
    _set(sprint, call.body)
    call.site.sprints[sprint.id] = sprint
    return Created(call.shapes.sprint(sprint))


@_route("GET", "/sprint/{sprint}")
def sprint(call: Call) -> dict[str, Any]:
    """One sprint."""
    return call.shapes.sprint(_sprint(call))


@_route("POST", "/sprint/{sprint}")
def update_sprint(call: Call) -> dict[str, Any]:
    """Changes some of a sprint; it starts and ends by its `state`."""
    sprint = _sprint(call)
    state = call.body.get("state", sprint.state)
    if state != sprint.state and state not in _STATES[sprint.state]:
        raise bad_request(f"A sprint that is {sprint.state} cannot become {state}")
    sprint.state = state
    _set(sprint, call.body)
    return call.shapes.sprint(sprint)


ROUTES.append(("PUT", "/sprint/{sprint}", update_sprint))


@_route("GET", "/sprint/{sprint}/issue")
def sprint_issues(call: Call) -> dict[str, Any]:
    """The issues of a sprint, narrowed by JQL."""
    sprint = _sprint(call)
    found = search(call.site, call.query.get("jql", ""))
    return issues_page(call, [each for each in found if sprint.id in each.sprints])


@_route("POST", "/sprint/{sprint}/issue")
def move_to_sprint(call: Call) -> None:
    """Moves issues into a sprint that is not over."""
    sprint = _sprint(call)
    if sprint.state == "closed":
        raise bad_request("Issue can be assigned only active or future sprints.")
    for key in call.body.get("issues", ()):
        call.site.change(call.site.issue(str(key)), "sprints", [sprint.id])


@_route("POST", "/backlog/issue")
def move_to_backlog(call: Call) -> None:
    """Takes issues out of their sprints."""
    for key in call.body.get("issues", ()):
        call.site.change(call.site.issue(str(key)), "sprints", [])


def _sprint(call: Call) -> Sprint:
    return call.site.sprint(call.identifier("sprint"))


def _set(sprint: Sprint, body: Any) -> None:
    start, end = (_moment(body.get(name)) for name in ("startDate", "endDate"))
    sprint.name = str(body.get("name") or sprint.name)
    sprint.goal = str(body.get("goal") or sprint.goal)
    sprint.start = start if start is not None else sprint.start
    sprint.end = end if end is not None else sprint.end


def _moment(text: object) -> float | None:
    if text is None or text == "":
        return None
    try:
        moment = dt.datetime.fromisoformat(str(text))
    except ValueError:
        raise bad_request(f"{text!r} is no ISO 8601 date") from None
    return moment.replace(tzinfo=moment.tzinfo or dt.UTC).timestamp()
