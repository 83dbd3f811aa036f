"""What no answer of the gateway may contain, whatever it was sent."""

import re

from tests.policies.engine.harness import Response

INTERNAL = re.compile(
    rb"cosmos\.|functions\.example|Exception|Traceback|System\.|Newtonsoft|\{\{|context\.|policies/|\.xml|"
    rb"storeToken|foundGrant|transactionId|refreshSecret|entraToken|codeHash"
)


def assert_harmless(answer: Response) -> None:
    """The answer is no 5xx, and shows nothing of the inside."""
    assert answer.status < 500, answer.body
    shown = answer.body + repr([each for each in answer.headers if each[0] != "Location"]).encode()
    assert not INTERNAL.search(shown), shown
    assert all(character >= " " for _, value in answer.headers for character in value)
