"""A failed publication, which the person who deploys reads as one sentence."""

import sys
import traceback


class PublishingError(Exception):
    """The code is not running in the app. The message says what happened, where, and what to do."""


def report_as_sentence() -> None:
    """Makes Pulumi's server for dynamic providers report a `PublishingError` by its message alone.

    The server answers every exception of a provider with `traceback.format_exc()`, and a provider has no
    other way to fail. This replaces that function, in the server's process only and for this one class of
    exceptions; all others keep their traceback.
    """
    with_traceback = traceback.format_exc

    def format_exc(limit: int | None = None, chain: bool = True) -> str:
        error = sys.exc_info()[1]
        return str(error) if isinstance(error, PublishingError) else with_traceback(limit, chain)

    traceback.format_exc = format_exc  # ty: ignore[invalid-assignment]  replaced on purpose
