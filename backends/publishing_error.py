"""The error of a failed publication, which Pulumi shows without a stack trace."""

import sys
import traceback


class PublishingError(Exception):
    """The code was not published. The message has the cause, the app and the remedy."""


def report_as_sentence() -> None:
    """Makes Pulumi's server for dynamic providers report only the message of a `PublishingError`.

    The server reports every exception of a provider with `traceback.format_exc()`, and has no other way to
    report a failure. This function replaces `format_exc`, only in the server's process and only for this
    class of exceptions; all others keep their traceback.
    """
    with_traceback = traceback.format_exc

    def format_exc(limit: int | None = None, chain: bool = True) -> str:
        error = sys.exc_info()[1]
        return str(error) if isinstance(error, PublishingError) else with_traceback(limit, chain)

    traceback.format_exc = format_exc  # ty: ignore[invalid-assignment]  replaced on purpose
