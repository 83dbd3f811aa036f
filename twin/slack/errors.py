"""Slack's error responses."""


class SlackError(Exception):
    """An error response of the Web API: status 200 and `{"ok": false, "error": code}`.

    Args:
        code: error code, such as `channel_not_found`.
        details: additional members of the response.
    """

    def __init__(self, code: str, **details: object) -> None:
        super().__init__(code)
        self.code = code
        self.details = details
