"""The records of GitHub's stand-in, and their JSON in GitHub's responses."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from twin.github.errors import NotFoundError


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment on an issue; `at` is the time of its creation in POSIX seconds."""

    user: str
    body: str
    at: float

    def to_json(self) -> dict[str, Any]:
        """The JSON object in GitHub's responses."""
        return {"user": self.user, "body": self.body, "created_at": _time(self.at)}


@dataclass(slots=True, kw_only=True)
class Issue:
    """An issue or a pull request.

    Attributes:
        at: time of its creation in POSIX seconds.
        branches: head and base branch of a pull request; None for an issue.
    """

    number: int
    title: str
    body: str
    user: str
    at: float
    labels: tuple[str, ...] = ()
    branches: tuple[str, str] | None = None
    comments: list[Comment] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The JSON object in GitHub's responses."""
        branches = {"head": self.branches[0], "base": self.branches[1]} if self.branches else {}
        return {
            "number": self.number,
            "title": self.title,
            "body": self.body,
            "state": "open",
            "user": self.user,
            "labels": list(self.labels),
            "comments": len(self.comments),
            "created_at": _time(self.at),
            **branches,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository.

    Attributes:
        files: contents of the files by path.
        issues: issues and pull requests, ordered by number.
    """

    owner: str
    name: str
    description: str
    language: str
    stars: int
    files: dict[str, str]
    issues: list[Issue]

    def to_json(self) -> dict[str, Any]:
        """The JSON object in GitHub's responses."""
        return {
            "full_name": f"{self.owner}/{self.name}",
            "description": self.description,
            "language": self.language,
            "stargazers_count": self.stars,
        }

    def issue(self, number: int) -> Issue:
        """Finds an issue or pull request by its number.

        Raises:
            NotFoundError: the repository has no issue or pull request with this number.
        """
        matching = next((issue for issue in self.issues if issue.number == number), None)
        if matching is None:
            raise NotFoundError(f"Could not resolve to an issue or pull request with the number of {number}.")
        return matching


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
