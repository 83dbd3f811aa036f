"""The fields of issues: their definitions, and functions that set them from requests."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from twin.jira.errors import JiraError, bad_request
from twin.jira.records import Issue, NamedEntity
from twin.jira.store import PRIORITIES, RESOLUTIONS, TYPES, Site, find

EPIC_LINK = "customfield_10100"
EPIC_NAME = "customfield_10101"
SPRINT = "customfield_10102"
POINTS = "customfield_10103"

_SYSTEM = {
    "project": ("Project", "project"),
    "issuetype": ("Issue Type", "issuetype"),
    "summary": ("Summary", "string"),
    "description": ("Description", "string"),
    "status": ("Status", "status"),
    "priority": ("Priority", "priority"),
    "resolution": ("Resolution", "resolution"),
    "resolutiondate": ("Resolved", "datetime"),
    "assignee": ("Assignee", "user"),
    "reporter": ("Reporter", "user"),
    "creator": ("Creator", "user"),
    "created": ("Created", "datetime"),
    "updated": ("Updated", "datetime"),
    "duedate": ("Due Date", "date"),
    "labels": ("Labels", "array"),
    "components": ("Component/s", "array"),
    "fixVersions": ("Fix Version/s", "array"),
    "parent": ("Parent", "issuelink"),
    "subtasks": ("Sub-Tasks", "array"),
    "issuelinks": ("Linked Issues", "array"),
    "comment": ("Comment", "comments-page"),
    "attachment": ("Attachment", "array"),
}
_CUSTOM = {
    EPIC_LINK: ("Epic Link", "any", "com.pyxis.greenhopper.jira:gh-epic-link"),
    EPIC_NAME: ("Epic Name", "string", "com.pyxis.greenhopper.jira:gh-epic-label"),
    SPRINT: ("Sprint", "array", "com.pyxis.greenhopper.jira:gh-sprint"),
    POINTS: ("Story Points", "number", "com.atlassian.jira.plugin.system.customfieldtypes:float"),
}

NAMES: Mapping[str, str] = {id_: properties[0] for id_, properties in (_SYSTEM | _CUSTOM).items()}
"""The name of each field, by its id."""


def definitions() -> list[dict[str, Any]]:
    """All fields, as in the response of `GET /field`."""
    system = [
        {
            "id": id_,
            "name": name,
            "custom": False,
            "orderable": True,
            "navigable": True,
            "searchable": True,
            "clauseNames": [id_],
            "schema": {"type": kind, "system": id_},
        }
        for id_, (name, kind) in _SYSTEM.items()
    ]
    return system + [
        {
            "id": id_,
            "name": name,
            "custom": True,
            "orderable": True,
            "navigable": True,
            "searchable": True,
            "clauseNames": [f"cf[{id_.removeprefix('customfield_')}]", name],
            "schema": {"type": kind, "custom": custom, "customId": int(id_.removeprefix("customfield_"))},
        }
        for id_, (name, kind, custom) in _CUSTOM.items()
    ]


def apply(site: Site, issue: Issue, fields: object) -> None:
    """Sets the fields of a request on an issue. If one of them is not valid, none is changed.

    Raises:
        JiraError: 400, with a message for each field that cannot be set.
    """
    if not isinstance(fields, dict):
        raise bad_request("Unexpected value for 'fields': it must be an object")
    values: list[tuple[str, Any]] = []
    errors: dict[str, str] = {}
    for name, value in fields.items():
        reader = _READERS.get(name)
        if reader is None:
            errors[name] = f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
            continue
        try:
            values.append((_ATTRIBUTES.get(name, name), reader(site, issue, value)))
        except JiraError as error:
            errors[name] = str(error)
    if errors:
        raise bad_request(**errors)
    # The project is set when an issue is created, and the name of an epic is not stored.
    for name, value in values:
        if name not in {"project", "epic_name"}:
            site.change(issue, name, value)


def update(site: Site, issue: Issue, operations: object) -> None:
    """Applies the operations in the member `update` of a request: `{field: [{"add"|"remove"|"set": value}]}`.

    Raises:
        JiraError: 400, if a field does not exist, does not support an operation, or has an invalid value.
    """
    if not isinstance(operations, dict):
        raise bad_request("Unexpected value for 'update': it must be an object")
    for name, steps in operations.items():
        for step in steps:
            for verb, value in step.items():
                if name == "comment" and verb == "add":
                    site.comment(issue, value.get("body"))
                elif verb == "set":
                    apply(site, issue, {name: value})
                elif verb in {"add", "remove"} and name in {"labels", "components", "fixVersions"}:
                    _add_or_remove(site, issue, name, value, add=verb == "add")
                else:
                    raise bad_request(**{name: f"Field with id '{name}' does not support operation '{verb}'"})


def _add_or_remove(site: Site, issue: Issue, name: str, value: Any, *, add: bool) -> None:
    attribute = _ATTRIBUTES.get(name, name)
    (changed,) = _READERS[name](site, issue, [value])
    others = [name for name in getattr(issue, attribute) if name != changed]
    site.change(issue, attribute, [*others, changed] if add else others)


def _text(_site: Site, _issue: Issue, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise bad_request("Operation value must be a string")
    return value or None


def _summary(site: Site, issue: Issue, value: Any) -> str:
    text = _text(site, issue, value)
    if not text or "\n" in text:
        raise bad_request("You must specify a summary of the issue, in one line.")
    return text


def _user(site: Site, _issue: Issue, value: Any) -> str | None:
    name = value.get("name") if isinstance(value, dict) else value
    if name in (None, ""):
        return None
    if name == "-1":
        raise bad_request("There is no automatic assignment in this project.")
    if str(name) not in site.users:
        raise bad_request(f"User '{name}' does not exist.")
    return str(name)


def _reporter(site: Site, issue: Issue, value: Any) -> str:
    name = _user(site, issue, value)
    if name is None:
        raise bad_request("Reporter is required.")
    return name


def _named(known: tuple[NamedEntity, ...], kind: str) -> Callable[[Site, Issue, Any], str]:
    def read(_site: Site, _issue: Issue, value: Any) -> str:
        wanted = value if isinstance(value, dict) else {"name": value}
        entry = find(known, id_=wanted.get("id"), name=wanted.get("name"))
        if entry is None:
            raise bad_request(f"The {kind} selected is invalid.")
        return entry.name

    return read


def _project(site: Site, _issue: Issue, value: Any) -> str:
    wanted = value if isinstance(value, dict) else {}
    try:
        return site.project(str(wanted.get("key") or wanted.get("id"))).key
    except JiraError:
        raise bad_request("valid project is required") from None


def _labels(_site: Site, _issue: Issue, value: Any) -> list[str]:
    labels: list[str] = list(value or ())
    if any(not isinstance(label, str) or " " in label for label in labels):
        raise bad_request("The label contains spaces which is invalid.")
    return labels


def _components(site: Site, issue: Issue, value: Any) -> list[str]:
    return _members(site.projects[issue.project].components, value, "Component")


def _versions(site: Site, issue: Issue, value: Any) -> list[str]:
    versions = [
        NamedEntity(id=version.id, name=version.name) for version in site.projects[issue.project].versions
    ]
    return _members(tuple(versions), value, "Version")


def _members(known: tuple[NamedEntity, ...], value: Any, kind: str) -> list[str]:
    names: list[str] = []
    for member in value or ():
        wanted = member if isinstance(member, dict) else {"name": member}
        entry = find(known, id_=wanted.get("id"), name=wanted.get("name"))
        if entry is None:
            raise bad_request(f"{kind} name '{wanted.get('name')}' is not valid")
        names.append(entry.name)
    return names


def _date(_site: Site, _issue: Issue, value: Any) -> str | None:
    if value in (None, ""):
        return None
    try:
        return dt.date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise bad_request("Error parsing date string: use the format yyyy-MM-dd") from None


def _issue_key(site: Site, _issue: Issue, value: Any) -> str | None:
    wanted = value.get("key") or value.get("id") if isinstance(value, dict) else value
    if wanted in (None, ""):
        return None
    try:
        return site.issue(str(wanted)).key
    except JiraError:
        raise bad_request(f"Issue '{wanted}' does not exist.") from None


def _parent(site: Site, issue: Issue, value: Any) -> str | None:
    # The epic of an issue is another field; Jira Cloud has one field for both.
    if issue.key in site.issues and issue.type != "Sub-task":
        raise bad_request("Field 'parent' cannot be set: the issue is not a sub-task.")
    return _issue_key(site, issue, value)


def _sprints(site: Site, _issue: Issue, value: Any) -> list[int]:
    if value in (None, ""):
        return []
    try:
        return [site.sprint(int(value)).id]
    except (ValueError, TypeError):
        raise bad_request(f"The Sprint id must be a number, not {value!r}") from None
    except JiraError as error:
        raise bad_request(str(error)) from None


def _story_points(_site: Site, _issue: Issue, value: Any) -> float | None:
    if value is not None and not isinstance(value, int | float):
        raise bad_request("Operation value must be a number")
    return value


_READERS: Mapping[str, Callable[[Site, Issue, Any], Any]] = {
    "project": _project,
    "issuetype": _named(TYPES, "issue type"),
    "summary": _summary,
    "description": _text,
    "priority": _named(PRIORITIES, "priority"),
    "resolution": _named(RESOLUTIONS, "resolution"),
    "assignee": _user,
    "reporter": _reporter,
    "duedate": _date,
    "labels": _labels,
    "components": _components,
    "fixVersions": _versions,
    "parent": _parent,
    EPIC_LINK: _issue_key,
    EPIC_NAME: _text,
    SPRINT: _sprints,
    POINTS: _story_points,
}
_ATTRIBUTES = {
    "issuetype": "type",
    "duedate": "due",
    "fixVersions": "versions",
    EPIC_LINK: "epic",
    EPIC_NAME: "epic_name",
    SPRINT: "sprints",
    POINTS: "points",
}
