"""The sample account of the stand-in for GitHub.

The account is kept in memory and initially has the content of `data.yaml`. A reset deletes the issues and
comments that were created since.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from twin import ago, initial_data
from twin.github.errors import NotFoundError
from twin.github.records import Comment, Issue, Repository

DATA = Path(__file__).with_name("data.yaml")


class Account:
    """The data that the owner of the token can read.

    Args:
        now: returns the current time in POSIX seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._data: dict[str, Any] = initial_data.read(DATA)
        self.reset()

    def reset(self) -> None:
        """Restores the initial data, with times relative to now."""
        self.login: str = self._data["login"]
        self.name: str = self._data["name"]
        self.organization: str = self._data["organization"]
        self.repositories = [self._repository(repository) for repository in self._data["repositories"]]

    def repository(self, owner: str, name: str) -> Repository:
        """Finds a repository; upper and lower case are equivalent.

        Raises:
            NotFoundError: it does not exist.
        """
        wanted = f"{owner}/{name}".lower()
        matching = next(
            (
                repository
                for repository in self.repositories
                if f"{repository.owner}/{repository.name}" == wanted
            ),
            None,
        )
        if matching is None:
            raise NotFoundError(f"Could not resolve to a Repository with the name '{owner}/{name}'.")
        return matching

    def create_issue(self, repository: Repository, title: str, body: str) -> Issue:
        """Creates an issue, written by the owner of the token."""
        number = 1 + max((issue.number for issue in repository.issues), default=0)
        issue = Issue(number=number, title=title, body=body, user=self.login, at=self._now())
        repository.issues.append(issue)
        return issue

    def add_comment(self, issue: Issue, body: str) -> Comment:
        """Adds a comment, written by the owner of the token, to an issue."""
        comment = Comment(user=self.login, body=body, at=self._now())
        issue.comments.append(comment)
        return comment

    def _repository(self, data: dict[str, Any]) -> Repository:
        issues = [self._issue(issue) for issue in data["issues"]]
        issues += [
            self._issue({"body": "", **pull_request}, branches=(pull_request["head"], pull_request["base"]))
            for pull_request in data["pull_requests"]
        ]
        return Repository(
            owner=self.organization,
            name=data["name"],
            description=data["description"],
            language=data["language"],
            stars=data["stars"],
            files=dict(data["files"]),
            issues=_numbered(issues),
        )

    def _issue(self, data: dict[str, Any], branches: tuple[str, str] | None = None) -> Issue:
        return Issue(
            number=0,
            title=data["title"],
            body=data["body"],
            user=data["user"],
            at=self._now() - ago.seconds(data["age"]),
            labels=tuple(data.get("labels", ())),
            branches=branches,
            comments=[
                Comment(
                    user=comment["user"], body=comment["body"], at=self._now() - ago.seconds(comment["age"])
                )
                for comment in data.get("comments", ())
            ],
        )


def _numbered(issues: Iterable[Issue]) -> list[Issue]:
    """Sorts issues by time of creation and numbers them from 1."""
    ordered = sorted(issues, key=lambda issue: issue.at)
    for number, issue in enumerate(ordered, 1):
        issue.number = number
    return ordered
