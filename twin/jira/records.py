"""The records of a Jira site."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user; on Data Center the name is also the key."""

    name: str
    display: str
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedEntity:
    """A status, priority, type, resolution, component or link type: an id and a name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(NamedEntity):
    """A status.

    Attributes:
        category: `new`, `indeterminate` or `done`.
        transition: id of the transition to the status.
    """

    category: str
    transition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a project; `released_at` is its release date in POSIX seconds."""

    id: str
    name: str
    description: str = ""
    released: bool = False
    released_at: float | None = None


@dataclass(slots=True, kw_only=True)
class Project:
    """A project; `last_number` is the number of its newest issue."""

    id: str
    key: str
    name: str
    lead: str
    description: str
    components: tuple[NamedEntity, ...]
    versions: list[Version]
    last_number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A scrum or kanban board of one project."""

    id: int
    name: str
    type: str
    project: str


@dataclass(slots=True, kw_only=True)
class Sprint:
    """A sprint of a board; `state` is `future`, `active` or `closed`, times are POSIX seconds."""

    id: int
    board: int
    name: str
    state: str
    goal: str = ""
    start: float | None = None
    end: float | None = None


@dataclass(slots=True, kw_only=True)
class Comment:
    """A comment on an issue; `body` is wiki markup, times are POSIX seconds."""

    id: str
    author: str
    body: str
    created: float
    updated: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link between issues: `source` acts on `target`, for example blocks it."""

    id: str
    type: str
    source: str
    target: str


@dataclass(slots=True, kw_only=True)
class Issue:
    """An issue.

    Users, status, type, priority, resolution, components and versions are stored as names, `parent` and
    `epic` as keys of issues, `sprints` as ids. `due` is a date such as `2026-11-23`; all other times are
    POSIX seconds.
    """

    id: str
    key: str
    project: str
    type: str
    summary: str
    status: str
    priority: str
    reporter: str
    created: float
    updated: float
    description: str | None = None
    assignee: str | None = None
    resolution: str | None = None
    resolved: float | None = None
    due: str | None = None
    labels: list[str] = field(default_factory=list)
    components: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    parent: str | None = None
    epic: str | None = None
    sprints: list[int] = field(default_factory=list)
    points: float | None = None
    comments: list[Comment] = field(default_factory=list)
