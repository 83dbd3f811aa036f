"""Why the demo cannot go on."""


class AgentError(Exception):
    """The message says what is wrong and what to do about it."""
