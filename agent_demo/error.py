"""The exception of the demo."""


class AgentError(Exception):
    """The demo cannot continue; the message has the reason and the remedy."""
