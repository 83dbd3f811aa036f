"""The checks of JSON Web Tokens (RFC 7519) in validate-jwt, each in a function.

https://learn.microsoft.com/azure/api-management/api-management-error-handling-policies#predefined-errors-for-policies
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import jwt

_ASYMMETRIC = ("RS256", "RS512", "PS256")
_SYMMETRIC = ("HS256", "HS384", "HS512")
_JWS = jwt.PyJWS()

Claims = dict[str, object]


class TokenError(Exception):
    """A token that is not accepted; `reason` is one of the documented error reasons."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that may have signed a token; a key without `kid` is tried for every token."""

    kid: str | None
    key: jwt.PyJWK | bytes


@dataclass(frozen=True, slots=True)
class RequiredClaim:
    """A claim that a token must have.

    Attributes:
        values: the accepted values; empty to accept any value.
        every: whether the token must have all values, or at least one of them.
        separator: the string that separates several values in the claim; None for one value.
    """

    name: str
    values: tuple[str, ...]
    every: bool
    separator: str | None


def header(token: str) -> dict[str, object]:
    """The JOSE header.

    Raises:
        TokenError: it is not a JWT.
    """
    if not token:
        raise TokenError("TokenNotPresent", "JWT not present.")
    try:
        return jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise TokenError("JwtInvalid", f"{error}. Access denied.") from error


def verified_claims(token: str, keys: Iterable[SigningKey], *, signed: bool) -> Claims:
    """The claims of a token whose signature one of the keys verifies.

    Args:
        token: the JWT.
        keys: the accepted keys.
        signed: whether the token must be signed.

    Raises:
        TokenError: it is not a JWT, or no key verifies its signature.
    """
    head = header(token)
    if not signed and str(head.get("alg", "")).lower() == "none":
        return _claims(_JWS.decode(token, options={"verify_signature": False}))
    kid = head.get("kid")
    candidates = [key for key in keys if kid is None or key.kid is None or key.kid == kid]
    if not candidates:
        raise TokenError("TokenSignatureKeyNotFound", "The token's signing key was not found. Access denied.")
    for candidate in candidates:
        algorithms = _SYMMETRIC if isinstance(candidate.key, bytes) else _ASYMMETRIC
        try:
            return _claims(_JWS.decode(token, candidate.key, algorithms=list(algorithms)))
        except jwt.PyJWTError:
            continue
    raise TokenError("TokenSignatureInvalid", "The token's signature is not valid. Access denied.")


def check_lifetime(claims: Claims, now: float, skew: float, *, required: bool) -> None:
    """Checks `exp` and `nbf`.

    Args:
        claims: the claims of the token.
        now: the current time in POSIX seconds.
        skew: allowed clock skew in seconds.
        required: whether the token must have `exp`.

    Raises:
        TokenError: the token is expired or not valid yet, or has invalid times.
    """
    expiry, start = claims.get("exp"), claims.get("nbf")
    if expiry is None and required:
        raise TokenError("JwtInvalid", "The token has no expiration time. Access denied.")
    if not all(
        time is None or (isinstance(time, int | float) and not isinstance(time, bool))
        for time in (expiry, start)
    ):
        raise TokenError("JwtInvalid", "The token's times are not numbers. Access denied.")
    if isinstance(expiry, int | float) and now - skew >= expiry:
        raise TokenError("TokenExpired", "The token is expired. Access denied.")
    if isinstance(start, int | float) and now + skew < start:
        raise TokenError("JwtInvalid", "The token is not valid yet. Access denied.")


def check_audience(claims: Claims, audiences: Collection[str]) -> None:
    """Checks `aud` against the accepted audiences, unless there are none.

    Raises:
        TokenError: no audience of the token is accepted.
    """
    claim = claims.get("aud")
    values = claim if isinstance(claim, list) else [claim]
    if audiences and not any(value in audiences for value in values if isinstance(value, str)):
        raise TokenError("TokenAudienceNotAllowed", "The token's audience is not allowed. Access denied.")


def check_issuer(claims: Claims, issuers: Collection[str]) -> None:
    """Checks `iss` against the accepted issuers, unless there are none.

    Raises:
        TokenError: the token's issuer is not accepted.
    """
    if issuers and claims.get("iss") not in issuers:
        raise TokenError("TokenIssuerNotAllowed", "The token's issuer is not allowed. Access denied.")


def check_claim(claims: Claims, wanted: RequiredClaim) -> None:
    """Checks a required claim.

    Raises:
        TokenError: the claim is missing or does not have the required values.
    """
    if wanted.name not in claims:
        message = f"JWT token is missing the following claims: {wanted.name}. Access denied."
        raise TokenError("TokenClaimNotFound", message)
    claim = claims[wanted.name]
    values = [_text(value) for value in (claim if isinstance(claim, list) else [claim])]
    if wanted.separator:
        values = [part for value in values for part in value.split(wanted.separator)]
    found = [value in values for value in wanted.values]
    if wanted.values and not (all(found) if wanted.every else any(found)):
        message = f"Claim {wanted.name} value of {','.join(values)} is not allowed. Access denied."
        raise TokenError("TokenClaimValueNotAllowed", message)


def _claims(payload: bytes) -> Claims:
    try:
        claims = json.loads(payload)
    except ValueError as error:
        raise TokenError("JwtInvalid", "The token's claims are not JSON. Access denied.") from error
    if not isinstance(claims, dict):
        raise TokenError("JwtInvalid", "The token's claims are not an object. Access denied.")
    return claims


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)
