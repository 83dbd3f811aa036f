"""Holders of a subscription key call an MCP server (requirement F2), if the stack admits them."""

from dataclasses import replace

import pytest

from apim.service import Subscription
from tests.policies.access.callers import (
    KEYS,
    agent_token,
    arrived,
    ask,
    bearer,
    harness_with,
    refused_like_a_bad_token,
)
from tests.policies.engine.harness import Harness
from tests.policies.oauth.flow import Flow, ManualClock

OPEN = {"access": '{"functions": "users agents keys"}'}
KEYS_ONLY = {"access": '{"functions": "keys"}'}
KEY = KEYS["functions-keys"]
SECONDARY = f"{KEY[::-1]}0"


@pytest.fixture
def flow() -> Flow:
    return Flow.at(harness_with(**OPEN))


def test_f2_the_key_gives_access_and_is_not_passed_to_the_server(flow: Flow) -> None:
    assert ask(flow, Ocp_Apim_Subscription_Key=KEY).status == 200
    (sent,) = arrived(flow)
    assert sent.header("Ocp-Apim-Subscription-Key") is None
    assert KEY not in str(sent)


@pytest.mark.parametrize(
    "key", ["0" * 32, KEY.upper(), KEY[:-1], f"{KEY} ", KEYS["slack-keys"], KEYS[None], ""]
)
def test_f2_another_key_is_answered_like_a_bad_token(flow: Flow, key: str) -> None:
    answer = ask(flow, Ocp_Apim_Subscription_Key=key)
    assert refused_like_a_bad_token(flow, answer) or (key == "" and answer.status == 401)
    assert arrived(flow) == []


@pytest.mark.parametrize("scope", ["product", "api"])
def test_f2_a_key_for_the_server_that_is_not_of_its_product_is_refused(scope: str) -> None:
    """An operator may add the API to another product, or create a subscription to the API alone."""
    service = harness_with(**OPEN).gateway.service
    (product,) = service.products
    added = {"product": "operators", "api": product.apis[0]}[scope]
    subscription = Subscription(id="added", name="added", key="1" * 32, **{scope: added})
    products = (*service.products, replace(product, id="operators", name="operators"))
    extended = replace(service, products=products, subscriptions=(*service.subscriptions, subscription))
    flow = Flow.at(Harness(extended, ManualClock()))
    assert ask(flow, Ocp_Apim_Subscription_Key=KEY).status == 200
    assert refused_like_a_bad_token(flow, ask(flow, Ocp_Apim_Subscription_Key="1" * 32))


def test_f2_a_key_in_the_query_is_refused(flow: Flow) -> None:
    for name in ("subscription-key", "Subscription-Key", "%73ubscription-KEY"):
        for headers in ({}, {"Ocp_Apim_Subscription_Key": KEY}):
            answer = ask(flow, query=f"{name}={KEY}", **headers)
            assert refused_like_a_bad_token(flow, answer)
    assert arrived(flow) == []


def test_f2_a_key_and_a_token_together_are_refused(flow: Flow) -> None:
    for token in (flow.token(), agent_token(flow), "nonsense"):
        answer = ask(flow, Ocp_Apim_Subscription_Key=KEY, **bearer(token))
        assert refused_like_a_bad_token(flow, answer)
    assert arrived(flow) == []


@pytest.mark.parametrize("access", ["users", "agents", "users agents"])
def test_f2_no_key_gives_access_to_a_server_that_admits_no_keys(access: str) -> None:
    flow = Flow.at(harness_with(access=f'{{"functions": "{access}"}}'))
    for key in KEYS.values():
        assert refused_like_a_bad_token(flow, ask(flow, Ocp_Apim_Subscription_Key=key))
    assert arrived(flow) == []


def test_f2_a_server_for_keys_only_has_no_authorization_server_and_refuses_tokens() -> None:
    token = Flow.new().token()
    flow = Flow.at(harness_with(**KEYS_ONLY))
    metadata = flow.get("/.well-known/oauth-protected-resource/mcp", "").json()
    assert not {"authorization_servers", "scopes_supported"} & set(metadata)
    for other in (token, agent_token(flow)):
        assert refused_like_a_bad_token(flow, ask(flow, **bearer(other)))
    assert ask(flow, Ocp_Apim_Subscription_Key=KEY).status == 200


def test_f2_a_refused_key_at_a_path_without_an_operation_gets_the_same_response(flow: Flow) -> None:
    answer = flow.harness.send("PUT", "/mcp", Ocp_Apim_Subscription_Key="0" * 32)
    assert refused_like_a_bad_token(flow, answer)


def test_f2_a_wrong_key_at_the_root_is_answered_like_a_bad_token(flow: Flow) -> None:
    wrong = ask(flow, "/message", query="azmcpcs=abcdefgh-1234", Ocp_Apim_Subscription_Key=KEY)
    bad = ask(flow, "/message", query="azmcpcs=abcdefgh-1234", **bearer("nonsense"))
    assert (wrong.status, wrong.headers, wrong.body) == (bad.status, bad.headers, bad.body)
    assert arrived(flow) == []


def test_f2_wrong_keys_are_counted_and_good_ones_from_the_same_address_pass() -> None:
    limited = Flow.at(harness_with(**OPEN, badTokensPerMinute="2"))
    limited.harness.clock.advance(60.5 - limited.now % 60)
    wrong = [ask(limited, Ocp_Apim_Subscription_Key="0" * 32).status for _ in range(3)]
    assert wrong == [401, 401, 429]
    assert ask(limited, Ocp_Apim_Subscription_Key=KEY).status == 200


def test_f2_the_secondary_key_gives_access_as_the_same_caller() -> None:
    service = harness_with(**OPEN).gateway.service
    rotated = replace(
        service,
        subscriptions=tuple(
            replace(subscription, secondary_key=subscription.key[::-1] + "0")
            for subscription in service.subscriptions
        ),
    )
    flow = Flow.at(Harness(rotated, ManualClock()))
    for key in (KEY, SECONDARY):
        assert ask(flow, Ocp_Apim_Subscription_Key=key).status == 200
    first, second = arrived(flow)
    assert first.header("X-Mcp-Gateway-Subject") == second.header("X-Mcp-Gateway-Subject")
    assert SECONDARY not in str(second)
    for key in (f"{KEYS['slack-keys'][::-1]}0", "0" * 32):
        assert ask(flow, Ocp_Apim_Subscription_Key=key).status == 401
