"""Random requests to the endpoints of the authorization server result in no 5xx and reveal no internal name.

`HYPOTHESIS_PROFILE=thorough` sends 10,000 to each endpoint.
"""

import functools
import string
from urllib.parse import quote

from hypothesis import example, given
from hypothesis import strategies as st

from tests.attacks.harm import assert_harmless
from tests.e2e.client import CALLBACK, parameters_of
from tests.policies.engine.harness import Harness
from tests.policies.oauth.flow import FORM, GATEWAY, RESOURCE, VERIFIER, Flow, ManualClock, service_with
from tests.profile import many


@functools.cache
def shared() -> tuple[Flow, dict[str, str]]:
    """A gateway with limits that no test reaches, and the values that it issued."""
    limits = {"tokenPerMinute": "10000", "authorizePerMinute": "10000"}
    flow = Flow.at(Harness(service_with(**limits), ManualClock()))
    response = flow.redeem(flow.code()).json()
    state = parameters_of(flow.at_entra().header("Location") or "")["state"]
    return flow, response | {"code": flow.code(), "state": state, "client_id": flow.client_id}


def fresh() -> tuple[Flow, dict[str, str]]:
    """The same, after the counters and the recorded requests are cleared."""
    flow, issued = shared()
    flow.harness.gateway.services.counters.clear()
    flow.harness.network.sent.clear()
    return flow, issued


arbitrary = st.text(st.sampled_from(string.printable + "\u00e9\u202e\u0301\U0001f600\ufffd\x00"), max_size=60)
issued_names = st.sampled_from(["access_token", "refresh_token", "code", "state", "client_id"])
constants = st.sampled_from(
    [
        "",
        "authorization_code",
        "refresh_token",
        VERIFIER,
        CALLBACK,
        RESOURCE,
        GATEWAY,
        "functions",
        "x" * 17000,
    ]
)


def _corrupt(parts: tuple[str, int, str]) -> str:
    """An issued value with a part replaced by other text."""
    name, position, text = parts
    value = shared()[1][name]
    position %= len(value)
    return value[:position] + text + value[position + len(text) :]


corrupted = st.tuples(issued_names, st.integers(0, 2000), arbitrary).map(_corrupt)
unchanged = issued_names.map(lambda name: shared()[1][name])
values = constants | arbitrary | corrupted | unchanged
names = st.sampled_from(
    [
        *("grant_type", "code", "redirect_uri", "client_id", "code_verifier", "refresh_token", "resource"),
        *("scope", "token", "token_type_hint", "client_assertion", "client_assertion_type", "client_secret"),
        *("state", "error", "unknown", "_etag", "gid"),
    ]
)
malformed = st.sampled_from(
    ["%", "%zz", "%00", "%E2%28", "%u0041", "+", "&", "=", ";", "a=b=c", "\x00", "\u00e9"]
)
pairs = st.builds(lambda name, value: f"{name}={quote(value, safe='')}", names, values)
forms = st.lists(pairs | malformed, max_size=9).map("&".join)
content_types = st.sampled_from(
    [FORM, FORM + "; charset=utf-8", "", "text/plain", "application/json", FORM.upper()]
)
credentials = (
    st.none()
    | st.sampled_from(["Basic Og==", "Basic", "Basic !", "Bearer x", "Basic eDp5"])
    | arbitrary.map(lambda text: "".join(c for c in text if " " <= c <= "~").strip())
)


@many
@given(forms, content_types, credentials)
@example(
    "grant_type=refresh_token&refresh_token=" + "A" * 22 + ".1.1." + "A" * 43 + "&client_id=x", FORM, None
)
@example("grant_type=authorization_code&grant_type=x", FORM, None)
def test_e8_no_token_request_causes_a_server_error(
    form: str, content_type: str, credential: str | None
) -> None:
    flow, _ = fresh()
    headers = {"Content_Type": content_type} | ({} if credential is None else {"Authorization": credential})
    answer = flow.harness.send("POST", "/token", body=form.encode(), **headers)
    assert_harmless(answer)
    assert answer.status in (200, 400, 401)
    if answer.status != 200:
        assert set(answer.json()) == {"error", "error_description"}


@many
@given(forms, content_types, credentials)
def test_e8_no_revocation_causes_a_server_error(form: str, content_type: str, credential: str | None) -> None:
    flow, _ = fresh()
    headers = {"Content_Type": content_type} | ({} if credential is None else {"Authorization": credential})
    answer = flow.harness.send("POST", "/revoke", body=form.encode(), **headers)
    assert_harmless(answer)
    assert answer.status in (200, 400, 401)


cookies = st.lists(
    st.tuples(st.sampled_from(["__Host-callback-", "__Host-consent-", "__Host-user", "x"]), arbitrary),
    max_size=3,
).map(lambda items: "; ".join(f"{name}={value}" for name, value in items))


@many
@given(st.lists(pairs | malformed, max_size=6).map("&".join), cookies)
def test_e8_no_answer_of_entra_causes_a_server_error(query: str, cookie: str) -> None:
    flow, issued = fresh()
    cookie_header = "".join(character for character in cookie if " " <= character <= "~")
    for sent_query in (query, f"state={issued['state']}&{query}"):
        answer = flow.harness.send("GET", "/oauth-callback", sent_query, Cookie=cookie_header)
        assert_harmless(answer)
        assert answer.status in (400, 403, 414)
        assert answer.header("Location") is None


paths = st.sampled_from(
    [
        *("/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server", "/jwks"),
        *("/.well-known/openid-configuration", "/authorize", "/consent", "/oauth-callback", "/token", "/"),
    ]
)
methods = st.sampled_from(
    ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE", "CONNECT", "X"]
)


@many
@given(methods, paths, arbitrary.map(lambda text: quote(text, safe="/.;%")), forms, content_types)
def test_e8_no_path_and_method_causes_a_server_error(
    method: str, path: str, suffix: str, form: str, content_type: str
) -> None:
    flow, _ = fresh()
    answer = flow.harness.send(
        method, path + suffix, form[:1000], body=form.encode(), Content_Type=content_type
    )
    assert_harmless(answer)


@many
@given(
    st.binary(max_size=300) | arbitrary.map(str.encode),
    st.sampled_from(["application/json", "text/json", ""]),
)
@example(b"[" * 8000, "application/json")
@example(b'{"redirect_uris":' * 900, "application/json")
@example(b'{"redirect_uris":["https://a.example/"],"client_name":"\\ud800"}', "application/json")
@example(b'{"redirect_uris":["https://a.example/"],"redirect_uris":[]}', "application/json")
@example(b"\xef\xbb\xbf{}", "application/json")
@example(b"{} {}", "application/json")
def test_e8_no_body_of_a_registration_causes_a_server_error(body: bytes, content_type: str) -> None:
    flow, _ = fresh()
    answer = flow.harness.send("POST", "/register", body=body, Content_Type=content_type)
    assert_harmless(answer)
    assert answer.status in (400, 415)
