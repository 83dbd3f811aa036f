"""Token requests: the bindings of codes, the format of requests and responses, the content of tokens."""

import asyncio
import base64
import json
import random
import re
from collections.abc import Awaitable
from types import SimpleNamespace
from urllib.parse import quote, urlencode

import pytest

from apim.network import Reply
from apim.policies import retry
from tests.e2e.client import CALLBACK, parameters_of
from tests.policies.engine.harness import Harness, Response, Sent
from tests.policies.oauth.flow import (
    FORM,
    GATEWAY,
    OBJECT_ID,
    RESOURCE,
    VERIFIER,
    Flow,
    ManualClock,
    handle_of,
    service_with,
)


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


def error_of(answer: Response) -> tuple[int, str]:
    """The status and the OAuth error of a response that must not be cached."""
    assert answer.header("Cache-Control") == "no-store"
    return answer.status, answer.json()["error"]


def redeem_raw(flow: Flow, form: str, **headers: str) -> Response:
    return flow.harness.send("POST", "/token", body=form.encode(), Content_Type=FORM, **headers)


def redemption(flow: Flow, issued_code: str, **changed: str | None) -> str:
    """The form that redeems a code; a parameter that is changed to None is omitted."""
    parameters = {
        "grant_type": "authorization_code",
        "code": issued_code,
        "client_id": flow.client_id,
        "code_verifier": VERIFIER,
    }
    return urlencode({name: value for name, value in (parameters | changed).items() if value is not None})


def basic(credentials: str) -> str:
    """An Authorization header with Basic credentials."""
    return "Basic " + base64.b64encode(credentials.encode()).decode()


# Codes


def test_d1_a_code_is_256_random_bits_and_only_its_hash_is_stored(flow: Flow) -> None:
    codes = [flow.code() for _ in range(3)]
    secrets = {code.partition(".")[2] for code in codes}
    assert len(secrets) == 3
    stored = json.dumps(list(flow.store.documents.values()))
    for secret in secrets:
        assert len(base64.urlsafe_b64decode(secret + "=")) == 32
        assert secret not in stored


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (60, 400)])
def test_d1_a_code_expires_after_sixty_seconds(flow: Flow, seconds: int, status: int) -> None:
    code = flow.code()
    flow.harness.clock.advance(seconds)
    assert flow.redeem(code).status == status


def test_d1_a_replay_with_all_bindings_revokes_the_tokens_of_the_first_redemption(flow: Flow) -> None:
    code = flow.code()
    response = flow.redeem(code).json()
    renewed = flow.refresh(response["refresh_token"]).json()
    assert error_of(flow.redeem(code)) == (400, "invalid_grant")
    for tokens in (response, renewed):
        assert flow.call(tokens["access_token"]).status == 401
        assert error_of(flow.refresh(tokens["refresh_token"])) == (400, "invalid_grant")


def test_d1_a_replay_without_the_optional_redirect_uri_also_revokes_the_grant(flow: Flow) -> None:
    """The code can be redeemed without this parameter, so it can also be replayed without it."""
    code = flow.code()
    flow.redeem(code, redirect_uri=None)
    assert error_of(flow.redeem(code, redirect_uri=None)) == (400, "invalid_grant")
    assert flow.store.one("grants")["status"] == "revoked"


def test_d1_a_replay_is_detected_even_with_a_foreign_resource(flow: Flow) -> None:
    code = flow.code()
    flow.redeem(code)
    assert error_of(flow.redeem(code, resource="https://evil.example")) == (400, "invalid_grant")
    assert flow.store.one("grants")["status"] == "revoked"


