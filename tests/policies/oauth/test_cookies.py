"""The gateway accepts a cookie only under its exact name.

A browser lets only the gateway set a cookie whose name begins with `__Host-`. Another host of the same domain
can set a cookie whose name begins with white space and continues with `__Host-`, so the gateway must not
remove this white space.
"""

import pytest

from tests.e2e.client import parameters_of
from tests.policies.engine.harness import Response
from tests.policies.oauth.flow import FORM, Flow, handle_of
from tests.policies.oauth.test_remembered_consent import consent_is_shown, start, verified

# The characters that .NET's `Trim()` without arguments removes (Char.IsWhiteSpace).
WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
# Browsers remove spaces and tabs around a name before they store a cookie (RFC 6265bis, section 5.6).
KEPT_BY_BROWSERS = [character for character in WHITE_SPACE if character not in " \t"]


def set_by_another_host(flow: Flow, white_space: str) -> None:
    """Replaces the browser's cookie with a cookie that another host of the domain can set."""
    ((name, value),) = flow.cookies.items()
    flow.cookies = {white_space + name: value}


def test_c7_the_callback_does_not_accept_a_cookie_with_white_space_before_its_name() -> None:
    """The attacker consents, sets the cookie in the victim's browser, and sends the victim to Entra."""
    flow = Flow.new()
    at_entra = flow.at_entra()
    cookies = dict(flow.cookies)
    for white_space in [*KEPT_BY_BROWSERS, "\u2003 ", " \u2003"]:
        flow.cookies = dict(cookies)
        set_by_another_host(flow, white_space)
        answer = flow.callback(at_entra)
        assert (answer.status, answer.header("Location")) == (403, None), ascii(white_space)
        assert flow.store.one("transactions")["status"] == "approved"
    flow.cookies = cookies
    assert flow.callback(at_entra).status == 302


def test_c5_the_consent_form_does_not_accept_a_cookie_with_white_space_before_its_name() -> None:
    flow = Flow.new()
    page = flow.page()
    cookies = dict(flow.cookies)
    for character in KEPT_BY_BROWSERS:
        flow.cookies = dict(cookies)
        set_by_another_host(flow, character)
        assert flow.consent(page).status == 403, hex(ord(character))
        assert flow.store.one("transactions")["status"] == "pending"
    flow.cookies = cookies
    assert flow.consent(page).status == 303


def test_c5_the_consent_page_replaces_the_secret_of_a_cookie_with_white_space_before_its_name() -> None:
    flow = Flow.new()
    handle = handle_of(flow.authorize())
    flow.consent_page(handle)
    cookies = dict(flow.cookies)
    ((name, secret),) = cookies.items()
    for character in KEPT_BY_BROWSERS:
        flow.cookies = dict(cookies)
        set_by_another_host(flow, character)
        flow.consent_page(handle)
        assert flow.cookies[name] != secret, hex(ord(character))


def test_c6_a_users_cookie_with_white_space_before_its_name_does_not_replace_consent() -> None:
    flow = verified()
    assert consent_is_shown(flow)
    cookies = {"__Host-user": flow.cookies["__Host-user"]}
    for character in KEPT_BY_BROWSERS:
        flow.cookies = dict(cookies)
        set_by_another_host(flow, character)
        assert start(flow).status == 200, hex(ord(character))
    flow.cookies = cookies
    assert start(flow).status == 302


def test_c7_spaces_and_tabs_around_a_cookie_are_ignored() -> None:
    flow = Flow.new()
    separator = " ;\t "
    at_entra = flow.at_entra()
    ((name, value),) = flow.cookies.items()
    query = f"code=c&state={_state_of(at_entra)}"
    answer = flow.harness.send(
        "GET", "/oauth-callback", query, body=None, Cookie=f"a=b{separator}{name}={value}{separator}c=d"
    )
    assert answer.status == 302


def _state_of(at_entra: Response) -> str:
    return parameters_of(at_entra.header("Location") or "")["state"]


@pytest.mark.parametrize("media_type", ["\xa0{0}", "{0}\u2003", "{0}\x85;charset=utf-8"])
def test_a_media_type_with_unicode_white_space_is_refused(media_type: str) -> None:
    flow = Flow.new()
    json_type, form_type = media_type.format("application/json"), media_type.format(FORM)
    assert flow.post("/register", "{}", content_type=json_type).status == 415
    assert flow.post("/revoke", f"client_id={flow.client_id}&token=x", content_type=form_type).status == 400
