"""The check of dynamic client registration (RFC 7591)."""

from collections.abc import Iterable

from verify.callback import REDIRECT_PATH
from verify.check import Check, FailedError, require
from verify.session import Session

SECTION = "Sign-in"
CLIENT_NAME = "Gateway verification"


def checks() -> Iterable[Check]:
    """The check of registrations."""
    yield Check(
        id="registration",
        section=SECTION,
        title="A client can register",
        run=_register,
        remedy="HTTP 429: wait a minute, or raise registerPerMinute. HTTP 503: the gateway's identity needs "
        "its role on the Cosmos DB account; run `pulumi up`.",
        needs=("gateway",),
    )


async def _register(session: Session) -> str:
    # The port is chosen by each sign-in; a loopback redirect URI may differ in it (RFC 8252, section 7.3).
    uri = f"http://127.0.0.1{REDIRECT_PATH}"
    metadata = {
        "client_name": CLIENT_NAME,
        "redirect_uris": [uri],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }
    answer = await session.request("POST", f"{session.issuer}/register", json=metadata)
    if answer.status_code != 201:  # noqa: PLR2004 -- HTTP: Created
        raise FailedError(f"POST /register is answered with HTTP {answer.status_code}")
    try:
        registered = answer.json()
    except ValueError:
        registered = None
    if not isinstance(registered, dict) or not isinstance(registered.get("client_id"), str):
        raise FailedError("POST /register returns no client_id")
    problems = []
    if "client_secret" in registered:
        problems.append("a public client gets a secret")
    if registered.get("redirect_uris") != [uri]:
        problems.append("the redirect URI is not registered as it was sent")
    if registered.get("token_endpoint_auth_method") != "none":
        problems.append("token_endpoint_auth_method is not none")
    foreign = await session.request(
        "POST",
        f"{session.issuer}/register",
        json={**metadata, "redirect_uris": ["http://foreign-site.example/callback"]},
    )
    if foreign.status_code != 400:  # noqa: PLR2004 -- HTTP: Bad Request
        problems.append(
            f"a redirect URI without TLS is answered with HTTP {foreign.status_code} instead of 400"
        )
    session.client_id = registered["client_id"]
    return require(problems, "RFC 7591; the registration expires")
