"""What all tests of failures share."""

from tests.policies.oauth.conftest import no_waiting

__all__ = ["no_waiting"]
