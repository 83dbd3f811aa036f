"""How much the tests try: `HYPOTHESIS_PROFILE=thorough` tries all that an ordinary run tries a part of."""

import os

from hypothesis import HealthCheck, settings

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
INPUTS = 10_000 if THOROUGH else 150
"""Random inputs of each endpoint."""

many = settings(
    max_examples=INPUTS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
"""The settings of a test with random inputs. The inputs of two runs are the same."""
