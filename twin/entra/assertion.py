"""Authentication of applications with client secrets, or with client assertions and federated credentials.

Sources: RFC 7523; learn.microsoft.com/entra/workload-id/workload-identity-federation. Issuer, subject and
audience are compared case-sensitively, as Entra has done since 2024.
"""

import hmac
from collections.abc import Mapping

from twin.clock import Clock
from twin.entra.directory import Application, Directory
from twin.entra.errors import EntraError, missing_parameter, unknown_application
from twin.entra.keys import InvalidTokenError, SigningKeys
from twin.entra.tokens import check_times

_NO_RECORD = "No matching federated identity record found for presented assertion"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def authenticate(
    form: Mapping[str, str], *, directory: Directory, keys: SigningKeys, clock: Clock
) -> Application:
    """Authenticates the application that sent a token request.

    Args:
        form: the parameters of the request, each at most once.
        directory: the directory with the applications and their credentials.
        keys: the tenant's keys, which sign the managed-identity tokens that are sent as assertions.
        clock: the clock for checking the times in an assertion.

    Raises:
        EntraError: the application is unknown, or its secret or assertion is missing or not valid.
    """
    client_id = form.get("client_id", "")
    if not client_id:
        raise missing_parameter("client_id")
    app = directory.application(client_id)
    if app is None:
        raise unknown_application(client_id, directory.tenant_id)
    assertion = form.get("client_assertion", "")
    if not assertion and "client_secret" in form:
        sent = form["client_secret"].encode()
        if not any(hmac.compare_digest(secret.encode(), sent) for secret in app.client_secrets):
            raise _invalid_client(
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the client "
                f"secret value, not the client secret ID, for a secret added to app '{app.client_id}'.",
            )
        return app
    if not assertion:
        raise _invalid_client(
            7000218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )
    if form.get("client_assertion_type") != JWT_BEARER:
        raise EntraError(
            900023,
            "invalid_request",
            f"The parameter 'client_assertion_type' must be '{JWT_BEARER}'.",
        )
    _check_federated_credential(_verified_claims(assertion, keys, clock), app)
    return app


def _verified_claims(assertion: str, keys: SigningKeys, clock: Clock) -> Mapping[str, object]:
    try:
        claims = keys.verify(assertion)
    except InvalidTokenError as error:
        raise _invalid_client(700027, "Client assertion failed signature validation.") from error
    try:
        check_times(claims, clock.now())
    except InvalidTokenError as error:
        raise _invalid_client(
            700024, f"Client assertion is not within its valid time range: {error}."
        ) from error
    return claims


def _check_federated_credential(claims: Mapping[str, object], app: Application) -> None:
    issuer, subject, audience = claims.get("iss"), claims.get("sub"), claims.get("aud")
    advice = "Check your federated identity credential Subject, Audience and Issuer against it."
    same_issuer = [credential for credential in app.federated_credentials if credential.issuer == issuer]
    if not same_issuer:
        raise _invalid_client(
            700211,
            f"{_NO_RECORD} issuer '{issuer}'. {advice}",
        )
    same_subject = [credential for credential in same_issuer if credential.subject == subject]
    if not same_subject:
        if any(credential.subject.lower() == str(subject).lower() for credential in same_issuer):
            raise _invalid_client(
                7002138,
                f"{_NO_RECORD} subject '{subject}'. The subject matches with case-insensitive comparison, "
                "but not with case-sensitive comparison.",
            )
        raise _invalid_client(
            700213,
            f"{_NO_RECORD} subject '{subject}'. {advice}",
        )
    if not any(credential.audience == audience for credential in same_subject):
        raise _invalid_client(
            700212,
            f"{_NO_RECORD} audience '{audience}'. {advice}",
        )


def _invalid_client(code: int, message: str) -> EntraError:
    return EntraError(code, "invalid_client", message, status=401)
