"""A tab of a browser, for tests of a whole twin."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.conftest import ada, client, running_twin, twin

_TIMEOUT = 60_000
"""The timeout of a page in milliseconds; twin and browser share the machine with other tests."""
expect.set_options(timeout=_TIMEOUT)

__all__ = ["ada", "client", "running_twin", "twin"]


@pytest.fixture(scope="module")
def module_page(chromium: Browser) -> Iterator[Page]:
    """A tab for all tests of a file: Chromium needs more time to open one than for most tests."""
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(_TIMEOUT)
    yield page
    context.close()


@pytest.fixture
def page(module_page: Page) -> Iterator[Page]:
    """An empty tab without cookies and without the routes of other tests."""
    yield module_page
    module_page.unroute_all()
    module_page.goto("about:blank")
    module_page.context.clear_cookies()


@pytest.fixture
def context(page: Page) -> BrowserContext:
    """The browser profile of the tab."""
    return page.context
