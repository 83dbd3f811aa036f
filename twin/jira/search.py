"""Searches issues with JQL."""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from twin.jira.errors import bad_request
from twin.jira.jql import And, Clause, Condition, Empty, Function, Not, Operand, Or, Order, Value, parse
from twin.jira.records import Issue
from twin.jira.store import PRIORITIES, RESOLUTIONS, STATUSES, TYPES, Site

Kind = Literal["name", "text", "time"]

_EQUALITY = {"=", "!=", "in", "not in", "is", "is not"}
_COMPARISON = {"<", "<=", ">", ">="}
_OPERATORS: Mapping[Kind, set[str]] = {
    "name": _EQUALITY,
    "text": {"~", "!~", "is", "is not"},
    "time": _EQUALITY | _COMPARISON,
}
_RELATIVE = re.compile(r"([+-]?)(\d+)([wdhm])")
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60}
_CATEGORIES = {"new": "To Do", "indeterminate": "In Progress", "done": "Done"}


@dataclass(frozen=True, slots=True)
class _Field:
    """A field that can be searched.

    Attributes:
        kind: determines the operators that the field supports: a `name` is compared as a whole, a `text` by
            its words, and a `time` by its order.
        texts: returns the values of an issue as strings; empty if the field is empty. Times are POSIX
            seconds.
        known: returns all valid values; None if every value is valid.
    """

    kind: Kind
    texts: Callable[[Site, Issue], Sequence[str]]
    known: Callable[[Site], set[str]] | None = None


def search(site: Site, jql: str) -> list[Issue]:
    """The issues that a query finds, newest first by default.

    Raises:
        JiraError: 400, if the query is not valid.
    """
    query = parse(jql)
    condition = query.condition
    test = _test(site, condition) if condition else lambda _: True
    # Created before the search, so that an unknown field is an error even if the query finds no issues.
    keys = [_order_key(site, order) for order in query.orders]
    issues = sorted(
        (issue for issue in site.issues.values() if test(issue)),
        key=lambda issue: issue.created,
        reverse=True,
    )
    for key, order in reversed(list(zip(keys, query.orders, strict=True))):
        issues.sort(key=key, reverse=order.descending)
    return issues


def _test(site: Site, condition: Condition) -> Callable[[Issue], bool]:
    match condition:
        case Not(operand):
            inner = _test(site, operand)
            return lambda issue: not inner(issue)
        case And(operands):
            tests = [_test(site, operand) for operand in operands]
            return lambda issue: all(test(issue) for test in tests)
        case Or(operands):
            tests = [_test(site, operand) for operand in operands]
            return lambda issue: any(test(issue) for test in tests)
        case Clause():
            return _clause(site, condition)


def _clause(site: Site, clause: Clause) -> Callable[[Issue], bool]:
    field = _field(clause.field)
    if clause.operator not in _OPERATORS[field.kind]:
        raise bad_request(f"The operator '{clause.operator}' is not supported by the '{clause.field}' field.")
    negated = clause.operator in {"!=", "not in", "is not", "!~"}
    if field.kind == "text":
        return _text_test(site, field, clause, negated=negated)
    if clause.operator in _COMPARISON:
        return _time_test(site, field, clause)
    wanted = [value for operand in clause.operands for value in _values(site, field, clause, operand)]

    def test(issue: Issue) -> bool:
        texts = [text.lower() for text in field.texts(site, issue)]
        if not texts:
            # As in Jira, an empty field matches only `is EMPTY` and `in (EMPTY, ...)`, not `!=`.
            return None in wanted and not negated
        return any(text in wanted for text in texts) != negated

    return test


def _values(site: Site, field: _Field, clause: Clause, operand: Operand) -> list[str | None]:
    """The values of an operand, in lower case; None represents EMPTY."""
    match operand:
        case Empty():
            return [None]
        case Function():
            return [*_function(site, clause.field, operand)]
        case Value(text):
            if field.kind == "time":
                return [str(_parse_time(site, text, clause.field))]
            if field.known is not None and text.lower() not in {
                known_value.lower() for known_value in field.known(site)
            }:
                raise bad_request(f"The value '{text}' does not exist for the field '{clause.field}'.")
            return [text.lower()]


