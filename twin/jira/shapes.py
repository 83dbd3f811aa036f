"""The JSON of records in Jira's REST API (Data Center, version 2)."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from typing import Any

from twin.jira.fields import EPIC_LINK, EPIC_NAME, NAMES, POINTS, SPRINT
from twin.jira.records import Board, Comment, Issue, Named, Project, Sprint, Status, User, Version
from twin.jira.store import LINK_TYPES, PRIORITIES, RESOLUTIONS, STATUSES, TYPES, Site, date, find

_CATEGORIES = {"new": (2, "To Do"), "indeterminate": (4, "In Progress"), "done": (3, "Done")}


def moment(seconds: float | None) -> str | None:
    """A time in Jira's format: `2026-11-23T02:20:16.000+0000`."""
    if seconds is None:
        return None
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


class Shapes:
    """Converts records to JSON.

    Args:
        site: the site with the records.
        base_url: address of the site, the prefix of links.
    """

    def __init__(self, site: Site, base_url: str) -> None:
        self._site = site
        self.base_url = base_url
        self._api = f"{base_url}/rest/api/2"
        self._agile = f"{base_url}/rest/agile/1.0"

    def user(self, name: str | None) -> dict[str, Any] | None:
        """A user, by name."""
        if name is None:
            return None
        user: User = self._site.users[name]
        return {
            "self": f"{self._api}/user?username={user.name}",
            "key": user.name,
            "name": user.name,
            "emailAddress": f"{user.name}@fairlight-buoys.example",
            "displayName": user.display,
            "active": user.active,
            "timeZone": "Etc/UTC",
            "locale": "en_GB",
        }

    def named(self, kind: str, each: Named) -> dict[str, Any]:
        """A priority, resolution or component."""
        return {"self": f"{self._api}/{kind}/{each.id}", "id": each.id, "name": each.name}

    def issue_type(self, each: Named) -> dict[str, Any]:
        """An issue type."""
        return {
            **self.named("issuetype", each),
            "description": "",
            "subtask": each.name == "Sub-task",
            "iconUrl": "",
        }

    def status(self, each: Status) -> dict[str, Any]:
        """A status with its category."""
        number, name = _CATEGORIES[each.category]
        category = {"id": number, "key": each.category, "name": name}
        return {**self.named("status", each), "description": "", "statusCategory": category}

    def transition(self, each: Status) -> dict[str, Any]:
        """The transition to a status."""
        return {"id": each.transition, "name": each.name, "to": self.status(each), "fields": {}}

    def project(self, each: Project, *, full: bool = False) -> dict[str, Any]:
        """A project."""
        written = {
            "self": f"{self._api}/project/{each.id}",
            "id": each.id,
            "key": each.key,
            "name": each.name,
            "projectTypeKey": "software",
        }
        if not full:
            return written
        return written | {
            "description": each.description,
            "lead": self.user(each.lead),
            "components": [self.named("component", component) for component in each.components],
            "versions": [self.version(version, each) for version in each.versions],
            "issueTypes": [self.issue_type(kind) for kind in TYPES],
        }

    def version(self, each: Version, project: Project) -> dict[str, Any]:
        """A version of a project."""
        return {
            "self": f"{self._api}/version/{each.id}",
            "id": each.id,
            "name": each.name,
            "description": each.description,
            "archived": False,
            "released": each.released,
            "projectId": int(project.id),
            **({"releaseDate": date(each.moment)} if each.moment is not None else {}),
        }

    def comment(self, each: Comment) -> dict[str, Any]:
        """A comment."""
        return {
            "self": f"{self._api}/comment/{each.id}",
            "id": each.id,
            "author": self.user(each.author),
            "updateAuthor": self.user(each.author),
            "body": each.body,
            "created": moment(each.created),
            "updated": moment(each.updated),
        }

    def board(self, each: Board) -> dict[str, Any]:
        """An agile board."""
        return {"id": each.id, "self": f"{self._agile}/board/{each.id}", "name": each.name, "type": each.type}

    def sprint(self, each: Sprint) -> dict[str, Any]:
        """A sprint."""
        times = {"startDate": moment(each.start), "endDate": moment(each.end)}
        return {
            "id": each.id,
            "self": f"{self._agile}/sprint/{each.id}",
            "state": each.state,
            "name": each.name,
            "originBoardId": each.board,
            "goal": each.goal,
            **{name: time for name, time in times.items() if time is not None},
        }

    def link_type(self, name: str) -> dict[str, Any]:
        """A link type."""
        id_, inward, outward = LINK_TYPES[name]
        return {
            "id": id_,
            "name": name,
            "inward": inward,
            "outward": outward,
            "self": f"{self._api}/issueLinkType/{id_}",
        }

    def issue(self, each: Issue, *, wanted: Collection[str] | None = None) -> dict[str, Any]:
        """An issue.

        Args:
            each: the issue.
            wanted: names of fields; None or `*all` for all, `*navigable` for all but comments.
        """
        every = wanted is None or not wanted or "*all" in wanted or "*navigable" in wanted
        # An element may contain several names, and `-comment` removes one.
        chosen = set(NAMES) if every else set(wanted or ()) & set(NAMES)
        chosen -= {name.removeprefix("-") for name in wanted or () if name.startswith("-")}
        if wanted and "*navigable" in wanted:
            chosen -= {"comment"}
        written: dict[str, Any] = {
            "expand": "renderedFields,names,schema",
            "id": each.id,
            "self": f"{self._api}/issue/{each.id}",
            "key": each.key,
            "fields": {name: make(self, each) for name, make in _FIELDS.items() if name in chosen},
        }
        # Jira omits these where they do not apply.
        if each.parent is None:
            written["fields"].pop("parent", None)
        return written

    def short(self, key: str) -> dict[str, Any]:
        """The short form of an issue, for references from other issues."""
        wanted = {"summary", "status", "priority", "issuetype"}
        written = self.issue(self._site.issues[key], wanted=wanted)
        return {name: written[name] for name in ("id", "key", "self", "fields")}

    def links(self, each: Issue) -> list[dict[str, Any]]:
        """The links of an issue, with their direction relative to it."""
        return [
            {
                "id": link.id,
                "type": self.link_type(link.type),
                **(
                    {"outwardIssue": self.short(link.target)}
                    if link.source == each.key
                    else {"inwardIssue": self.short(link.source)}
                ),
            }
            for link in self._site.links
            if each.key in {link.source, link.target}
        ]

    def project_of(self, each: Issue) -> Project:
        """The project of an issue."""
        return self._site.projects[each.project]

    def sub_tasks(self, each: Issue) -> list[dict[str, Any]]:
        """The sub-tasks of an issue."""
        return [self.short(issue.key) for issue in self._site.issues.values() if issue.parent == each.key]

    def sprints(self, each: Issue) -> list[str] | None:
        """The sprints of an issue, in Data Center's string format."""
        sprints = [self._site.sprints[sprint] for sprint in each.sprints]
        return [
            f"com.atlassian.greenhopper.service.sprint.Sprint@{sprint.id:x}[id={sprint.id},rapidViewId="
            f"{sprint.board},state={sprint.state.upper()},name={sprint.name},goal={sprint.goal},"
            f"startDate={moment(sprint.start) or '<null>'},endDate={moment(sprint.end) or '<null>'},"
            f"sequence={sprint.id}]"
            for sprint in sprints
        ] or None