@pytest.mark.parametrize("wrong", ["client_id", "redirect_uri", "code_verifier"])
def test_d1_any_other_use_of_a_redeemed_code_revokes_nothing(flow: Flow, wrong: str) -> None:
    code = flow.code()
    response = flow.redeem(code).json()
    assert error_of(flow.redeem(code, **{wrong: "a" * 43})) == (400, "invalid_grant")
    assert flow.call(response["access_token"]).status == 200
    assert flow.refresh(response["refresh_token"]).status == 200


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the pause of the policy retry, but lets other requests run in the meantime."""

    async def no_sleep(_seconds: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(retry, "asyncio", SimpleNamespace(sleep=no_sleep))


def delay_randomly(flow: Flow, seed: int) -> None:
    """Delays each call to a service by a random number of steps, so that requests overtake each other."""
    rng = random.Random(seed)
    answer = flow.harness.network.answer

    async def delayed(sent: Sent) -> Reply:
        for _ in range(rng.randrange(12)):
            await asyncio.sleep(0)
        reply = answer(sent)
        assert not isinstance(reply, Awaitable)
        for _ in range(rng.randrange(12)):
            await asyncio.sleep(0)
        return reply

    flow.harness.network.answer = delayed


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("seed", range(5))
def test_d1_of_fifty_parallel_redemptions_one_succeeds_and_its_tokens_are_revoked(
    flow: Flow, seed: int
) -> None:
    body = redemption(flow, flow.code()).encode()
    delay_randomly(flow, seed)
    answers = flow.harness.send_in_parallel(50, "/token", body=body, Content_Type=FORM)
    assert sorted(answer.status for answer in answers) == [200] + [400] * 49
    assert {error_of(answer) for answer in answers if answer.status == 400} == {(400, "invalid_grant")}
    (response,) = (answer.json() for answer in answers if answer.status == 200)
    assert flow.store.one("grants")["status"] == "revoked"
    assert flow.call(response["access_token"]).status == 401
    assert error_of(flow.refresh(response["refresh_token"])) == (400, "invalid_grant")


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("seed", range(5))
def test_d5_fifty_parallel_refreshes_return_the_same_refresh_token(flow: Flow, seed: int) -> None:
    token = flow.refresh_token()
    body = urlencode(
        {"grant_type": "refresh_token", "refresh_token": token, "client_id": flow.client_id}
    ).encode()
    delay_randomly(flow, seed)
    answers = flow.harness.send_in_parallel(50, "/token", body=body, Content_Type=FORM)
    assert [answer.status for answer in answers] == [200] * 50
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert flow.store.one("grants")["counter"] == 2
    assert flow.call(answers[-1].json()["access_token"]).status == 200
    assert flow.refresh(answers[0].json()["refresh_token"]).status == 200


# Requests and responses


def test_d2_a_token_request_that_is_no_form_is_refused(flow: Flow) -> None:
    code = flow.code()
    form = redemption(flow, code)
    as_json = json.dumps({"grant_type": "authorization_code", "code": code, "client_id": flow.client_id})
    for body, content_type in ((as_json, "application/json"), (form, "text/plain"), (form, "")):
        answer = flow.harness.send("POST", "/token", body=body.encode(), Content_Type=content_type)
        assert error_of(answer) == (400, "invalid_request")
    assert redeem_raw(flow, form).status == 200


def names_missing_parameter(answer: Response, name: str) -> bool:
    """Whether the description of an error names this parameter.

    Without `grant_type`, it is not known which other parameters are required.
    """
    expected = "Send grant_type and the other parameters" if name == "grant_type" else f"{name} is missing."
    return answer.json()["error_description"].startswith(expected)


@pytest.mark.parametrize("name", ["grant_type", "code", "code_verifier", "client_id"])
@pytest.mark.parametrize("value", [None, ""])
def test_d2_a_missing_or_empty_parameter_of_a_redemption_is_an_invalid_request(
    flow: Flow, name: str, value: str | None
) -> None:
    code = flow.code()
    answer = redeem_raw(flow, redemption(flow, code, **{name: value}))
    assert error_of(answer) == (400, "invalid_request")
    assert names_missing_parameter(answer, name)
    assert redeem_raw(flow, redemption(flow, code)).status == 200


@pytest.mark.parametrize("name", ["grant_type", "refresh_token", "client_id"])
@pytest.mark.parametrize("value", [None, ""])
def test_d2_a_missing_or_empty_parameter_of_a_refresh_is_an_invalid_request(
    flow: Flow, name: str, value: str | None
) -> None:
    token = flow.refresh_token()
    answer = flow.refresh(**{"refresh_token": token, name: value})
    assert error_of(answer) == (400, "invalid_request")
    assert names_missing_parameter(answer, name)
    assert flow.refresh(token).status == 200


@pytest.mark.parametrize(
    "second", ["grant_type=authorization_code", "code=x", "code_verifier=x", "client_id=x", "redirect_uri=x"]
)
def test_d2_a_repeated_parameter_is_an_invalid_request(flow: Flow, second: str) -> None:
    code = flow.code()
    form = redemption(flow, code, redirect_uri=CALLBACK)
    assert error_of(redeem_raw(flow, f"{form}&{second}")) == (400, "invalid_request")
    assert redeem_raw(flow, form).status == 200


@pytest.mark.parametrize(
    "grant_type", ["password", "client_credentials", "implicit", "AUTHORIZATION_CODE", "x"]
)
def test_d2_another_grant_type_is_unsupported(flow: Flow, grant_type: str) -> None:
    form = redemption(flow, flow.code(), grant_type=grant_type)
    assert error_of(redeem_raw(flow, form)) == (400, "unsupported_grant_type")


def test_d2_unknown_parameters_are_ignored(flow: Flow) -> None:
    more = "&client_secret=x&scope=x%20y&audience=z&flag&%00=%00&access_token=1"
    answer = redeem_raw(flow, redemption(flow, flow.code()) + more)
    assert answer.status == 200
    assert answer.json()["scope"] == "functions"


def test_d2_parameters_of_the_other_grant_type_are_unknown(flow: Flow) -> None:
    code = flow.code()
    token = redeem_raw(flow, redemption(flow, code, refresh_token="../../clients")).json()["refresh_token"]
    for other in ("x", "../../../../clients/docs/x", code):
        flow.store.calls.clear()
        assert flow.refresh(token, code=other, code_verifier="x", redirect_uri="x").status == 200
        assert {container for _, container in flow.store.calls} == {"grants"}


@pytest.mark.parametrize("value", [None, "", CALLBACK])
def test_d2_redirect_uri_may_be_absent(flow: Flow, value: str | None) -> None:
    assert flow.redeem(flow.code(), redirect_uri=value).status == 200


def test_d2_redirect_uri_must_match_when_it_is_present(flow: Flow) -> None:
    code = flow.code()
    for wrong in (CALLBACK + "/", CALLBACK.upper(), "https://evil.example/callback", " "):
        assert error_of(flow.redeem(code, redirect_uri=wrong)) == (400, "invalid_grant")
    assert flow.redeem(code).status == 200


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
@pytest.mark.parametrize("in_the_form", [True, False])
def test_d2_a_client_id_in_the_header_with_an_empty_secret_is_accepted(
    flow: Flow, scheme: str, in_the_form: bool
) -> None:
    form = redemption(flow, flow.code(), **({} if in_the_form else {"client_id": None}))
    header = basic(f"{flow.client_id}:").replace("Basic", scheme)
    answer = redeem_raw(flow, form, Authorization=header)
    assert answer.status == 200
    assert flow.claims_of(answer.json()["access_token"])["client_id"] == flow.client_id


def test_d2_a_client_id_in_the_header_is_form_decoded(flow: Flow) -> None:
    """RFC 6749, section 2.3.1."""
    encoded = "".join(f"%{ord(letter):02X}" for letter in flow.client_id)
    form = redemption(flow, flow.code(), client_id=None)
    assert redeem_raw(flow, form, Authorization=basic(f"{encoded}:")).status == 200


@pytest.mark.parametrize("header", ["Bearer x", "Digest x", "x", ""])
def test_d2_another_authorization_scheme_does_not_identify_the_client(flow: Flow, header: str) -> None:
    assert redeem_raw(flow, redemption(flow, flow.code()), Authorization=header).status == 200


def test_d2_an_empty_client_id_in_the_header_counts_as_missing(flow: Flow) -> None:
    code = flow.code()
    form = redemption(flow, code, client_id=None)
    assert error_of(redeem_raw(flow, form, Authorization=basic(":"))) == (400, "invalid_request")
    assert redeem_raw(flow, redemption(flow, code), Authorization=basic(":")).status == 200


@pytest.mark.parametrize("credentials", ["{id}:secret", "{id}", "x:", "", "{id}::x"])
def test_d2_basic_credentials_with_a_secret_or_another_client_id_are_refused(
    flow: Flow, credentials: str
) -> None:
    code = flow.code()
    header = basic(credentials.format(id=flow.client_id))
    answer = redeem_raw(flow, redemption(flow, code), Authorization=header)
    assert error_of(answer) == (401, "invalid_client")
    assert (answer.header("WWW-Authenticate") or "").startswith("Basic ")
    assert answer.header("Access-Control-Allow-Origin") == "*"
    assert redeem_raw(flow, redemption(flow, code)).status == 200


def test_d2_basic_credentials_that_cannot_be_decoded_are_refused(flow: Flow) -> None:
    """The scheme without credentials counts as no header."""
    for header in ("Basic %%%", "Basic /w=="):
        answer = redeem_raw(flow, redemption(flow, flow.code()), Authorization=header)
        assert error_of(answer) == (401, "invalid_client")
    assert redeem_raw(flow, redemption(flow, flow.code()), Authorization="Basic").status == 200


def test_d2_a_code_is_refused_if_the_header_names_another_client(flow: Flow) -> None:
    code = flow.code()
    form = redemption(flow, code, client_id=None)
    flow.register()
    answer = redeem_raw(flow, form, Authorization=basic(f"{flow.client_id}:"))
    assert error_of(answer) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("requested", "status"),
    [
        ([RESOURCE, RESOURCE], 200),
        ([RESOURCE, RESOURCE + "/"], 200),
        ([RESOURCE, ""], 200),
        ([GATEWAY], 200),
        ([GATEWAY + "/", RESOURCE], 200),
        ([RESOURCE, GATEWAY + "/other"], 400),
        (["https://evil.example", RESOURCE], 400),
    ],
    ids=str,
)
def test_d2_a_repeated_resource_counts_once_and_the_origin_counts_as_no_resource(
    flow: Flow, requested: list[str], status: int
) -> None:
    form = redemption(flow, flow.code()) + "".join(f"&resource={quote(resource)}" for resource in requested)
    answer = redeem_raw(flow, form)
    assert answer.status == status
    if status == 200:
        assert flow.claims_of(answer.json()["access_token"])["aud"] == RESOURCE
    else:
        assert error_of(answer) == (400, "invalid_target")
        assert flow.store.one("grants")["status"] == "issued"


def test_d2_a_token_response_is_not_cached_and_has_no_null_or_empty_member(flow: Flow) -> None:
    first = flow.redeem(flow.code())
    second = flow.refresh(first.json()["refresh_token"])
    for answer in (first, second):
        assert (answer.header("Cache-Control"), answer.header("Pragma")) == ("no-store", "no-cache")
        assert answer.header("Content-Type") == "application/json"
        assert all(answer.json().values())
        claims = flow.claims_of(answer.json()["access_token"])
        assert answer.json()["expires_in"] == claims["exp"] - flow.now == 600


SCOPES: list[tuple[str, str | None, str | None]] = [
    ("functions", None, "functions"),
    ("functions", "", "functions"),
    ("functions", "functions", "functions"),
    ("functions", "functions offline_access", "functions"),
    ("functions", "offline_access", "functions"),
    ("functions", "mcp.read mcp.write", "functions"),
    ("functions", "  functions  ", "functions"),
    ("functions offline_access", "functions", "functions offline_access"),
    ("functions", "functions mcp.read", "functions"),
    ("functions offline_access", "offline_access", "functions offline_access"),
    ("functions other offline_access", "other", "other offline_access"),
    ("functions", "functions admin", None),
    ("functions", "admin", None),
    ("other", "functions", "other"),
    ("other", "other", "other"),
    ("other", "slack", None),
    ("other", 'other "', None),
    ("other", "other\u00fc", None),
]


@pytest.mark.parametrize(("granted", "requested", "expected"), SCOPES, ids=str)
def test_d5_a_scope_may_narrow_a_refresh_and_never_widen_it(
    flow: Flow, granted: str, requested: str | None, expected: str | None
) -> None:
    """Unknown scopes are ignored only if the authorization request contained them."""
    page = flow.consent_page(handle_of(flow.authorize(scope="functions mcp.read mcp.write")))
    code = parameters_of(flow.callback(flow.consent(page)).header("Location") or "")["code"]
    token = flow.redeem(code).json()["refresh_token"]
    flow.store.one("grants")["scope"] = granted
    answer = flow.refresh(token, scope=requested)
    if expected is None:
        assert error_of(answer) == (400, "invalid_scope")
        assert flow.refresh(token).status == 200
        return
    assert answer.json()["scope"] == expected
    assert flow.claims_of(answer.json()["access_token"])["scope"] == expected
    assert flow.refresh(answer.json()["refresh_token"]).json()["scope"] == granted


# Access tokens


def test_d3_an_access_token_is_a_compact_jwe_with_these_claims_and_no_others(flow: Flow) -> None:
    token = flow.token()
    header, key, iv, _, tag = token.split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {
        "alg": "dir",
        "enc": "A256CBC-HS512",
        "kid": "1",
    }
    assert (key, len(iv), len(tag)) == ("", 22, 43)
    claims = flow.claims_of(token)
    assert re.fullmatch("[0-9a-f]{32}", claims.pop("jti"))
    assert claims == {
        "iss": GATEWAY,
        "aud": RESOURCE,
        "sub": OBJECT_ID,
        "tid": flow.named_value("entra-tenant"),
        "client_id": flow.client_id,
        "scope": "functions",
        "gid": flow.store.one("grants")["id"],
        "iat": flow.now,
        "exp": flow.now + 600,
    }


def test_d3_each_access_token_has_a_different_id(flow: Flow) -> None:
    first = flow.redeem(flow.code()).json()
    renewed = flow.refresh(first["refresh_token"]).json()
    ids = {flow.claims_of(answer["access_token"])["jti"] for answer in (first, renewed)}
    assert len(ids) == 2


def test_d3_two_tokens_have_only_their_header_in_common(flow: Flow) -> None:
    refresh_token = flow.refresh_token()
    tokens = [flow.refresh(refresh_token).json()["access_token"].split(".") for _ in range(2)]
    assert [left == right for left, right in zip(*tokens, strict=True)] == [True, True, False, False, False]


def test_d3_entras_tokens_never_reach_a_client(flow: Flow) -> None:
    answers = [flow.redeem(flow.code())]
    answers.append(flow.refresh(answers[0].json()["refresh_token"]))
    for answer in answers:
        assert b"entra" not in answer.body
        assert not [value for value in answer.json().values() if str(value).count(".") == 2]


def test_d3_the_lifetime_of_an_access_token_is_a_setting(flow: Flow) -> None:
    other = Flow.at(Harness(service_with(accessTokenMinutes="5"), ManualClock()))
    response = other.redeem(other.code()).json()
    assert (response["expires_in"], flow.redeem(flow.code()).json()["expires_in"]) == (300, 600)
