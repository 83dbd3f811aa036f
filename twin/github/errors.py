"""The errors of GitHub's stand-in."""


class NotFoundError(Exception):
    """A repository or issue does not exist; the message has GitHub's wording."""
