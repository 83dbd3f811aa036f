"""A tenant for tests of the stand-in for Entra ID, and a client of it."""

import base64
import hashlib
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet

from twin.clock import Clock
from twin.entra import (
    TEST_USERS,
    TOKEN_EXCHANGE,
    Application,
    AppRole,
    Directory,
    FederatedCredential,
    IdentityHost,
    ManagedIdentity,
    RoleAssignment,
    SigningKeys,
    create_app,
)

TENANT = "11111111-1111-4111-8111-111111111111"
CLIENT = "22222222-2222-4222-8222-222222222222"
OTHER = "33333333-3333-4333-8333-333333333333"
IDENTITY = ManagedIdentity(
    name="gateway",
    client_id="44444444-4444-4444-8444-444444444444",
    principal_id="55555555-5555-4555-8555-abcdefabcdef",
)
OTHER_IDENTITY = ManagedIdentity(
    name="other",
    client_id="66666666-6666-4666-8666-666666666666",
    principal_id="77777777-7777-4777-8777-777777777777",
)
CALLBACK = "http://gateway.invalid/oauth-callback"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ADA, GRACE = TEST_USERS
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Entra:
    """A running stand-in, and a client of its application."""

    def __init__(self, base_url: str, clock: Clock) -> None:
        self.clock = clock
        self.base_url = base_url
        self.authority = f"{base_url}/{TENANT}"
        self.keys = SigningKeys()
        self.directory = Directory(
            tenant_id=TENANT,
            base_url=base_url,
            applications=(
                Application(
                    client_id=CLIENT,
                    object_id="88888888-8888-4888-8888-888888888888",
                    display_name="Gateway <script>alert(1)</script>",
                    redirect_uris=(CALLBACK, "http://localhost:8000/with?query=1"),
                    federated_credentials=(
                        FederatedCredential(
                            issuer=f"{base_url}/{TENANT}/v2.0", subject=IDENTITY.principal_id
                        ),
                    ),
                    app_roles=(AppRole(id="role-1", value="Functions.Call"),),
                    access_token_claims=("idtyp",),
                    token_version=2,
                ),
                Application(
                    client_id=OTHER,
                    object_id="99999999-9999-4999-8999-999999999999",
                    display_name="Other",
                    identifier_uris=("api://other",),
                    federated_credentials=(
                        FederatedCredential(
                            issuer=f"{base_url}/{TENANT}/v2.0",
                            subject=IDENTITY.principal_id.upper(),
                        ),
                        FederatedCredential(
                            issuer=f"{base_url}/{TENANT}/v2.0",
                            subject=OTHER_IDENTITY.principal_id,
                            audience="api://azureadtokenexchange",
                        ),
                    ),
                    client_secrets=("the secret of the other",),
                    assignment_required=True,
                ),
                Application(
                    client_id="aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
                    object_id="-",
                    display_name="Without a service principal",
                    identifier_uris=("api://no-principal",),
                    has_service_principal=False,
                ),
            ),
            managed_identities=(IDENTITY, OTHER_IDENTITY),
            identity_hosts=(
                IdentityHost(name="gateway", user_assigned=(IDENTITY.client_id,)),
                IdentityHost(name="functions", system_assigned=OTHER_IDENTITY.client_id),
            ),
            role_assignments=(
                RoleAssignment(principal_id=IDENTITY.principal_id, client_id=CLIENT, role_id="role-1"),
            ),
        )
        self.app = create_app(self.directory, clock, self.keys)
        self.http = httpx.Client(base_url=base_url)

    def query(self, **changes: str | None) -> dict[str, str]:
        query: dict[str, str | None] = {
            "client_id": CLIENT,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid profile offline_access",
            "state": "st&te=1",
            "nonce": "n-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (query | changes).items() if value is not None}

    def authorize(self, **changes: str | None) -> httpx.Response:
        return self.http.get(f"/{TENANT}/oauth2/v2.0/authorize", params=self.query(**changes))

    def submit(self, page: httpx.Response, **fields: str) -> httpx.Response:
        flow = re.search(r'name="flow" value="([^"]+)"', page.text)
        assert flow is not None, page.text
        return self.http.post(f"/{TENANT}/login", data={"flow": flow[1], **fields})

    def code(self, user: str = ADA.object_id, **changes: str | None) -> str:
        answer = self.authorize(**({"prompt": "select_account"} | changes))
        return answer_of(self.submit(answer, user=user))["code"]

    def identity_token(
        self, resource: str, host: str = "gateway", client_id: str | None = None
    ) -> httpx.Response:
        params = {"api-version": "2019-08-01", "resource": resource}
        if host == "gateway":
            params["client_id"] = client_id or IDENTITY.client_id
        elif client_id:
            params["client_id"] = client_id
        secret = self.app.state.identity_headers[host]
        return self.http.get(
            "/twin/managed-identity/token", params=params, headers={"X-IDENTITY-HEADER": secret}
        )

    def assertion(self, resource: str = TOKEN_EXCHANGE, host: str = "gateway") -> str:
        return self.identity_token(resource, host).json()["access_token"]

    def token(self, **changes: str | None) -> httpx.Response:
        form: dict[str, str | None] = {
            "client_id": CLIENT,
            "client_assertion_type": JWT_BEARER,
            "client_assertion": changes.get("client_assertion") or self.assertion(),
        }
        form |= changes
        return self.http.post(
            f"/{TENANT}/oauth2/v2.0/token",
            data={name: value for name, value in form.items() if value is not None},
        )

    def redeem(self, code: str, /, **changes: str | None) -> httpx.Response:
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }
        return self.token(**(form | changes))

    def claims(self, token: str) -> dict[str, Any]:
        keys = KeySet.import_key_set(self.http.get(f"/{TENANT}/discovery/v2.0/keys").json())
        return dict(jwt.decode(token, keys, algorithms=["RS256"]).claims)


def answer_of(response: httpx.Response) -> dict[str, str]:
    """The parameters of a redirect to the callback."""
    assert response.status_code == 302, response.text
    assert response.headers["location"].startswith(CALLBACK)
    query = parse_qs(urlsplit(response.headers["location"]).query)
    assert all(len(values) == 1 for values in query.values())
    return {name: values[0] for name, values in query.items()}


def error_of(response: httpx.Response) -> tuple[str, int]:
    """The error code and AADSTS number of an error response in Entra's format."""
    body = response.json()
    assert set(body) == {
        "error",
        "error_description",
        "error_codes",
        "timestamp",
        "trace_id",
        "correlation_id",
    }
    assert body["error_description"].startswith(f"AADSTS{body['error_codes'][0]}: ")
    assert response.headers["cache-control"] == "no-store"
    return body["error"], body["error_codes"][0]
