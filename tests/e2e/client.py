"""A minimal MCP client: each method sends one request, with the values of a well-behaved client unless the
test changes them."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

CALLBACK = "http://127.0.0.1:45321/callback"


def challenge_of(verifier: str) -> str:
    """PKCE S256 (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def parameters_of(url: str) -> dict[str, str]:
    """The query parameters of a URL; a repeated parameter is an error."""
    values = parse_qs(urlsplit(url).query, keep_blank_values=True)
    assert all(len(value) == 1 for value in values.values()), values
    return {name: value[0] for name, value in values.items()}


def refusal_of(document: dict[str, Any]) -> str:
    """The reason in the gateway's JSON-RPC error, with which it refused a call to an MCP server."""
    assert (document["jsonrpc"], document["id"]) == ("2.0", None)
    assert document["error"]["message"]
    return document["error"]["data"]["error"]


@dataclass
class Client:
    """A public client of the gateway at `gateway`, for the MCP server at `gateway/path`."""

    gateway: str
    http: httpx.Client
    path: str = "mcp"
    redirect_uri: str = CALLBACK
    client_id: str = ""
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def resource(self) -> str:
        return f"{self.gateway}/{self.path}"

    def register(self, **changed: Any) -> httpx.Response:
        """Registers and stores the client id if the response contains one."""
        metadata = {
            "client_name": "Test client",
            "redirect_uris": [self.redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }
        metadata |= changed
        answer = self.http.post(
            f"{self.gateway}/register", json={k: v for k, v in metadata.items() if v is not None}
        )
        if answer.status_code == 201:
            self.client_id = answer.json()["client_id"]
        return answer

    def authorize_url(self, **changed: str | None) -> str:
        """The URL to which it sends the browser; a parameter that is changed to None is omitted."""
        parameters: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
            "state": self.state,
            "scope": "functions",
            "resource": self.resource,
        }
        parameters |= changed
        return f"{self.gateway}/authorize?{urlencode({k: v for k, v in parameters.items() if v is not None})}"

    def redemption(self, code: str | None, **changed: str | None) -> dict[str, str]:
        """The form of a token request; a parameter that is changed to None is omitted."""
        parameters: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": self.client_id,
            "code_verifier": self.verifier,
            "resource": self.resource,
        }
        parameters |= changed
        return {name: value for name, value in parameters.items() if value is not None}

    def redeem(self, code: str | None, **changed: str | None) -> httpx.Response:
        """Redeems a code."""
        return self.http.post(f"{self.gateway}/token", data=self.redemption(code, **changed))

    def call(self, token: str | None, method: str = "tools/list", **extra: Any) -> httpx.Response:
        """Sends one stateless MCP request over streamable HTTP; `extra` is passed to httpx."""
        headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        headers |= extra.pop("headers", {})
        return self.http.post(
            extra.pop("url", self.resource),
            json={"jsonrpc": "2.0", "id": 1, "method": method, "params": {}},
            headers=headers,
            **extra,
        )

    def refresh(self, refresh_token: str, **changed: str) -> httpx.Response:
        """Redeems a refresh token."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": self.client_id}
        return self.http.post(f"{self.gateway}/token", data=form | changed)

    def revoke(self, token: str, **changed: str) -> httpx.Response:
        """Revokes a token."""
        form = {"token": token, "client_id": self.client_id}
        return self.http.post(f"{self.gateway}/revoke", data=form | changed)
