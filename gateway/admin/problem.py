"""The error of a failed administration command."""


class AdminError(Exception):
    """The message says what is wrong and what to do about it."""
