"""Callers of an MCP server: agents with tokens of Entra, callers with subscription keys, and users."""

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from apim.service import Service, Subscription
from tests.policies.engine.harness import Harness, Response, Sent
from tests.policies.oauth.flow import Flow, ManualClock, service_with

AGENT = "aaaaaaaa-0000-4000-8000-000000000001"
APPLICATION = "aaaaaaaa-0000-4000-8000-000000000002"
KEYS = {
    "functions-keys": "0123456789abcdef0123456789abcdef",
    "slack-keys": "fedcba9876543210fedcba9876543210",
    None: "ffffffffffffffffffffffffffffffff",
}
"""Subscription keys by product; the key for all APIs has no product."""


@functools.cache
def harness_with(**config: str) -> Harness:
    """A gateway with these settings and the subscriptions of its products, and one for all APIs."""
    return Harness(_with_subscriptions(service_with(**config)), ManualClock())


def _with_subscriptions(service: Service) -> Service:
    return replace(
        service,
        subscriptions=tuple(
            Subscription(id=product or "all-apis", name=product or "All APIs", key=key, product=product)
            for product, key in KEYS.items()
            if product is None or product in {product.id for product in service.products}
        ),
    )


def agent_claims(flow: Flow, **changed: Any) -> dict[str, Any]:
    """The claims of an app-only token of version 2; a claim that is changed to None is omitted."""
    tenant = flow.named_value("entra-tenant")
    claims: dict[str, Any] = {
        "iss": f"{flow.named_value('entra-authority')}/{tenant}/v2.0",
        "aud": flow.named_value("entra-client"),
        "tid": tenant,
        "ver": "2.0",
        "azp": APPLICATION,
        "azpacr": "2",
        "oid": AGENT,
        "sub": AGENT,
        "idtyp": "app",
        "roles": ["functions"],
        "iat": flow.now,
        "nbf": flow.now,
        "exp": flow.now + 3600,
    }
    return {name: value for name, value in (claims | changed).items() if value is not None}


def agent_token(flow: Flow, **changed: Any) -> str:
    """A token with these claims."""
    return flow.signed(agent_claims(flow, **changed))


def post_message(flow: Flow, path: str = "/mcp", *, query: str = "", **headers: str) -> Response:
    """Posts a message to an MCP server."""
    return flow.harness.send("POST", path, query, body=b"{}", Content_Type="application/json", **headers)


def bearer(token: str) -> Mapping[str, str]:
    """The header with a token."""
    return {"Authorization": f"Bearer {token}"}


def arrived(flow: Flow) -> list[Sent]:
    """The requests that the gateway forwarded to an MCP server."""
    return [
        sent
        for sent in flow.harness.network.sent
        if sent.url.startswith(("https://functions.example", "https://slack.example"))
    ]


def refused_like_a_bad_token(flow: Flow, answer: Response) -> bool:
    """Whether a response is identical to the response to a string that is not a token."""
    bad = post_message(flow, **bearer("nonsense"))
    return (
        bad.status == 401
        and 'error="invalid_token"' in (bad.header("WWW-Authenticate") or "")
        and (answer.status, answer.reason, sorted(answer.headers), answer.body)
        == (bad.status, bad.reason, sorted(bad.headers), bad.body)
    )
