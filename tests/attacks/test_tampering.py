"""The response to every changed token is the same, so responses are no padding oracle (RFC 7518, section
5.2.2.2).

Bits are flipped, and blocks are exchanged, removed and repeated. A thorough run flips every bit of an access
token, other runs every seventh.
"""

import base64
import itertools
from collections.abc import Iterator

import pytest

from tests.policies.oauth.flow import Flow, encoded
from tests.profile import THOROUGH

BLOCK = 16


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def flipped(octets: bytes) -> Iterator[bytes]:
    """Variants of the octets, each with one bit flipped."""
    for position in range(len(octets)):
        for bit in range(8):
            yield octets[:position] + bytes([octets[position] ^ 1 << bit]) + octets[position + 1 :]


def rearranged(octets: bytes) -> Iterator[bytes]:
    """Variants of the octets: blocks exchanged, removed, repeated and added; truncated at every position."""
    blocks = [octets[at : at + BLOCK] for at in range(0, len(octets), BLOCK)]
    for first, second in itertools.combinations(range(len(blocks)), 2):
        swapped = [*blocks]
        swapped[first], swapped[second] = swapped[second], swapped[first]
        yield b"".join(swapped)
    for index in range(len(blocks)):
        yield b"".join(blocks[:index] + blocks[index + 1 :])
        yield b"".join(blocks[: index + 1] + blocks[index:])
    yield octets + bytes(BLOCK)
    yield from (octets[:length] for length in range(len(octets)))
    yield from (octets + bytes(length) for length in range(1, BLOCK))


def changed_tokens(token: str) -> Iterator[str]:
    """Variants of a compact JWE, each with one part changed."""
    parts = token.split(".")
    for index in (0, 2, 3, 4):
        octets = decoded(parts[index])
        step = 1 if THOROUGH else 7
        changes = [*itertools.islice(flipped(octets), 0, None, step), *rearranged(octets)]
        for change in changes:
            if change != octets:
                yield ".".join([*parts[:index], encoded(change), *parts[index + 1 :]])
    yield ".".join([parts[0], "AAAA", *parts[2:]])
    yield ".".join([parts[0], *parts[2:]])
    yield token + "."
    yield token + ".x"
    yield from (token[:length] for length in range(1, len(token), 1 if THOROUGH else 11))


def test_e1_every_changed_access_token_is_answered_like_any_bad_token(flow: Flow) -> None:
    token = flow.token()
    bad = flow.call("x")
    assert bad.status == 401
    for changed in changed_tokens(token):
        flow.harness.gateway.services.counters.clear()
        assert flow.call(changed) == bad, changed
    assert flow.call(token).status == 200


def test_d6_the_revocation_of_a_changed_access_token_is_answered_like_that_of_an_unknown_token(
    flow: Flow,
) -> None:
    token = flow.token()
    unknown = flow.revoke("x")
    for changed in changed_tokens(token):
        flow.harness.gateway.services.counters.clear()
        assert flow.revoke(changed) == unknown, changed
    assert flow.store.one("grants")["status"] == "redeemed"


def test_e1_a_token_combined_from_two_tokens_is_refused(flow: Flow) -> None:
    """The tokens belong to two users and are encrypted with the same key."""
    bad = flow.call("x")
    first = flow.token().split(".")
    flow.tampered = {"oid": "66666666-6666-4666-8666-666666666666"}
    second = flow.token().split(".")
    # The initialization vector, the ciphertext and the tag, each from either token.
    for sources in itertools.product((first, second), repeat=3):
        if sources in ((first,) * 3, (second,) * 3):
            continue
        parts = [source[index] for source, index in zip(sources, (2, 3, 4), strict=True)]
        assert flow.call(".".join([first[0], "", *parts])) == bad
    assert flow.call(".".join(second)).status == 200


def test_e1_a_token_that_is_encrypted_for_the_store_is_not_accepted_as_access_token(flow: Flow) -> None:
    """Entra's refresh token is encrypted with the same key for another purpose."""
    token = flow.token()
    stored = flow.store.one("grants")["entraToken"]
    bad = flow.call("x")
    header = token.split(".")[0]
    for presented in (stored, ".".join([header, *stored.split(".")[1:]])):
        assert flow.call(presented) == bad


@pytest.mark.parametrize("kind", ["code", "refresh_token"])
def test_d1_d5_every_changed_secret_gets_the_same_refusal_and_revokes_nothing(flow: Flow, kind: str) -> None:
    value = flow.code() if kind == "code" else flow.refresh_token()
    present = flow.redeem if kind == "code" else flow.refresh
    unknown = present("A" * 22 + (".1.1." if kind == "refresh_token" else ".") + "B" * 43)
    head, _, secret = value.rpartition(".")
    before = dict(flow.store.documents)
    for change in [*flipped(decoded(secret)), *rearranged(decoded(secret))]:
        flow.harness.gateway.services.counters.clear()
        if len(change) != 32 or change == decoded(secret):
            continue
        assert present(f"{head}.{encoded(change)}") == unknown
    for position in range(22):
        other = "A" if value[position] != "A" else "B"
        assert present(value[:position] + other + value[position + 1 :]) == unknown
    assert flow.store.documents == before
    assert present(value).status == 200
