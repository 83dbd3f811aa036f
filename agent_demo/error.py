"""The error of the demo."""


class AgentError(Exception):
    """The demo cannot continue. The message says what is wrong and how to fix it."""
