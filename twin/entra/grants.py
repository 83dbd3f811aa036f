"""The results of a sign-in: codes, refresh tokens and browser sessions.

Codes are kept in memory, because each can be redeemed only once. Refresh tokens and sessions contain their
encrypted state, so that they survive a restart of the twin.
"""

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from typing import Any

from twin.clock import Clock
from twin.entra.accounts import Accounts
from twin.entra.authorization import AuthorizationRequest
from twin.entra.directory import Application, Directory, User
from twin.entra.errors import EntraError, disabled_account
from twin.entra.keys import InvalidTokenError, SigningKeys

CODE_LIFETIME = 600
REFRESH_LIFETIME = 90 * 86400
SESSION_LIFETIME = 86400
"""Seconds: 10 minutes, 90 days, 1 day; Entra's defaults."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """The sign-in of a user.

    Attributes:
        user: the user.
        session: id of the browser session, the claim `sid`.
        at: time of the sign-in in POSIX seconds.
    """

    user: User
    session: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The user and the permissions that a code or a refresh token represents."""

    user: User
    session: str
    scopes: tuple[str, ...]
    resource: str | None
    nonce: str | None = None


@dataclass(slots=True)
class _Code:
    request: AuthorizationRequest
    sign_in: SignIn
    issued: float
    redeemed: bool = False


class Grants:
    """Issues and redeems codes, refresh tokens and sessions."""

    def __init__(self, directory: Directory, accounts: Accounts, clock: Clock, keys: SigningKeys) -> None:
        self._directory = directory
        self._accounts = accounts
        self._clock = clock
        self._keys = keys
        self._codes: dict[str, _Code] = {}

    def begin_session(self, user: User) -> tuple[SignIn, str]:
        """Starts a browser session; returns the sign-in and the value of the session cookie."""
        sign_in = SignIn(user=user, session=str(uuid.uuid4()), at=self._clock.now())
        cookie = {"user": user.object_id, "session": sign_in.session, "at": sign_in.at}
        return sign_in, self._keys.encrypt(cookie, purpose="session")

    def session(self, cookie: str | None) -> SignIn | None:
        """The sign-in of a session cookie, or None.

        The result is None if the session is invalid, expired or revoked, or if the user is disabled.
        """
        if not cookie:
            return None
        try:
            content = self._keys.decrypt(cookie, purpose="session")
        except InvalidTokenError:
            return None
        user = self._directory.user(content["user"])
        if user is None or self._accounts.is_disabled(user) or self._accounts.is_revoked(user, content["at"]):
            return None
        if self._clock.now() >= content["at"] + SESSION_LIFETIME:
            return None
        return SignIn(user=user, session=content["session"], at=content["at"])

    def issue_code(self, request: AuthorizationRequest, sign_in: SignIn) -> str:
        """Issues a code that can be redeemed once within ten minutes. Only its hash is stored."""
        now = self._clock.now()
        self._codes = {
            key: record for key, record in self._codes.items() if now < record.issued + 2 * CODE_LIFETIME
        }
        code = f"1.{secrets.token_urlsafe(64)}"
        self._codes[_hash(code)] = _Code(request, sign_in, now)
        return code

    def redeem_code(self, app: Application, code: str, *, redirect_uri: str, verifier: str | None) -> Grant:
        """Redeems a code and returns its grant.

        Raises:
            EntraError: the code is unknown or was issued to another client (AADSTS70000), was redeemed before
                (AADSTS54005) or has expired (AADSTS70008), the redirect URI differs (AADSTS500112), the
                verifier is wrong (AADSTS501481), or the user was disabled (AADSTS50057).
        """
        record = self._codes.get(_hash(code))
        if record is None or record.request.client_id != app.client_id:
            raise EntraError(
                70000, "invalid_grant", "The provided value for the 'code' parameter is not valid."
            )
        if record.redeemed:
            raise EntraError(
                54005,
                "invalid_grant",
                "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use "
                "an existing refresh token.",
            )
        if self._clock.now() >= record.issued + CODE_LIFETIME:
            raise EntraError(70008, "invalid_grant", "The provided authorization code has expired.")
        if redirect_uri != record.request.redirect_uri:
            raise EntraError(
                500112,
                "invalid_client",
                f"The reply address '{redirect_uri}' does not match the reply address "
                f"'{record.request.redirect_uri}' provided when requesting Authorization code.",
            )
        if not record.request.accepts_verifier(verifier):
            raise EntraError(
                501481,
                "invalid_grant",
                "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
            )
        if record.request.challenge is None and verifier is not None:
            raise EntraError(
                501481, "invalid_grant", "A Code_Verifier was sent for a code that has no code_challenge."
            )
        record.redeemed = True
        self._check(record.sign_in.user, record.issued)
        return Grant(
            user=record.sign_in.user,
            session=record.sign_in.session,
            scopes=record.request.scopes,
            resource=record.request.resource,
            nonce=record.request.nonce,
        )

    def issue_refresh_token(self, app: Application, grant: Grant) -> str:
        """Issues a refresh token. It is valid for 90 days, even after it was used, as in Entra."""
        content: dict[str, Any] = {
            "client": app.client_id,
            "user": grant.user.object_id,
            "session": grant.session,
            "scopes": list(grant.scopes),
            "resource": grant.resource,
            "at": self._clock.now(),
        }
        return f"1.{self._keys.encrypt(content, purpose='refresh')}"

    def redeem_refresh_token(self, app: Application, token: str) -> Grant:
        """Redeems a refresh token and returns its grant.

        Raises:
            EntraError: the token is malformed (AADSTS9002313), issued to another client (AADSTS70000),
                expired (AADSTS700082) or revoked (AADSTS50173), or the user is disabled (AADSTS50057) or does
                not exist (AADSTS50034).
        """
        try:
            content = self._keys.decrypt(token.removeprefix("1."), purpose="refresh")
        except InvalidTokenError as error:
            raise EntraError(
                9002313, "invalid_grant", "Invalid request. Request is malformed or invalid."
            ) from error
        if content["client"] != app.client_id:
            raise EntraError(
                70000,
                "invalid_grant",
                "Provided grant is invalid or malformed: the refresh token was issued to another client.",
            )
        if self._clock.now() >= content["at"] + REFRESH_LIFETIME:
            raise EntraError(700082, "invalid_grant", "The refresh token has expired due to inactivity.")
        user = self._directory.user(content["user"])
        if user is None:
            raise EntraError(50034, "invalid_grant", "The user account does not exist in the directory.")
        self._check(user, content["at"])
        return Grant(
            user=user,
            session=content["session"],
            scopes=tuple(content["scopes"]),
            resource=content["resource"],
        )

    def _check(self, user: User, issued: float) -> None:
        if self._accounts.is_disabled(user):
            raise disabled_account()
        if self._accounts.is_revoked(user, issued):
            raise EntraError(
                50173,
                "invalid_grant",
                "The provided grant has expired due to it being revoked: sign in again.",
            )


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
