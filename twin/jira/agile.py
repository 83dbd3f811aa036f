"""Boards and sprints: the operations below `/rest/agile/1.0` (https://docs.atlassian.com/jira-software/REST/latest/)."""

from collections.abc import Callable
from typing import Any

from twin.jira.api import Handler, issues_page
from twin.jira.call import Call
from twin.jira.errors import bad_request
from twin.jira.records import Sprint
from twin.jira.search import search

ROUTES: list[tuple[str, str, Handler]] = []
"""Method, path below `/rest/agile/1.0`, and handler. The result None of a handler is sent as status 204."""


def _route(method: str, path: str) -> Callable[[Handler], Handler]:
    def add(handler: Handler) -> Handler:
        ROUTES.append((method, path, handler))
        return handler

    return add


@_route("GET", "/board")
def boards(call: Call) -> dict[str, Any]:
    """The boards, filtered by part of their name, by type or by project."""
    name, kind = call.query.get("name", "").lower(), call.query.get("type")
    project = call.query.get("projectKeyOrId")
    key = call.site.project(project).key if project else None
    return call.values(
        [
            call.serializer.board(board)
            for board in call.site.boards.values()
            if name in board.name.lower()
            and (kind is None or board.type == kind)
            and (key is None or board.project == key)
        ]
    )


@_route("GET", "/board/{board}/sprint")
def sprints(call: Call) -> dict[str, Any]:
    """The sprints of a board, filtered by state."""
    board = call.site.board(call.identifier("board"))
    if board.type != "scrum":
        raise bad_request("The board does not support sprints")
    states = set((call.query.get("state") or "future,active,closed").split(","))
    matching = [
        sprint for sprint in call.site.sprints.values() if sprint.board == board.id and sprint.state in states
    ]
    return call.values([call.serializer.sprint(sprint) for sprint in matching])


@_route("GET", "/board/{board}/issue")
def board_issues(call: Call) -> dict[str, Any]:
    """The issues of a board, filtered by JQL."""
    board = call.site.board(call.identifier("board"))
    issues = search(call.site, call.query.get("jql", ""))
    return issues_page(call, [issue for issue in issues if issue.project == board.project])


@_route("GET", "/sprint/{sprint}")
def sprint(call: Call) -> dict[str, Any]:
    """One sprint."""
    return call.serializer.sprint(_sprint(call))


@_route("GET", "/sprint/{sprint}/issue")
def sprint_issues(call: Call) -> dict[str, Any]:
    """The issues of a sprint, filtered by JQL."""
    sprint = _sprint(call)
    issues = search(call.site, call.query.get("jql", ""))
    return issues_page(call, [issue for issue in issues if sprint.id in issue.sprints])


def _sprint(call: Call) -> Sprint:
    return call.site.sprint(call.identifier("sprint"))
