"""The error of a failed administration command."""


class AdminError(Exception):
    """A command failed; the message says what is wrong and how to fix it."""