def _found(known: tuple[Named, ...], name: str) -> Named:
    found = find(known, name=name)
    if found is None:
        raise LookupError(f"data.yaml names {name!r}, which does not exist")
    return found


def _status(name: str) -> Status:
    return next(each for each in STATUSES if each.name == name)


def _resolution(shapes: Shapes, each: Issue) -> dict[str, Any] | None:
    if each.resolution is None:
        return None
    return shapes.named("resolution", _found(RESOLUTIONS, each.resolution))


def _components(shapes: Shapes, each: Issue) -> list[dict[str, Any]]:
    known = shapes.project_of(each).components
    return [shapes.named("component", _found(known, name)) for name in each.components]


def _versions(shapes: Shapes, each: Issue) -> list[dict[str, Any]]:
    project = shapes.project_of(each)
    return [shapes.version(version, project) for version in project.versions if version.name in each.versions]


def _comments(shapes: Shapes, each: Issue) -> dict[str, Any]:
    comments = [shapes.comment(comment) for comment in each.comments]
    return {"comments": comments, "maxResults": len(comments), "total": len(comments), "startAt": 0}


_FIELDS: Mapping[str, Callable[[Shapes, Issue], Any]] = {
    "project": lambda shapes, each: shapes.project(shapes.project_of(each)),
    "issuetype": lambda shapes, each: shapes.issue_type(_found(TYPES, each.type)),
    "summary": lambda _, each: each.summary,
    "description": lambda _, each: each.description,
    "status": lambda shapes, each: shapes.status(_status(each.status)),
    "priority": lambda shapes, each: shapes.named("priority", _found(PRIORITIES, each.priority)),
    "resolution": _resolution,
    "resolutiondate": lambda _, each: moment(each.resolved),
    "assignee": lambda shapes, each: shapes.user(each.assignee),
    "reporter": lambda shapes, each: shapes.user(each.reporter),
    "creator": lambda shapes, each: shapes.user(each.reporter),
    "created": lambda _, each: moment(each.created),
    "updated": lambda _, each: moment(each.updated),
    "duedate": lambda _, each: each.due,
    "labels": lambda _, each: each.labels,
    "components": _components,
    "fixVersions": _versions,
    "parent": lambda shapes, each: shapes.short(each.parent) if each.parent else None,
    "subtasks": lambda shapes, each: shapes.sub_tasks(each),
    "issuelinks": lambda shapes, each: shapes.links(each),
    "comment": _comments,
    "attachment": lambda _shapes, _each: [],
    EPIC_LINK: lambda _, each: each.epic,
    EPIC_NAME: lambda _, each: each.summary if each.type == "Epic" else None,
    SPRINT: lambda shapes, each: shapes.sprints(each),
    POINTS: lambda _, each: each.points,
}
