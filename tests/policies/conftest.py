"""Fixtures of the tests that compare policies with a real C# compiler."""

import os

import pytest

from tests.policies.compiler import mono


@pytest.fixture(scope="session")
def compiler() -> None:
    """Requires Mono; CI fails without it."""
    if not mono.available():
        if os.environ.get("CI"):
            pytest.fail("CI needs mono-mcs and libnewtonsoft-json5.0-cil: .ci/run installs them")
        pytest.skip("needs Debian's mono-mcs and libnewtonsoft-json5.0-cil")
