"""The scenarios in which the tests cause failures, as sequences of steps of a client and its user."""

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.e2e.client import parameters_of
from tests.failures.journey import Journey, Step
from tests.policies.engine.harness import Response, Sent, reply
from tests.policies.oauth.flow import GATEWAY, Flow, handle_of
from tests.policies.oauth.test_metadata_documents import APP, URL, document

JWKS = "https://app.example.com/oauth/jwks.json"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


# The functions that a step calls with its response: each stores the values that later steps need in the
# journey, and returns whether the response is the expected one.


def _registered(_: Journey, answer: Response) -> bool:
    return answer.status == 201


def _authorized(journey: Journey, answer: Response) -> bool:
    location = answer.header("Location") or ""
    if not location.startswith(f"{GATEWAY}/consent?"):
        return False
    journey.handle = handle_of(answer)
    return True


def _shown(journey: Journey, answer: Response) -> bool:
    journey.page = answer
    return answer.status == 200


def _allowed(journey: Journey, answer: Response) -> bool:
    journey.at_entra = answer
    return answer.status == 303 and "/oauth2/v2.0/authorize?" in (answer.header("Location") or "")


def _denied(_: Journey, answer: Response) -> bool:
    return answer.status == 303 and parameters_of(answer.header("Location") or "")["error"] == "access_denied"


def _returned(journey: Journey, answer: Response) -> bool:
    parameters = parameters_of(answer.header("Location") or "?")
    journey.code = parameters.get("code", "")
    return answer.status == 302 and journey.code != ""


def _received_tokens(journey: Journey, answer: Response) -> bool:
    if answer.status != 200:
        return False
    journey.access_token = answer.json()["access_token"]
    journey.refresh_token = answer.json()["refresh_token"]
    return True


def _redeemed(journey: Journey, answer: Response) -> bool:
    done = _received_tokens(journey, answer)
    if done:
        journey.issued_tokens.setdefault(journey.code, set()).add(journey.refresh_token)
    return done


def _served(_: Journey, answer: Response) -> bool:
    return answer.status == 200


def _consent_page(journey: Journey) -> Response:
    assert journey.page is not None
    return journey.page


def _entra_redirect(journey: Journey) -> Response:
    assert journey.at_entra is not None
    return journey.at_entra


REGISTER = Step("register", lambda journey: journey.flow.register(), _registered)
AUTHORIZE = Step("authorize", lambda journey: journey.flow.authorize(), _authorized)
PAGE = Step("consent page", lambda journey: journey.flow.consent_page(journey.handle), _shown)
ALLOW = Step("allow", lambda journey: journey.flow.consent(_consent_page(journey)), _allowed)
DENY = Step("deny", lambda journey: journey.flow.consent(_consent_page(journey), "deny"), _denied)
RETURN = Step("callback", lambda journey: journey.flow.callback(_entra_redirect(journey)), _returned)
REDEEM = Step("token", lambda journey: journey.flow.redeem(journey.code), _redeemed)
CALL = Step("call", lambda journey: journey.flow.call(journey.access_token), _served)
REFRESH = Step("refresh", lambda journey: journey.flow.refresh(journey.refresh_token), _received_tokens)
REVOKE = Step("revoke", lambda journey: journey.flow.revoke(journey.refresh_token), _served)

# A client with a metadata document that authenticates with private_key_jwt. Its user signs in twice, and the
# gateway remembers the first consent.


@functools.cache
def _key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


def _assertion(journey: Journey) -> dict[str, str]:
    """The parameters with which the client authenticates (RFC 7523, section 2.2)."""
    claims = {"iss": URL, "sub": URL, "aud": GATEWAY, "exp": journey.flow.now + 60}
    assertion = jwt.encode({"alg": "RS256", "kid": "one"}, claims, _key())
    return {"client_assertion": assertion, "client_assertion_type": ASSERTION}


def _shown_or_skipped(journey: Journey, answer: Response) -> bool:
    """Accepts the consent page, or the redirect to Entra if the gateway remembers the consent."""
    skipped = "/oauth2/v2.0/authorize?" in (answer.header("Location") or "")
    journey.page, journey.at_entra = (None, answer) if skipped else (answer, None)
    journey.flow.nonce = parameters_of(answer.header("Location") or "?").get("nonce", "")
    return skipped or answer.status == 200


def _allow_if_asked(journey: Journey) -> Response:
    return _entra_redirect(journey) if journey.page is None else journey.flow.consent(journey.page)


