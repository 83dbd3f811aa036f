"""What Slack says when it does not do something."""


class SlackError(Exception):
    """A refusal, as the Web API words it: status 200 and `{"ok": false, "error": code}`.

    Args:
        code: such as `channel_not_found`.
        details: further members of the answer.
    """

    def __init__(self, code: str, **details: object) -> None:
        super().__init__(code)
        self.code = code
        self.details = details
