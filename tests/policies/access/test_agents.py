"""Agents call an MCP server with app-only tokens of Entra (requirement F1), if the stack allows it."""

import hashlib
import json
from base64 import urlsafe_b64encode
from functools import partial
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from apim.readings import Readings
from tests.e2e.client import parameters_of
from tests.policies.access.callers import (
    AGENT,
    APPLICATION,
    agent_claims,
    agent_token,
    arrived,
    bearer,
    harness_with,
    post_message,
    refused_like_a_bad_token,
)
from tests.policies.engine.harness import reply
from tests.policies.oauth.flow import RESOURCE, Flow, handle_of

READINGS = {"default": Readings.default, "strict": Readings.strict, "lenient": Readings.lenient}
USERS_AND_AGENTS = {"access": '{"functions": "users agents"}'}
AGENTS_ONLY = {"access": '{"functions": "agents"}'}


@pytest.fixture
def flow() -> Flow:
    return Flow.at(harness_with(**USERS_AND_AGENTS))


def test_f1_an_agent_with_the_app_role_of_a_server_can_call_it(flow: Flow) -> None:
    assert post_message(flow, **bearer(agent_token(flow))).status == 200
    (sent,) = arrived(flow)
    assert (sent.header("Authorization") or "").startswith("Bearer token-for-")


REFUSED: dict[str, dict[str, Any]] = {
    "a delegated token": {"scp": "user_impersonation", "idtyp": None},
    "a delegated token with the idtyp of an app-only token": {"scp": "user_impersonation"},
    "a token without idtyp": {"idtyp": None},
    "a user's ID token": {"idtyp": None, "azp": None, "nonce": "n"},
    "a token without a client": {"azp": None},
    "a token without a principal": {"oid": None},
    "another tenant": {"tid": "99999999-1111-4111-8111-111111111111"},
    "the issuer of another tenant": {
        "iss": "https://login.microsoftonline.com/99999999-1111-4111-8111-111111111111/v2.0"
    },
    "a token of version 1": {"iss": "https://sts.windows.net/11111111-1111-4111-8111-111111111111/"},
    "another audience": {"aud": "99999999-2222-4222-8222-222222222222"},
    "the audience in the form of version 1": {"aud": "api://22222222-2222-4222-8222-222222222222"},
    "no role": {"roles": None},
    "an empty list of roles": {"roles": []},
    "the role of another server": {"roles": ["slack"]},
    "a role with another case": {"roles": ["Functions"]},
    "a role that begins with the name of the server's role": {"roles": ["functions.reader"]},
    "two roles in one string": {"roles": ["functions slack"]},
    "no expiry": {"exp": None},
}


@pytest.mark.parametrize("claims", REFUSED.values(), ids=REFUSED)
def test_f1_any_other_token_of_entra_is_answered_like_a_bad_token(flow: Flow, claims: dict[str, Any]) -> None:
    assert refused_like_a_bad_token(flow, post_message(flow, **bearer(agent_token(flow, **claims))))
    assert arrived(flow) == []


def test_f1_a_token_is_refused_before_and_after_its_validity(flow: Flow) -> None:
    token = agent_token(flow)
    flow.harness.clock.advance(3600 + 61)
    assert refused_like_a_bad_token(flow, post_message(flow, **bearer(token)))
    early = agent_token(flow, nbf=flow.now + 61)
    assert refused_like_a_bad_token(flow, post_message(flow, **bearer(early)))


def test_f1_a_token_that_entra_did_not_sign_is_refused(flow: Flow) -> None:
    claims = agent_claims(flow)
    forged = jwt.encode({"alg": "RS256", "kid": "entra"}, claims, RSAKey.generate_key(2048))
    head, payload, _ = agent_token(flow).split(".")
    for token in (forged, f"{head}.{payload}.{'A' * 342}", f"{none_header()}.{payload}.AAAA"):
        assert refused_like_a_bad_token(flow, post_message(flow, **bearer(token)))
    assert arrived(flow) == []


