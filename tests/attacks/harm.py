"""Content that no response of the gateway may have."""

import re

from tests.policies.engine.harness import Response

INTERNAL = re.compile(
    rb"cosmos\.|functions\.example|Exception|Traceback|System\.|Newtonsoft|\{\{|context\.|policies/|\.xml|"
    rb"storeToken|foundGrant|transactionId|refreshSecret|entraToken|codeHash"
)


def assert_harmless(answer: Response) -> None:
    """The response is not 5xx and contains no internal names."""
    assert answer.status < 500, answer.body
    shown = answer.body + repr([header for header in answer.headers if header[0] != "Location"]).encode()
    assert not INTERNAL.search(shown), shown
    assert all(character >= " " for _, value in answer.headers for character in value)
