"""Fixtures for all tests, such as a real browser, and the checks of a whole test run."""

import gc
import inspect
import logging
import os
import shutil
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright

from apim.readings import ReadingError
from tests import certificates, readings, shared_results, work_units
from tests.policy_coverage import plugin as policy_coverage

_DISABLED_FEATURES = [
    # Renderers for the suggestions of the address bar, which take half of the start of a window.
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup", "PreloadTopChromeWebUI"),
    # Those of Playwright, because Chromium reads only the last list.
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "AimEnabled",
    "PreconnectToSearch",
]
_OFFLINE = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(_DISABLED_FEATURES)}",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--policy-coverage", action="store_true", help="count which policies run, also when not all tests do"
    )

    parser.addoption(
        "--reading", action="append", metavar="NAME=OPTION", help="run under a reading of docs/readings.md"
    )


def _wait_longer_for_answers() -> None:
    """Sets httpx's timeout to 60 s, because the machine may be busy; its default is five seconds."""
    timeout: httpx.Timeout = inspect.signature(httpx.get).parameters["timeout"].default
    timeout.connect = timeout.read = timeout.write = timeout.pool = 60


def pytest_configure(config: pytest.Config) -> None:
    _wait_longer_for_answers()
    certificates.read_once()
    shared_results.configure(config)
    policy_coverage.configure(config)
    try:
        readings.choose(config.getoption("reading") or readings.texts())
    except ReadingError as error:
        raise pytest.UsageError(f"--reading: {error}") from None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Excludes the thousands of collected tests, which are never garbage, from garbage collection."""
    gc.disable()
    result = yield
    gc.freeze()
    gc.set_threshold(1_000_000, 20, 50)
    gc.enable()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Collects the garbage of a file after its last test, and never examines the remaining objects again.

    Commands that a test runs in its own process disable logging for all later tests, so it is enabled again.
    """
    result = yield
    logging.disable(logging.NOTSET)
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()
    return result


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: work_units.position(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> work_units.Scheduling | None:
    return work_units.Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_sessionfinish() -> None:
    policy_coverage.save()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, driven by Playwright.

    It is closed after each module, because no other event loop can run in its thread while Playwright runs.
    """
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs chromium: .ci/run installs it")
        pytest.skip("needs a chromium on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_OFFLINE)
        yield browser
        browser.close()