def _redirected_to_entra(journey: Journey, answer: Response) -> bool:
    journey.at_entra = answer
    return "/oauth2/v2.0/authorize?" in (answer.header("Location") or "")


AUTHORIZE_WITH_ASSERTION = Step(
    "authorize", lambda journey: journey.flow.authorize(redirect_uri=APP), _authorized
)
REDEEM_WITH_ASSERTION = Step(
    "token",
    lambda journey: journey.flow.redeem(journey.code, redirect_uri=APP, **_assertion(journey)),
    _redeemed,
)
PAGE_IF_NEEDED = Step(
    "consent page", lambda journey: journey.flow.consent_page(journey.handle), _shown_or_skipped
)
ALLOW_IF_ASKED = Step("allow", _allow_if_asked, _redirected_to_entra)
REFRESH_WITH_ASSERTION = Step(
    "refresh",
    lambda journey: journey.flow.refresh(journey.refresh_token, **_assertion(journey)),
    _received_tokens,
)
REVOKE_WITH_ASSERTION = Step(
    "revoke", lambda journey: journey.flow.revoke(journey.refresh_token, **_assertion(journey)), _served
)


def _new_flow_with_assertions() -> Flow:
    """A gateway that has just started, and a client whose host publishes a metadata document and keys."""
    flow = _new_flow()
    metadata = document(token_endpoint_auth_method="private_key_jwt", jwks_uri=JWKS)
    published = {URL: metadata, JWKS: {"keys": [_key().as_dict(private=False)]}}
    before = flow.harness.network.answer

    def answer(sent: Sent) -> Any:
        if sent.url in published:
            return reply(200, json.dumps(published[sent.url]), Content_Type="application/json")
        return before(sent)

    flow.harness.network.answer = answer
    flow.client_id = URL
    return flow


# A client that uses MCP sessions, which exist in versions of MCP before 2026-07-28.

SESSION = "0123456789abcdef"


def _initialize(journey: Journey) -> Response:
    journey.flow.served = lambda: reply(200, "{}", Content_Type="application/json", Mcp_Session_Id=SESSION)
    return journey.flow.call(journey.access_token)


def _message(journey: Journey) -> Response:
    journey.flow.served = lambda: reply(200, "{}", Content_Type="application/json")
    return journey.flow.harness.send(
        "POST", "/mcp", body=b"{}", Authorization=f"Bearer {journey.access_token}", Mcp_Session_Id=SESSION
    )


INITIALIZE = Step("initialize", _initialize, _served)
MESSAGE = Step("message", _message, _served)


def _new_flow() -> Flow:
    """A gateway that has just started, with an empty store."""
    flow = Flow.new()
    flow.store.documents.clear()
    flow.harness.gateway.services.clear()
    return flow


@dataclass(frozen=True)
class Scenario:
    """The steps of a journey, and its initial state.

    Attributes:
        new_flow: creates the gateway, the store and the client.
        shared: the number of initial steps in which no call fails, because another scenario tests them.
    """

    new_flow: Callable[[], Flow]
    steps: Sequence[Step]
    shared: int = 0

    def journey(self) -> Journey:
        return Journey(self.new_flow(), self.steps)


SIGN_IN = (REGISTER, AUTHORIZE, PAGE, ALLOW, RETURN, REDEEM)
SIGN_IN_WITH_ASSERTION = (
    AUTHORIZE_WITH_ASSERTION,
    PAGE_IF_NEEDED,
    ALLOW_IF_ASKED,
    RETURN,
    REDEEM_WITH_ASSERTION,
)
SCENARIOS = {
    "sign-in, calls, refresh and revocation": Scenario(_new_flow, (*SIGN_IN, CALL, REFRESH, CALL, REVOKE)),
    "sign-in that is denied": Scenario(_new_flow, (REGISTER, AUTHORIZE, PAGE, DENY), shared=3),
    "two sign-ins of a client that uses private_key_jwt": Scenario(
        _new_flow_with_assertions,
        (
            *SIGN_IN_WITH_ASSERTION,
            REFRESH_WITH_ASSERTION,
            REVOKE_WITH_ASSERTION,
            *SIGN_IN_WITH_ASSERTION,
            REVOKE_WITH_ASSERTION,
        ),
    ),
    "session of an older client": Scenario(_new_flow, (*SIGN_IN, INITIALIZE, MESSAGE, REVOKE), shared=6),
}