def none_header() -> str:
    return urlsafe_b64encode(json.dumps({"alg": "none", "kid": "entra"}).encode()).rstrip(b"=").decode()


def test_f1_a_token_in_the_query_two_tokens_and_a_token_without_its_scheme_are_refused(flow: Flow) -> None:
    token = agent_token(flow)
    assert refused_like_a_bad_token(flow, post_message(flow, query=f"access_token={token}"))
    assert refused_like_a_bad_token(flow, post_message(flow, query=f"access_token={token}", **bearer(token)))
    assert refused_like_a_bad_token(flow, post_message(flow, Authorization=f"Bearer {token}, Bearer {token}"))
    assert refused_like_a_bad_token(flow, post_message(flow, Authorization=token))
    assert arrived(flow) == []


def test_f1_an_agent_is_refused_by_a_server_that_does_not_allow_agents() -> None:
    flow = Flow.at(harness_with())
    assert refused_like_a_bad_token(flow, post_message(flow, **bearer(agent_token(flow))))
    assert arrived(flow) == []


def test_f1_a_user_is_refused_by_a_server_that_allows_only_agents() -> None:
    token = Flow.new().token()
    flow = Flow.at(harness_with(**AGENTS_ONLY))
    assert refused_like_a_bad_token(flow, post_message(flow, **bearer(token)))
    assert post_message(flow, **bearer(agent_token(flow))).status == 200


def test_f1_a_server_for_agents_only_names_entra_as_its_authorization_server() -> None:
    flow = Flow.at(harness_with(**AGENTS_ONLY))
    metadata = flow.get("/.well-known/oauth-protected-resource/mcp", "").json()
    issuer = f"{flow.named_value('entra-authority')}/{flow.named_value('entra-tenant')}/v2.0"
    scope = f"{flow.named_value('entra-client')}/.default"
    assert (metadata["authorization_servers"], metadata["scopes_supported"]) == ([issuer], [scope])
    assert f'scope="{scope}"' in (post_message(flow).header("WWW-Authenticate") or "")
    page = flow.authorize()
    assert "invalid_target" in (page.header("Location") or page.body.decode())


def test_f1_a_server_for_users_and_agents_names_only_the_gateway(flow: Flow) -> None:
    metadata = flow.get("/.well-known/oauth-protected-resource/mcp", "").json()
    assert (metadata["resource"], metadata["authorization_servers"]) == (
        RESOURCE,
        ["https://gateway.example"],
    )
    assert flow.call(flow.token()).status == 200


def test_f1_a_session_of_an_agent_belongs_to_that_agent(flow: Flow) -> None:
    flow.served = lambda: reply(200, "{}", Content_Type="application/json", Mcp_Session_Id="session-1")
    token = agent_token(flow)
    assert post_message(flow, **bearer(token)).header("Mcp-Session-Id") == "session-1"
    flow.served = lambda: reply(200, "{}", Content_Type="application/json")
    session = {"Mcp_Session_Id": "session-1"}
    assert post_message(flow, **bearer(token), **session).status == 200
    other = agent_token(flow, oid="bbbbbbbb-0000-4000-8000-000000000001", sub="b")
    assert post_message(flow, **bearer(other), **session).status == 404
    assert post_message(flow, **bearer(agent_token(flow, azp=AGENT)), **session).status == 404
    bound = flow.store.one("sessions")
    digest = urlsafe_b64encode(hashlib.sha256(APPLICATION.encode()).digest()).rstrip(b"=").decode()
    assert (bound["sub"], bound["clientDocumentId"]) == (AGENT, digest)


def test_f1_the_limit_for_tokens_without_the_role_does_not_affect_good_tokens_of_the_address() -> None:
    limited = Flow.at(harness_with(**USERS_AND_AGENTS, badTokensPerMinute="1"))
    wrong = bearer(agent_token(limited, roles=["slack"]))
    assert [post_message(limited, **wrong).status for _ in range(2)] == [401, 429]
    assert post_message(limited, **bearer(agent_token(limited))).status == 200


