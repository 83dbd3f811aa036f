"""The number of tested inputs: `HYPOTHESIS_PROFILE=thorough` tests all, other runs only a part."""

import os

from hypothesis import HealthCheck, settings

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
INPUTS = 10_000 if THOROUGH else 150
"""The number of random inputs for each endpoint."""

many = settings(
    max_examples=INPUTS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
"""The settings of a test with random inputs, which are the same in each run."""
