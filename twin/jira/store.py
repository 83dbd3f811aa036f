"""The Jira site of the stand-in.

The site is kept in memory and initially has the content of `data.yaml`. A reset restores this content.
"""

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from twin import ago, initial_data
from twin.jira.errors import bad_request, not_found
from twin.jira.records import (
    Board,
    Comment,
    Issue,
    Link,
    NamedEntity,
    Project,
    Sprint,
    Status,
    User,
    Version,
)

DATA = Path(__file__).with_name("data.yaml")

STATUSES = (
    Status(id="10000", name="To Do", category="new", transition="11"),
    Status(id="3", name="In Progress", category="indeterminate", transition="21"),
    Status(id="10001", name="In Review", category="indeterminate", transition="31"),
    Status(id="10002", name="Done", category="done", transition="41"),
)
PRIORITIES = tuple(
    NamedEntity(id=str(number), name=name)
    for number, name in enumerate(("Highest", "High", "Medium", "Low", "Lowest"), start=1)
)
TYPES = (
    NamedEntity(id="10000", name="Epic"),
    NamedEntity(id="10001", name="Story"),
    NamedEntity(id="10002", name="Task"),
    NamedEntity(id="10003", name="Bug"),
    NamedEntity(id="10004", name="Sub-task"),
)
RESOLUTIONS = (
    NamedEntity(id="10000", name="Done"),
    NamedEntity(id="10001", name="Won't Do"),
    NamedEntity(id="10002", name="Duplicate"),
    NamedEntity(id="10003", name="Cannot Reproduce"),
)
LINK_TYPES: Mapping[str, tuple[str, str, str]] = {
    "Blocks": ("10000", "is blocked by", "blocks"),
    "Cloners": ("10001", "is cloned by", "clones"),
    "Duplicate": ("10002", "is duplicated by", "duplicates"),
    "Relates": ("10003", "relates to", "relates to"),
}
"""The id, inward description and outward description of each link type, by its name."""


def find(known: Iterable[NamedEntity], *, id_: object = None, name: object = None) -> NamedEntity | None:
    """The first entry with this id or this name (case-insensitive), or None."""
    for entry in known:
        if entry.id == str(id_) or (name is not None and entry.name.lower() == str(name).lower()):
            return entry
    return None


def date(time: float) -> str:
    """The date of a time in POSIX seconds, such as `2026-11-23`."""
    return dt.datetime.fromtimestamp(time, dt.UTC).date().isoformat()


