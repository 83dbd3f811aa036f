"""Injects 429 responses, as if the account's request units were used up."""

from twin.cosmos.errors import throttled


class Throttle:
    """Rejects the next requests of authenticated clients."""

    def __init__(self) -> None:
        self._remaining = 0
        self._retry_after_ms = 0

    def refuse(self, times: int, *, retry_after_ms: int = 100) -> None:
        """Rejects the next `times` requests with 429 and `x-ms-retry-after-ms`; 0 ends this."""
        self._remaining = times
        self._retry_after_ms = retry_after_ms

    def check(self) -> None:
        """Counts one request.

        Raises:
            CosmosError: 429.
        """
        if self._remaining > 0:
            self._remaining -= 1
            raise throttled(self._retry_after_ms)
