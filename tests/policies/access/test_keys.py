"""Callers with a subscription key call an MCP server (requirement F2), if the stack allows it."""

from dataclasses import replace

import pytest

from apim.service import Subscription
from tests.policies.access.callers import (
    KEYS,
    agent_token,
    arrived,
    bearer,
    harness_with,
    post_message,
    refused_like_a_bad_token,
)
from tests.policies.engine.harness import Harness
from tests.policies.oauth.flow import Flow, ManualClock

ALL_CALLERS = {"access": '{"functions": "users agents keys"}'}
KEYS_ONLY = {"access": '{"functions": "keys"}'}
KEY = KEYS["functions-keys"]
SECONDARY = f"{KEY[::-1]}0"


@pytest.fixture
def flow() -> Flow:
    return Flow.at(harness_with(**ALL_CALLERS))


def test_f2_the_key_gives_access_and_is_not_forwarded_to_the_server(flow: Flow) -> None:
    assert post_message(flow, Ocp_Apim_Subscription_Key=KEY).status == 200
    (sent,) = arrived(flow)
    assert sent.header("Ocp-Apim-Subscription-Key") is None
    assert KEY not in str(sent)


def test_f6_the_headers_about_the_caller_name_the_subscription(flow: Flow) -> None:
    assert post_message(flow, Ocp_Apim_Subscription_Key=KEY).status == 200
    (sent,) = arrived(flow)
    named = {sent.header("X-Mcp-Gateway-Subject"), sent.header("X-Mcp-Gateway-Client")}
    assert named == {"key:functions-keys"}


@pytest.mark.parametrize(
    "key", ["0" * 32, KEY.upper(), KEY[:-1], f"{KEY} ", KEYS["slack-keys"], KEYS[None], ""]
)
def test_f2_another_key_is_answered_like_a_bad_token(flow: Flow, key: str) -> None:
    answer = post_message(flow, Ocp_Apim_Subscription_Key=key)
    # An empty key counts as a request without credentials.
    assert refused_like_a_bad_token(flow, answer) or (key == "" and answer.status == 401)
    assert arrived(flow) == []


@pytest.mark.parametrize("scope", ["product", "api"])
def test_f2_a_key_of_another_product_or_of_the_api_alone_is_refused(scope: str) -> None:
    """An operator may add the API to another product, or create a subscription only for the API."""
    service = harness_with(**ALL_CALLERS).gateway.service
    (product,) = service.products
    added = {"product": "operators", "api": product.apis[0]}[scope]
    subscription = Subscription(id="added", name="added", key="1" * 32, **{scope: added})
    products = (*service.products, replace(product, id="operators", name="operators"))
    extended = replace(service, products=products, subscriptions=(*service.subscriptions, subscription))
    flow = Flow.at(Harness(extended, ManualClock()))
    assert post_message(flow, Ocp_Apim_Subscription_Key=KEY).status == 200
    assert refused_like_a_bad_token(flow, post_message(flow, Ocp_Apim_Subscription_Key="1" * 32))


def test_f2_a_key_in_the_query_is_refused(flow: Flow) -> None:
    for name in ("subscription-key", "Subscription-Key", "%73ubscription-KEY"):
        for headers in ({}, {"Ocp_Apim_Subscription_Key": KEY}):
            answer = post_message(flow, query=f"{name}={KEY}", **headers)
            assert refused_like_a_bad_token(flow, answer)
    assert arrived(flow) == []


def test_f2_a_key_and_a_token_together_are_refused(flow: Flow) -> None:
    for token in (flow.token(), agent_token(flow), "nonsense"):
        answer = post_message(flow, Ocp_Apim_Subscription_Key=KEY, **bearer(token))
        assert refused_like_a_bad_token(flow, answer)
    assert arrived(flow) == []


@pytest.mark.parametrize("access", ["users", "agents", "users agents"])
def test_f2_no_key_gives_access_to_a_server_that_does_not_allow_keys(access: str) -> None:
    flow = Flow.at(harness_with(access=f'{{"functions": "{access}"}}'))
    for key in KEYS.values():
        assert refused_like_a_bad_token(flow, post_message(flow, Ocp_Apim_Subscription_Key=key))
    assert arrived(flow) == []


def test_f2_a_server_for_keys_only_has_no_authorization_server_and_refuses_tokens() -> None:
    token = Flow.new().token()
    flow = Flow.at(harness_with(**KEYS_ONLY))
    metadata = flow.get("/.well-known/oauth-protected-resource/mcp", "").json()
    assert not {"authorization_servers", "scopes_supported"} & set(metadata)
    for valid_elsewhere in (token, agent_token(flow)):
        assert refused_like_a_bad_token(flow, post_message(flow, **bearer(valid_elsewhere)))
    assert post_message(flow, Ocp_Apim_Subscription_Key=KEY).status == 200


def test_f2_a_wrong_key_at_a_path_without_an_operation_is_answered_like_a_bad_token(flow: Flow) -> None:
    answer = flow.harness.send("PUT", "/mcp", Ocp_Apim_Subscription_Key="0" * 32)
    assert refused_like_a_bad_token(flow, answer)


def test_f2_a_valid_key_with_a_message_at_the_root_is_answered_like_a_bad_token(flow: Flow) -> None:
    """Messages at the root are accepted only with tokens."""
    answer = post_message(flow, "/message", query="azmcpcs=abcdefgh-1234", Ocp_Apim_Subscription_Key=KEY)
    bad = post_message(flow, "/message", query="azmcpcs=abcdefgh-1234", **bearer("nonsense"))
    assert (answer.status, answer.headers, answer.body) == (bad.status, bad.headers, bad.body)
    assert answer.status == 401
    assert arrived(flow) == []


def test_f2_the_limit_for_wrong_keys_does_not_affect_the_right_key_of_the_address() -> None:
    limited = Flow.at(harness_with(**ALL_CALLERS, badTokensPerMinute="2"))
    limited.harness.clock.advance(60.5 - limited.now % 60)
    wrong = [post_message(limited, Ocp_Apim_Subscription_Key="0" * 32).status for _ in range(3)]
    assert wrong == [401, 401, 429]
    assert post_message(limited, Ocp_Apim_Subscription_Key=KEY).status == 200


def test_f2_the_primary_and_the_secondary_key_identify_the_same_caller() -> None:
    service = harness_with(**ALL_CALLERS).gateway.service
    rotated = replace(
        service,
        subscriptions=tuple(
            replace(subscription, secondary_key=subscription.key[::-1] + "0")
            for subscription in service.subscriptions
        ),
    )
    flow = Flow.at(Harness(rotated, ManualClock()))
    for key in (KEY, SECONDARY):
        assert post_message(flow, Ocp_Apim_Subscription_Key=key).status == 200
    first, second = arrived(flow)
    assert first.header("X-Mcp-Gateway-Subject") == second.header("X-Mcp-Gateway-Subject")
    assert SECONDARY not in str(second)
    for key in (f"{KEYS['slack-keys'][::-1]}0", "0" * 32):
        assert post_message(flow, Ocp_Apim_Subscription_Key=key).status == 401