def _function(site: Site, field: str, function: Function) -> list[str]:
    states = {"opensprints": "active", "closedsprints": "closed", "futuresprints": "future"}
    if function.name == "currentuser":
        return [site.me]
    if function.name in states:
        state = states[function.name]
        return [str(sprint.id) for sprint in site.sprints.values() if sprint.state == state]
    if function.name in _CALENDAR_FUNCTIONS or function.name == "now":
        return [str(_function_time(site, function))]
    raise bad_request(f"Unable to find JQL function '{function.name}()' for the field '{field}'.")


def _text_test(site: Site, field: _Field, clause: Clause, *, negated: bool) -> Callable[[Issue], bool]:
    (operand,) = clause.operands
    if isinstance(operand, Empty):
        return lambda issue: (not any(field.texts(site, issue))) != negated
    if not isinstance(operand, Value):
        raise bad_request(f"A function cannot be used with the field '{clause.field}'.")
    words = [word.strip("*?").lower() for word in operand.text.split()]

    def test(issue: Issue) -> bool:
        text = "\n".join(field.texts(site, issue)).lower()
        return all(word in text for word in words) != negated

    return test


def _time_test(site: Site, field: _Field, clause: Clause) -> Callable[[Issue], bool]:
    (operand,) = clause.operands
    if isinstance(operand, Empty):
        raise bad_request(f"The operator '{clause.operator}' does not take EMPTY.")
    limit = (
        _function_time(site, operand)
        if isinstance(operand, Function)
        else _parse_time(site, operand.text, clause.field)
    )
    compare: Mapping[str, Callable[[float], bool]] = {
        "<": lambda time: time < limit,
        "<=": lambda time: time <= limit,
        ">": lambda time: time > limit,
        ">=": lambda time: time >= limit,
    }
    is_within = compare[clause.operator]
    return lambda issue: any(is_within(float(text)) for text in field.texts(site, issue))


def _parse_time(site: Site, text: str, field: str) -> float:
    """A time in POSIX seconds, from `-7d`, `2026-11-23` or `2026-11-23 14:05` (UTC)."""
    if relative := _RELATIVE.fullmatch(text):
        sign, count, unit = relative.groups()
        return site.now() + (-1 if sign == "-" else 1) * int(count) * _SECONDS[unit]
    try:
        return dt.datetime.fromisoformat(text.replace("/", "-")).replace(tzinfo=dt.UTC).timestamp()
    except ValueError:
        raise bad_request(
            f"Date value '{text}' for field '{field}' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', "
            "'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
        ) from None


def _first_of_month(day: dt.datetime) -> dt.datetime:
    return day.replace(day=1)


_CALENDAR_FUNCTIONS: Mapping[str, Callable[[dt.datetime], dt.datetime]] = {
    "startofday": lambda day: day,
    "endofday": lambda day: day + dt.timedelta(days=1),
    "startofweek": lambda day: day - dt.timedelta(days=day.weekday()),
    "endofweek": lambda day: day + dt.timedelta(days=7 - day.weekday()),
    "startofmonth": _first_of_month,
    "endofmonth": lambda day: _first_of_month(_first_of_month(day) + dt.timedelta(days=32)),
    "startofyear": lambda day: day.replace(month=1, day=1),
    "endofyear": lambda day: day.replace(year=day.year + 1, month=1, day=1),
}


def _function_time(site: Site, function: Function) -> float:
    now = dt.datetime.fromtimestamp(site.now(), dt.UTC)
    if function.name == "now":
        return now.timestamp()
    if function.name not in _CALENDAR_FUNCTIONS:
        raise bad_request(f"Unable to find JQL function '{function.name}()'.")
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    time = _CALENDAR_FUNCTIONS[function.name](day).timestamp()
    for argument in function.arguments:
        time += _parse_time(site, argument, function.name) - site.now()
    return time


