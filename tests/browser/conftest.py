"""A browser profile for each test, at a whole twin."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.conftest import ada, client, running_twin, twin

_TIMEOUT = 60_000
"""The timeout of a page in milliseconds; twin and browser share the machine with other tests."""
expect.set_options(timeout=_TIMEOUT)

__all__ = ["ada", "client", "running_twin", "twin"]


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser profile of its own."""
    context = chromium.new_context()
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    page = context.new_page()
    page.set_default_timeout(_TIMEOUT)
    return page
