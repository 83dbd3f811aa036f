"""Injects responses with status 429, as if the account had used all its request units."""

from twin.cosmos.errors import throttled


class Throttle:
    """Rejects the next requests of authenticated clients."""

    def __init__(self) -> None:
        self._remaining = 0
        self._retry_after_ms = 0

    def reject_next(self, times: int, *, retry_after_ms: int = 100) -> None:
        """Rejects the next `times` requests with status 429 and `x-ms-retry-after-ms`; 0 stops rejecting."""
        self._remaining = times
        self._retry_after_ms = retry_after_ms

    def check(self) -> None:
        """Checks whether the current request is to be rejected.

        Raises:
            CosmosError: 429, if it is.
        """
        if self._remaining > 0:
            self._remaining -= 1
            raise throttled(self._retry_after_ms)