def _order_key(site: Site, order: Order) -> Callable[[Issue], tuple[bool, object]]:
    field = _field(order.field)
    ranks = {priority.name: len(PRIORITIES) - int(priority.id) for priority in PRIORITIES}

    def key(issue: Issue) -> tuple[bool, object]:
        texts = field.texts(site, issue)
        if not texts:
            return (False, "" if field.kind != "time" else 0.0)
        if field.kind == "time":
            return (True, float(texts[0]))
        if texts[0] in ranks:
            return (True, f"{ranks[texts[0]]}")
        prefix, _, number = texts[0].rpartition("-")
        return (True, f"{prefix}-{int(number):09d}" if prefix and number.isdigit() else texts[0].lower())

    return key


def _field(name: str) -> _Field:
    field = _FIELDS.get(name.lower())
    if field is None:
        raise bad_request(f"Field '{name}' does not exist or you do not have permission to view it.")
    return field


def _optional(value: object) -> list[str]:
    return [] if value in (None, "") else [str(value)]


def _category(_site: Site, issue: Issue) -> list[str]:
    return [_CATEGORIES[status.category] for status in STATUSES if status.name == issue.status]


def _sprint_names(site: Site, issue: Issue) -> list[str]:
    return [text for sprint in issue.sprints for text in (str(sprint), site.sprints[sprint].name)]


def _project(site: Site, issue: Issue) -> list[str]:
    project = site.projects[issue.project]
    return [project.key, project.name, project.id]


def _all_text(_site: Site, issue: Issue) -> list[str]:
    return [issue.summary, issue.description or "", *(comment.body for comment in issue.comments)]


def _names(kind: str) -> Callable[[Site], set[str]]:
    known = {"status": STATUSES, "priority": PRIORITIES, "type": TYPES, "resolution": RESOLUTIONS}[kind]
    return lambda _site: {entry.name for entry in known} | {entry.id for entry in known}


def _projects(site: Site) -> set[str]:
    return {text for project in site.projects.values() for text in (project.key, project.name, project.id)}


_PRIMARY_FIELDS: Mapping[str, _Field] = {
    "project": _Field("name", _project, _projects),
    "key": _Field("name", lambda _, issue: [issue.key, issue.id]),
    "status": _Field("name", lambda _, issue: [issue.status], _names("status")),
    "statuscategory": _Field("name", _category),
    "assignee": _Field("name", lambda _, issue: _optional(issue.assignee)),
    "reporter": _Field("name", lambda _, issue: [issue.reporter]),
    "creator": _Field("name", lambda _, issue: [issue.reporter]),
    "priority": _Field("name", lambda _, issue: [issue.priority], _names("priority")),
    "issuetype": _Field("name", lambda _, issue: [issue.type], _names("type")),
    "resolution": _Field("name", lambda _, issue: _optional(issue.resolution)),
    "labels": _Field("name", lambda _, issue: issue.labels),
    "component": _Field("name", lambda _, issue: issue.components),
    "fixversion": _Field("name", lambda _, issue: issue.versions),
    "sprint": _Field("name", _sprint_names),
    "epic link": _Field("name", lambda _, issue: _optional(issue.epic)),
    "parent": _Field("name", lambda _, issue: _optional(issue.parent)),
    "summary": _Field("text", lambda _, issue: [issue.summary]),
    "description": _Field("text", lambda _, issue: _optional(issue.description)),
    "comment": _Field("text", lambda _, issue: [comment.body for comment in issue.comments]),
    "text": _Field("text", _all_text),
    "created": _Field("time", lambda _, issue: [str(issue.created)]),
    "updated": _Field("time", lambda _, issue: [str(issue.updated)]),
    "resolved": _Field("time", lambda _, issue: _optional(issue.resolved)),
    "due": _Field("time", lambda _, issue: [] if issue.due is None else [str(_day(issue.due))]),
    "rank": _Field("name", lambda _, issue: [issue.key]),
}
_FIELDS: Mapping[str, _Field] = {
    **_PRIMARY_FIELDS,
    "issue": _PRIMARY_FIELDS["key"],
    "issuekey": _PRIMARY_FIELDS["key"],
    "id": _PRIMARY_FIELDS["key"],
    "type": _PRIMARY_FIELDS["issuetype"],
    "duedate": _PRIMARY_FIELDS["due"],
    "createddate": _PRIMARY_FIELDS["created"],
    "updateddate": _PRIMARY_FIELDS["updated"],
    "resolutiondate": _PRIMARY_FIELDS["resolved"],
}


def _day(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()
