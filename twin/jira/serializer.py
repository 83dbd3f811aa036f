"""Converts records to the JSON of Jira's REST API (Data Center, version 2)."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from typing import Any

from twin.jira.fields import EPIC_LINK, EPIC_NAME, NAMES, POINTS, SPRINT
from twin.jira.records import Board, Comment, Issue, NamedEntity, Project, Sprint, Status, User, Version
from twin.jira.store import LINK_TYPES, PRIORITIES, RESOLUTIONS, STATUSES, TYPES, Site, date, find

_CATEGORIES = {"new": (2, "To Do"), "indeterminate": (4, "In Progress"), "done": (3, "Done")}


def format_time(seconds: float | None) -> str | None:
    """A time in Jira's format: `2026-11-23T02:20:16.000+0000`."""
    if seconds is None:
        return None
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


class Serializer:
    """Converts records to JSON objects.

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

    def named(self, kind: str, record: NamedEntity) -> dict[str, Any]:
        """A priority, resolution or component."""
        return {"self": f"{self._api}/{kind}/{record.id}", "id": record.id, "name": record.name}

    def issue_type(self, record: NamedEntity) -> dict[str, Any]:
        """An issue type."""
        return {
            **self.named("issuetype", record),
            "description": "",
            "subtask": record.name == "Sub-task",
            "iconUrl": "",
        }

    def status(self, record: Status) -> dict[str, Any]:
        """A status with its category."""
        number, name = _CATEGORIES[record.category]
        category = {"id": number, "key": record.category, "name": name}
        return {**self.named("status", record), "description": "", "statusCategory": category}

    def transition(self, record: Status) -> dict[str, Any]:
        """The transition to a status."""
        return {"id": record.transition, "name": record.name, "to": self.status(record), "fields": {}}

    def project(self, record: Project, *, full: bool = False) -> dict[str, Any]:
        """A project; `full` adds its description, lead, components, versions and issue types."""
        written = {
            "self": f"{self._api}/project/{record.id}",
            "id": record.id,
            "key": record.key,
            "name": record.name,
            "projectTypeKey": "software",
        }
        if not full:
            return written
        return written | {
            "description": record.description,
            "lead": self.user(record.lead),
            "components": [self.named("component", component) for component in record.components],
            "versions": [self.version(version, record) for version in record.versions],
            "issueTypes": [self.issue_type(kind) for kind in TYPES],
        }

    def version(self, record: Version, project: Project) -> dict[str, Any]:
        """A version of a project."""
        return {
            "self": f"{self._api}/version/{record.id}",
            "id": record.id,
            "name": record.name,
            "description": record.description,
            "archived": False,
            "released": record.released,
            "projectId": int(project.id),
            **({"releaseDate": date(record.released_at)} if record.released_at is not None else {}),
        }

    def comment(self, record: Comment) -> dict[str, Any]:
        """A comment."""
        return {
            "self": f"{self._api}/comment/{record.id}",
            "id": record.id,
            "author": self.user(record.author),
            "updateAuthor": self.user(record.author),
            "body": record.body,
            "created": format_time(record.created),
            "updated": format_time(record.updated),
        }

    def board(self, record: Board) -> dict[str, Any]:
        """An agile board."""
        return {
            "id": record.id,
            "self": f"{self._agile}/board/{record.id}",
            "name": record.name,
            "type": record.type,
        }

    def sprint(self, record: Sprint) -> dict[str, Any]:
        """A sprint."""
        times = {"startDate": format_time(record.start), "endDate": format_time(record.end)}
        return {
            "id": record.id,
            "self": f"{self._agile}/sprint/{record.id}",
            "state": record.state,
            "name": record.name,
            "originBoardId": record.board,
            "goal": record.goal,
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

    def issue(self, record: Issue, *, wanted: Collection[str] | None = None) -> dict[str, Any]:
        """An issue.

        Args:
            record: the issue.
            wanted: names of fields; None or `*all` for all fields, `*navigable` for all except comments, and
                `-name` to exclude a field.
        """
        every = wanted is None or not wanted or "*all" in wanted or "*navigable" in wanted
        chosen = set(NAMES) if every else set(wanted or ()) & set(NAMES)
        chosen -= {name.removeprefix("-") for name in wanted or () if name.startswith("-")}
        if wanted and "*navigable" in wanted:
            chosen -= {"comment"}
        written: dict[str, Any] = {
            "expand": "renderedFields,names,schema",
            "id": record.id,
            "self": f"{self._api}/issue/{record.id}",
            "key": record.key,
            "fields": {name: make(self, record) for name, make in _FIELDS.items() if name in chosen},
        }
        # Jira omits this field for an issue that is not a sub-task.
        if record.parent is None:
            written["fields"].pop("parent", None)
        return written

    def short(self, key: str) -> dict[str, Any]:
        """The short form of an issue, in which other issues refer to it."""
        wanted = {"summary", "status", "priority", "issuetype"}
        written = self.issue(self._site.issues[key], wanted=wanted)
        return {name: written[name] for name in ("id", "key", "self", "fields")}

    def links(self, record: Issue) -> list[dict[str, Any]]:
        """The links of an issue, with their direction relative to it."""
        return [
            {
                "id": link.id,
                "type": self.link_type(link.type),
                **(
                    {"outwardIssue": self.short(link.target)}
                    if link.source == record.key
                    else {"inwardIssue": self.short(link.source)}
                ),
            }
            for link in self._site.links
            if record.key in {link.source, link.target}
        ]

    def project_of(self, record: Issue) -> Project:
        """The project of an issue."""
        return self._site.projects[record.project]

    def sub_tasks(self, record: Issue) -> list[dict[str, Any]]:
        """The sub-tasks of an issue."""
        return [self.short(issue.key) for issue in self._site.issues.values() if issue.parent == record.key]

    def sprints(self, record: Issue) -> list[str] | None:
        """The sprints of an issue, in Data Center's string format."""
        sprints = [self._site.sprints[sprint] for sprint in record.sprints]
        return [
            f"com.atlassian.greenhopper.service.sprint.Sprint@{sprint.id:x}[id={sprint.id},rapidViewId="
            f"{sprint.board},state={sprint.state.upper()},name={sprint.name},goal={sprint.goal},"
            f"startDate={format_time(sprint.start) or '<null>'},"
            f"endDate={format_time(sprint.end) or '<null>'},"
            f"sequence={sprint.id}]"
            for sprint in sprints
        ] or None


