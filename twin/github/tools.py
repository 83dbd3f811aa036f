"""The tools of the stand-in for GitHub's MCP server.

Names, parameters and annotations follow https://github.com/github/github-mcp-server. As there, `issue_write`
has a parameter whose schema allows several types; Foundry Agent Service rejects tools with such a parameter.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

from twin.github.errors import NotFoundError
from twin.github.records import Repository
from twin.github.store import Account

_READ = ToolAnnotations(read_only_hint=True)
_WRITE = ToolAnnotations(read_only_hint=False)

Owner = Annotated[str, Field(description="Repository owner (username or organization)")]
Repo = Annotated[str, Field(description="Repository name")]
Number = Annotated[int, Field(description="The number of the issue", ge=1)]


class IssueField(BaseModel):
    """The value of a custom field of an issue; its type depends on the field."""

    field_name: str
    value: str | float | bool


def create_server(account: Account) -> MCPServer:
    """Creates the MCP server for one account."""
    server = MCPServer("github-mcp-server", version="1.0.0", instructions="A stand-in for GitHub's server.")
    _add_reading_tools(server, account)
    _add_writing_tools(server, account)
    return server


def _add_reading_tools(server: MCPServer, account: Account) -> None:
    @server.tool(annotations=_READ, structured_output=False)
    def get_me() -> str:
        """Get details of the authenticated GitHub user."""
        return _text({"login": account.login, "name": account.name, "organization": account.organization})

    @server.tool(annotations=_READ, structured_output=False)
    def search_repositories(query: Annotated[str, Field(description="Repository search query")]) -> str:
        """Find GitHub repositories by name, description or language."""
        words = query.lower().split()
        matching = [
            repository.to_json() for repository in account.repositories if _matches(repository, words)
        ]
        return _text({"total_count": len(matching), "items": matching})

    @server.tool(annotations=_READ, structured_output=False)
    def list_issues(owner: Owner, repo: Repo) -> str:
        """List issues in a GitHub repository."""
        issues = _repository(account, owner, repo).issues
        return _text([issue.to_json() for issue in issues if issue.branches is None])

    @server.tool(annotations=_READ, structured_output=False)
    def issue_read(
        owner: Owner,
        repo: Repo,
        issue_number: Number,
        method: Annotated[
            Literal["get", "get_comments"], Field(description="The read operation to perform")
        ] = "get",
    ) -> str:
        """Get information about a specific issue in a GitHub repository."""
        repository = _repository(account, owner, repo)
        try:
            issue = repository.issue(issue_number)
        except NotFoundError as error:
            raise ToolError(str(error)) from None
        return _text(
            [comment.to_json() for comment in issue.comments] if method == "get_comments" else issue.to_json()
        )

    @server.tool(annotations=_READ, structured_output=False)
    def list_pull_requests(owner: Owner, repo: Repo) -> str:
        """List pull requests in a GitHub repository."""
        issues = _repository(account, owner, repo).issues
        return _text([issue.to_json() for issue in issues if issue.branches])

    @server.tool(annotations=_READ, structured_output=False)
    def get_file_contents(
        owner: Owner, repo: Repo, path: Annotated[str, Field(description="Path to file/directory")] = "/"
    ) -> str:
        """Get the contents of a file or directory from a GitHub repository."""
        files = _repository(account, owner, repo).files
        name = path.strip("/")
        if not name:
            return _text([{"type": "file", "path": file} for file in sorted(files)])
        if name not in files:
            raise ToolError(f"Failed to resolve path '{path}': 404 Not Found.")
        return files[name]


def _add_writing_tools(server: MCPServer, account: Account) -> None:
    @server.tool(annotations=_WRITE, structured_output=False)
    def create_issue(
        owner: Owner,
        repo: Repo,
        title: Annotated[str, Field(description="Issue title", min_length=1)],
        body: Annotated[str, Field(description="Issue body content (optional)")] = "",
    ) -> str:
        """Create a new issue in a GitHub repository with a title and optional body."""
        return _text(account.create_issue(_repository(account, owner, repo), title, body).to_json())

    @server.tool(annotations=_WRITE, structured_output=False)
    def add_issue_comment(
        owner: Owner,
        repo: Repo,
        issue_number: Number,
        body: Annotated[str, Field(description="Comment content", min_length=1)],
    ) -> str:
        """Add a comment to an issue or pull request in a GitHub repository."""
        try:
            issue = _repository(account, owner, repo).issue(issue_number)
        except NotFoundError as error:
            raise ToolError(str(error)) from None
        return _text(account.add_comment(issue, body).to_json())

    @server.tool(annotations=_WRITE, structured_output=False)
    def issue_write(
        owner: Owner,
        repo: Repo,
        title: Annotated[str, Field(description="Issue title", min_length=1)],
        body: Annotated[str, Field(description="Issue body content")] = "",
        issue_fields: Annotated[Sequence[IssueField], Field(description="Issue field values to set")] = (),
    ) -> str:
        """Create a new issue in a GitHub repository, with values of custom fields."""
        issue = account.create_issue(_repository(account, owner, repo), title, body)
        return _text({**issue.to_json(), "fields": [field.model_dump() for field in issue_fields]})


def _repository(account: Account, owner: str, name: str) -> Repository:
    try:
        return account.repository(owner, name)
    except NotFoundError as error:
        raise ToolError(str(error)) from None


def _matches(repository: Repository, words: list[str]) -> bool:
    text = f"{repository.owner}/{repository.name} {repository.description} {repository.language}".lower()
    return any(word in text for word in words)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
