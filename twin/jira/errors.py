"""Jira's error responses."""

from http import HTTPStatus


class JiraError(Exception):
    """An error response of the REST API: `{"errorMessages": [...], "errors": {field: message}}`.

    Args:
        status: HTTP status.
        messages: messages about the whole request.
        fields: messages about single fields, by name.
    """

    def __init__(self, status: HTTPStatus, *messages: str, fields: dict[str, str] | None = None) -> None:
        super().__init__("; ".join([*messages, *(fields or {}).values()]))
        self.status = status
        self.messages = messages
        self.fields = fields or {}


def bad_request(*messages: str, **fields: str) -> JiraError:
    """Creates an error with status 400 (Bad Request).

    Args:
        messages: messages about the whole request.
        fields: messages about single fields, by name.
    """
    return JiraError(HTTPStatus.BAD_REQUEST, *messages, fields=fields)


def not_found(message: str) -> JiraError:
    """Creates an error with status 404 (Not Found)."""
    return JiraError(HTTPStatus.NOT_FOUND, message)
