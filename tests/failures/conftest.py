"""Fixtures of the tests of failures."""

from tests.policies.oauth.conftest import no_waiting

__all__ = ["no_waiting"]
