"""Each value that the gateway issues is accepted in one encoding only.

The last character of base64url may have unused bits (RFC 4648, section 3.5): a decoder that ignores them
decodes several strings to the same bytes. Every character is tried at the end of every part, and Unicode's
white space, which .NET's `Trim()` removes, around the value.
"""

import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.client import parameters_of
from tests.policies.engine.harness import Response
from tests.policies.oauth.flow import Flow, handle_of
from tests.policies.oauth.test_remembered_consent import start, verified

LETTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
PARTS = re.compile(r"[A-Za-z0-9_\-]+")


def other_spellings(issued: str) -> Iterator[str]:
    """The value in white space, and with every other character, or padding, at the end of each part."""
    yield from (f"{issued}\xa0", f"\u2003{issued}", f"{issued}\u3000")
    for part in PARTS.finditer(issued):
        head, last, tail = issued[: part.end() - 1], part[0][-1], issued[part.end() :]
        yield from (head + letter + tail for letter in LETTERS if letter != last)
        yield head + last + "=" + tail


@dataclass(frozen=True)
class Issued:
    """A value that the gateway issued to a client or a browser.

    Attributes:
        flow: the gateway, with the client and the browser.
        value: the issued value.
        accepts: presents another value instead, and returns whether the gateway accepted it.
    """

    flow: Flow
    value: str
    accepts: Callable[[str], bool]


def cookie(flow: Flow, step: str) -> tuple[str, str]:
    """Name and value of the cookie of a step."""
    return next(entry for entry in flow.cookies.items() if entry[0].startswith(f"__Host-{step}"))


def with_cookie(flow: Flow, step: str, request: Callable[[], Response], status: int) -> Issued:
    """The cookie of a step; the gateway accepts it if the response to `request` has this status."""
    name, issued = cookie(flow, step)
    cookies = dict(flow.cookies)

    def accepts(value: str) -> bool:
        flow.cookies = cookies | {name: value}
        return request().status == status

    return Issued(flow, issued, accepts)


def access_token() -> Issued:
    flow = Flow.new()
    return Issued(flow, flow.token(), lambda value: flow.call(value).status == 200)


def refresh_token() -> Issued:
    flow = Flow.new()
    return Issued(flow, flow.refresh_token(), lambda value: flow.refresh(value).status == 200)


def token_to_revoke(kind: str) -> Issued:
    """A token that is sent to the revocation endpoint; it is accepted if its grant is revoked."""
    flow = Flow.new()

    def accepts(value: str) -> bool:
        assert flow.revoke(value).status == 200
        return flow.store.one("grants")["status"] == "revoked"

    return Issued(flow, flow.redeem(flow.code()).json()[kind], accepts)


def code() -> Issued:
    flow = Flow.new()
    return Issued(flow, flow.code(), lambda value: flow.redeem(value).status == 200)


def client_id() -> Issued:
    flow = Flow.new()
    return Issued(flow, flow.client_id, lambda value: flow.authorize(client_id=value).status == 302)


def handle() -> Issued:
    flow = Flow.new()
    return Issued(flow, handle_of(flow.authorize()), lambda value: flow.consent_page(value).status == 200)


def form_field(field: str) -> Issued:
    flow = Flow.new()
    page = flow.page()
    match = re.search(rf'name="{field}" value="([^"]*)"'.encode(), page.body)
    assert match
    return Issued(flow, match[1].decode(), lambda value: flow.consent(page, **{field: value}).status == 303)


def consent_cookie() -> Issued:
    flow = Flow.new()
    page = flow.page()
    return with_cookie(flow, "consent", lambda: flow.consent(page), 303)


def state_at_entra() -> Issued:
    flow = Flow.new()
    state = parameters_of(flow.at_entra().header("Location") or "")["state"]

    def accepts(value: str) -> bool:
        return flow.get("/oauth-callback", f"code=x&state={value}").status == 302

    return Issued(flow, state, accepts)


def callback_cookie() -> Issued:
    flow = Flow.new()
    at_entra = flow.at_entra()
    return with_cookie(flow, "callback", lambda: flow.callback(at_entra), 302)


def user_cookie() -> Issued:
    flow = verified()
    flow.callback(flow.consent(start(flow)))
    return with_cookie(flow, "user", lambda: start(flow), 302)


ARTIFACTS: dict[str, Callable[[], Issued]] = {
    "access token": access_token,
    "access token to revoke": lambda: token_to_revoke("access_token"),
    "refresh token": refresh_token,
    "refresh token to revoke": lambda: token_to_revoke("refresh_token"),
    "code": code,
    "client id": client_id,
    "handle of the consent page": handle,
    "handle in the form": lambda: form_field("transaction"),
    "token in the form": lambda: form_field("token"),
    "cookie of the consent page": consent_cookie,
    "state at Entra": state_at_entra,
    "cookie of the callback": callback_cookie,
    "cookie of the user": user_cookie,
}


@pytest.mark.parametrize("name", ARTIFACTS)
def test_each_artifact_is_accepted_in_one_encoding_only(name: str) -> None:
    issued = ARTIFACTS[name]()
    for value in other_spellings(issued.value):
        issued.flow.harness.gateway.services.counters.clear()
        assert not issued.accepts(value), f"{value} is accepted instead of {issued.value}"
    assert issued.accepts(issued.value)


def test_d3_a_token_with_other_unused_bits_is_answered_like_any_bad_token() -> None:
    """The last character of the tag has two unused bits; that of the initialization vector has four."""
    flow = Flow.new()
    token = flow.token()
    refused = flow.call("x")
    parts = token.split(".")
    for index, unused in ((2, 4), (4, 2)):
        number = LETTERS.index(parts[index][-1])
        for bits in range(1, 2**unused):
            letter = LETTERS[number + bits]
            changed = [*parts[:index], parts[index][:-1] + letter, *parts[index + 1 :]]
            assert flow.call(".".join(changed)) == refused
