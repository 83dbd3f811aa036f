"""The response to every changed token is the same (no oracle; RFC 9700, section 2.2).

Every bit is flipped; every block is exchanged, removed and repeated.
"""

import base64
import itertools
from collections.abc import Iterator

import pytest

from tests.policies.engine.harness import Response
from tests.policies.oauth.flow import Flow, encoded
from tests.profile import THOROUGH

BLOCK = 16


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def flipped(octets: bytes) -> Iterator[bytes]:
    """With each single bit flipped."""
    for place in range(len(octets)):
        for bit in range(8):
            yield octets[:place] + bytes([octets[place] ^ 1 << bit]) + octets[place + 1 :]


def rearranged(octets: bytes) -> Iterator[bytes]:
    """With blocks exchanged, removed, repeated and added, and truncated at every position."""
    blocks = [octets[at : at + BLOCK] for at in range(0, len(octets), BLOCK)]
    for first, second in itertools.combinations(range(len(blocks)), 2):
        swapped = [*blocks]
        swapped[first], swapped[second] = swapped[second], swapped[first]
        yield b"".join(swapped)
    for place in range(len(blocks)):
        yield b"".join(blocks[:place] + blocks[place + 1 :])
        yield b"".join(blocks[: place + 1] + blocks[place:])
    yield octets + bytes(BLOCK)
    yield from (octets[:length] for length in range(len(octets)))
    yield from (octets + bytes(length) for length in range(1, BLOCK))


def changed_tokens(token: str) -> Iterator[str]:
    """Variants of a compact JWE, each with one part changed."""
    parts = token.split(".")
    for place in (0, 2, 3, 4):
        octets = decoded(parts[place])
        step = 1 if THOROUGH else 7
        changes = [*itertools.islice(flipped(octets), 0, None, step), *rearranged(octets)]
        for change in changes:
            if change != octets:
                yield ".".join([*parts[:place], encoded(change), *parts[place + 1 :]])
    yield ".".join([parts[0], "AAAA", *parts[2:]])
    yield ".".join([parts[0], *parts[2:]])
    yield token + "."
    yield token + ".x"
    yield from (token[:length] for length in range(1, len(token), 1 if THOROUGH else 11))


def plain(answer: Response) -> tuple[int, str, list[tuple[str, str]], bytes]:
    return answer.status, answer.reason, answer.headers, answer.body


def test_e1_every_changed_access_token_is_answered_like_any_bad_token(flow: Flow) -> None:
    token = flow.token()
    bad = plain(flow.call("x"))
    assert bad[0] == 401
    for changed in changed_tokens(token):
        flow.harness.gateway.services.counters.clear()
        assert plain(flow.call(changed)) == bad, changed
    assert flow.call(token).status == 200


def test_d6_every_changed_access_token_is_unknown_to_the_revocation_endpoint(flow: Flow) -> None:
    token = flow.token()
    unknown = plain(flow.revoke("x"))
    for changed in changed_tokens(token):
        flow.harness.gateway.services.counters.clear()
        assert plain(flow.revoke(changed)) == unknown, changed
    assert flow.store.one("grants")["status"] == "redeemed"


def test_e1_a_token_combined_from_two_tokens_is_refused(flow: Flow) -> None:
    """Including tokens of two users under one key."""
    bad = plain(flow.call("x"))
    first, second = flow.token().split("."), flow.token().split(".")
    for chosen in itertools.product((0, 1), repeat=3):
        if len(set(chosen)) == 1:
            continue
        parts = [(first, second)[index][place] for index, place in zip(chosen, (2, 3, 4), strict=True)]
        assert plain(flow.call(".".join([first[0], "", *parts]))) == bad


def test_e1_a_value_sealed_for_the_store_is_not_accepted_as_access_token(flow: Flow) -> None:
    """Entra's refresh token is sealed under the same key for another purpose."""
    token = flow.token()
    sealed = flow.store.one("grants")["entraToken"]
    bad = plain(flow.call("x"))
    header = token.split(".")[0]
    for presented in (sealed, ".".join([header, *sealed.split(".")[1:]])):
        assert plain(flow.call(presented)) == bad


@pytest.mark.parametrize("kind", ["code", "refresh_token"])
def test_d1_d5_every_changed_secret_gets_the_same_refusal_and_revokes_nothing(flow: Flow, kind: str) -> None:
    value = flow.code() if kind == "code" else flow.refresh_token()
    present = flow.redeem if kind == "code" else flow.refresh
    unknown = plain(present("A" * 22 + (".1.1." if kind == "refresh_token" else ".") + "B" * 43))
    head, _, secret = value.rpartition(".")
    before = dict(flow.store.documents)
    for change in [*flipped(decoded(secret)), *rearranged(decoded(secret))]:
        flow.harness.gateway.services.counters.clear()
        if len(change) != 32 or change == decoded(secret):
            continue
        assert plain(present(f"{head}.{encoded(change)}")) == unknown
    for place in range(22):
        other = "A" if value[place] != "A" else "B"
        assert plain(present(value[:place] + other + value[place + 1 :])) == unknown
    assert flow.store.documents == before
    assert present(value).status == 200
