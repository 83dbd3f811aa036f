"""Fetches JSON documents from other services of the twin."""

from typing import Any

import aiohttp

_TIMEOUT = aiohttp.ClientTimeout(total=10)


async def fetch_json(url: str) -> Any:
    """Fetches the document at a URL; its content type is ignored.

    Raises:
        OSError: there is no response, or it has an error status.
        ValueError: the response is not JSON.
    """
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as client,
            client.get(url, raise_for_status=True) as response,
        ):
            return await response.json(content_type=None)
    except aiohttp.ClientError as error:
        raise ConnectionError(f"{url}: {error}") from error
