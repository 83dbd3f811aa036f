"""The errors of GitHub's stand-in."""


class NotFoundError(Exception):
    """A repository, issue or file does not exist; the message is GitHub's."""