@pytest.mark.parametrize("reading", ["default", "strict", "lenient"])
@pytest.mark.parametrize(("path", "query"), [("/mcp", ""), ("/message", "azmcpcs=abcdefgh-1234")])
def test_f1_the_limit_for_forged_and_foreign_tokens_does_not_affect_good_tokens_of_the_address(
    reading: str, path: str, query: str
) -> None:
    limited = Flow.at(harness_with(**USERS_AND_AGENTS, badTokensPerMinute="2"))
    limited.harness.gateway.use(READINGS[reading]())
    # Half a second into a minute, so that all units count in the same minute (R16).
    limited.harness.clock.advance(60.5 - limited.now % 60)
    head, payload, _ = agent_token(limited).split(".")
    forged = bearer(f"{head}.{payload}.{'A' * 342}")
    foreign = bearer(agent_token(limited, aud="99999999-2222-4222-8222-222222222222"))
    send = partial(post_message, limited, path, query=query)
    assert [send(**token).status for token in (forged, foreign, forged)] == [401, 401, 429]
    limited.harness.clock.advance(15)
    refused = send(**foreign)
    assert (refused.status, refused.header("Retry-After")) == (429, "45")
    assert refused.json()["error"]["data"] == {"error": "too_many_requests"}
    good = bearer(agent_token(limited))
    assert [send(**good).status for _ in range(3)] == [200, 200, 200]
    elsewhere = limited.harness.send(
        "POST", path, query, body=b"{}", ip="203.0.113.8", Content_Type="application/json", **forged
    )
    # Under the strict reading of R12 the policies see the address of a proxy, which all callers share.
    assert elsewhere.status == (429 if reading == "strict" else 401)
    limited.harness.clock.advance(45)
    assert send(**forged).status == 401
    limited.harness.gateway.use(Readings.default())


def test_f1_without_a_working_cache_foreign_tokens_are_refused_but_not_counted() -> None:
    limited = Flow.at(harness_with(**USERS_AND_AGENTS, badTokensPerMinute="1"))
    cache = limited.harness.gateway.services.cache
    foreign = bearer(agent_token(limited, aud="99999999-2222-4222-8222-222222222222"))
    for failure in ("fail_stores", "fail_lookups"):
        setattr(cache, failure, True)
        assert {post_message(limited, **foreign).status for _ in range(3)} == {401}
        setattr(cache, failure, False)
    assert arrived(limited) == []


def test_f1_an_agents_message_at_the_root_reaches_the_server_that_its_query_names(flow: Flow) -> None:
    token = bearer(agent_token(flow))
    assert post_message(flow, "/message", query="azmcpcs=abcdefgh-1234", **token).status == 200
    wrong = bearer(agent_token(flow, roles=["slack"]))
    assert post_message(flow, "/message", query="azmcpcs=abcdefgh-1234", **wrong).status == 401
    assert len(arrived(flow)) == 1


def test_f1_a_users_message_at_the_root_does_not_reach_a_server_for_agents_only() -> None:
    """A token for the whole gateway gives access only to servers that users may call."""
    notes = {
        "name": "notes",
        "image": "ghcr.io/example/notes:1.0.0",
        "port": 8080,
        "transport": "sse",
        "sessionParameter": "sessionId",
        "paths": {"messages": "/message"},
    }
    flow = Flow.at(harness_with(**AGENTS_ONLY, containers=json.dumps([notes])))
    page = flow.consent_page(handle_of(flow.authorize(scope="notes functions", resource=None)))
    code = parameters_of(flow.callback(flow.consent(page)).header("Location") or "")["code"]
    token = flow.redeem(code, resource=None).json()["access_token"]
    assert post_message(flow, **bearer(token)).status == 401
    assert post_message(flow, "/message", query="azmcpcs=abcdefgh-1234", **bearer(token)).status == 400
    assert arrived(flow) == []
    assert post_message(flow, "/message", query="sessionId=abcdefgh-1234", **bearer(token)).status == 200
    agent = bearer(agent_token(flow))
    assert post_message(flow, "/message", query="azmcpcs=abcdefgh-1234", **agent).status == 200