class Site:
    """The data of one site.

    Args:
        now: returns the current time in POSIX seconds.
        me: name of the user to whom the credentials belong.
        data: the file with the initial data.
    """

    def __init__(self, now: Callable[[], float], *, me: str = "gateway", data: Path = DATA) -> None:
        self.now = now
        self.me = me
        self._data: Mapping[str, Any] = initial_data.read(data)
        self.reset()

    def reset(self) -> None:
        """Restores the initial data, with times relative to now."""
        data = self._data
        self.started = self.now()
        self._ids = itertools.count(10_100)
        self.users = {user["name"]: User(**user) for user in data["users"]}
        self.projects = {project["key"]: self._read_project(project) for project in data["projects"]}
        self.boards = {board["id"]: Board(**board) for board in data["boards"]}
        self.sprints = {sprint["id"]: self._read_sprint(sprint) for sprint in data["sprints"]}
        self.issues = {issue["key"]: self._read_issue(issue) for issue in data["issues"]}
        self.links = [
            Link(id=self.new_id(), type=link["type"], source=issue["key"], target=link["to"])
            for issue in data["issues"]
            for link in issue.get("links", ())
        ]

    def new_id(self) -> str:
        """A new unique id."""
        return str(next(self._ids))

    def issue(self, key_or_id: str) -> Issue:
        """An issue.

        Raises:
            JiraError: it does not exist.
        """
        issue = self.issues.get(key_or_id.upper())
        if issue is None:
            issue = next((issue for issue in self.issues.values() if issue.id == key_or_id), None)
        if issue is None:
            raise not_found("Issue Does Not Exist")
        return issue

    def project(self, key_or_id: str) -> Project:
        """A project.

        Raises:
            JiraError: it does not exist.
        """
        for project in self.projects.values():
            if key_or_id in {project.key, project.id}:
                return project
        raise not_found(f"No project could be found with key '{key_or_id}'.")

    def user(self, name: str) -> User:
        """A user by name or email address.

        Raises:
            JiraError: the user does not exist.
        """
        user = self.users.get(name.partition("@")[0].lower())
        if user is None:
            raise not_found(f"The user named '{name}' does not exist")
        return user

    def board(self, board_id: int) -> Board:
        """A board.

        Raises:
            JiraError: it does not exist.
        """
        if board_id not in self.boards:
            raise not_found(f"The requested board cannot be viewed because it does not exist: {board_id}")
        return self.boards[board_id]

    def sprint(self, sprint_id: int) -> Sprint:
        """A sprint.

        Raises:
            JiraError: it does not exist.
        """
        if sprint_id not in self.sprints:
            raise not_found(f"Sprint does not exist: {sprint_id}")
        return self.sprints[sprint_id]

    def comment(self, issue: Issue, body: object) -> Comment:
        """Adds a comment, written by the user `me`, to an issue.

        Raises:
            JiraError: the body is not a string, or is empty.
        """
        if not isinstance(body, str) or not body.strip():
            raise bad_request(comment="Comment body can not be empty!")
        now = self.now()
        comment = Comment(id=self.new_id(), author=self.me, body=body, created=now, updated=now)
        issue.comments.append(comment)
        issue.updated = now
        return comment

    def change(self, issue: Issue, name: str, value: Any) -> None:
        """Sets an attribute of an issue. If the value is different, also sets the time of the last update.

        Args:
            issue: an issue of this site.
            name: name of the attribute.
            value: the new value.
        """
        if getattr(issue, name) != value:
            setattr(issue, name, value)
            issue.updated = self.now()

    def transition(self, issue: Issue, status: Status, resolution: str | None = None) -> None:
        """Moves an issue to a status. The category `done` sets the resolution; the others clear it."""
        self.change(issue, "status", status.name)
        done = status.category == "done"
        self.change(issue, "resolution", (resolution or "Done") if done else None)
        issue.resolved = self.now() if done else None

    def _time_before_start(self, age: str | None) -> float | None:
        return None if age is None else self.started - ago.seconds(age)

    def _read_project(self, data: Mapping[str, Any]) -> Project:
        return Project(
            id=self.new_id(),
            key=data["key"],
            name=data["name"],
            lead=data["lead"],
            description=data["description"],
            components=tuple(NamedEntity(id=self.new_id(), name=name) for name in data["components"]),
            versions=[
                Version(
                    id=self.new_id(),
                    name=version["name"],
                    released=version["released"],
                    released_at=self._time_before_start(version["ago"]),
                )
                for version in data["versions"]
            ],
        )

    def _read_sprint(self, data: Mapping[str, Any]) -> Sprint:
        start, end = (self._time_before_start(data.get(name)) for name in ("start", "end"))
        return Sprint(
            id=data["id"],
            board=data["board"],
            name=data["name"],
            state=data["state"],
            goal=data["goal"],
            start=start,
            end=end,
        )

    def _read_issue(self, data: Mapping[str, Any]) -> Issue:
        project, _, number = data["key"].partition("-")
        self.projects[project].last_number = max(self.projects[project].last_number, int(number))
        updated = self.started - ago.seconds(data["updated"])
        done = data["status"] == "Done"
        return Issue(
            id=self.new_id(),
            key=data["key"],
            project=project,
            type=data["type"],
            summary=data["summary"],
            description=data.get("description"),
            status=data["status"],
            resolution=data.get("resolution", "Done") if done else None,
            resolved=updated if done else None,
            priority=data["priority"],
            reporter=data["reporter"],
            assignee=data.get("assignee"),
            created=self.started - ago.seconds(data["created"]),
            updated=updated,
            due=date(self.started - ago.seconds(data["due"])) if "due" in data else None,
            labels=list(data.get("labels", ())),
            components=list(data.get("components", ())),
            versions=list(data.get("versions", ())),
            parent=data.get("parent"),
            epic=data.get("epic"),
            sprints=[data["sprint"]] if "sprint" in data else [],
            points=data.get("points"),
            comments=[self._read_comment(comment) for comment in data.get("comments", ())],
        )

    def _read_comment(self, data: Mapping[str, Any]) -> Comment:
        time = self.started - ago.seconds(data["ago"])
        return Comment(id=self.new_id(), author=data["from"], body=data["body"], created=time, updated=time)