def _found(known: tuple[NamedEntity, ...], name: str) -> NamedEntity:
    entry = find(known, name=name)
    if entry is None:
        raise LookupError(f"data.yaml names {name!r}, which does not exist")
    return entry


def _status(name: str) -> Status:
    return next(status for status in STATUSES if status.name == name)


def _resolution(serializer: Serializer, issue: Issue) -> dict[str, Any] | None:
    if issue.resolution is None:
        return None
    return serializer.named("resolution", _found(RESOLUTIONS, issue.resolution))


def _components(serializer: Serializer, issue: Issue) -> list[dict[str, Any]]:
    known = serializer.project_of(issue).components
    return [serializer.named("component", _found(known, name)) for name in issue.components]


def _versions(serializer: Serializer, issue: Issue) -> list[dict[str, Any]]:
    project = serializer.project_of(issue)
    return [
        serializer.version(version, project) for version in project.versions if version.name in issue.versions
    ]


def _comments(serializer: Serializer, issue: Issue) -> dict[str, Any]:
    comments = [serializer.comment(comment) for comment in issue.comments]
    return {"comments": comments, "maxResults": len(comments), "total": len(comments), "startAt": 0}


_FIELDS: Mapping[str, Callable[[Serializer, Issue], Any]] = {
    "project": lambda serializer, issue: serializer.project(serializer.project_of(issue)),
    "issuetype": lambda serializer, issue: serializer.issue_type(_found(TYPES, issue.type)),
    "summary": lambda _, issue: issue.summary,
    "description": lambda _, issue: issue.description,
    "status": lambda serializer, issue: serializer.status(_status(issue.status)),
    "priority": lambda serializer, issue: serializer.named("priority", _found(PRIORITIES, issue.priority)),
    "resolution": _resolution,
    "resolutiondate": lambda _, issue: format_time(issue.resolved),
    "assignee": lambda serializer, issue: serializer.user(issue.assignee),
    "reporter": lambda serializer, issue: serializer.user(issue.reporter),
    "creator": lambda serializer, issue: serializer.user(issue.reporter),
    "created": lambda _, issue: format_time(issue.created),
    "updated": lambda _, issue: format_time(issue.updated),
    "duedate": lambda _, issue: issue.due,
    "labels": lambda _, issue: issue.labels,
    "components": _components,
    "fixVersions": _versions,
    "parent": lambda serializer, issue: serializer.short(issue.parent) if issue.parent else None,
    "subtasks": lambda serializer, issue: serializer.sub_tasks(issue),
    "issuelinks": lambda serializer, issue: serializer.links(issue),
    "comment": _comments,
    "attachment": lambda _shapes, _issue: [],
    EPIC_LINK: lambda _, issue: issue.epic,
    EPIC_NAME: lambda _, issue: issue.summary if issue.type == "Epic" else None,
    SPRINT: lambda serializer, issue: serializer.sprints(issue),
    POINTS: lambda _, issue: issue.points,
}
