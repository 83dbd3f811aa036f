"""Why a command of the administration cannot do what it was asked for."""


class AdminError(Exception):
    """The message says what is wrong and what to do about it."""
