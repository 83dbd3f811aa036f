"""A gateway in this process with all parties of a sign-in: store, Entra, client and browser.

The clock advances only when a test advances it, so that a test can check the exact second at which something
expires.
"""

import base64
import functools
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwe, jwt
from joserfc.jwk import OctKey, RSAKey

from apim.failure import SendError
from apim.network import Reply
from apim.service import Service
from tests.e2e.client import CALLBACK, challenge_of, parameters_of
from tests.policies.engine.harness import Harness, Response, Sent, reply
from tests.stacks import FUNCTIONS_ONLY, planned_service
from twin.clock import Clock

GATEWAY = "https://gateway.example"
RESOURCE = f"{GATEWAY}/mcp"
VERIFIER = "v" * 43
FORM = "application/x-www-form-urlencoded"
OBJECT_ID = "55555555-5555-4555-8555-555555555555"

_ATTEMPTS = 3
"""The number of times that the gateway tries each call to the store."""

Document = dict[str, Any]
Failing = Callable[[], Reply]
"""Returns the response of a failing service, or raises the error of the connection."""


class ManualClock(Clock):
    """A clock that advances only when a test advances it."""

    def __init__(self) -> None:
        super().__init__()
        self._start = float(int(time.time()))

    def now(self) -> float:
        return self._start + self.offset


class Store:
    """The part of Cosmos DB's REST API that stores documents by their id; documents do not expire here.

    Attributes:
        clock: the clock for the time of a change (`_ts`).
        documents: the documents by container and id.
        calls: method and container of each request, in order.
        failing: returns the response that replaces the store's, by the number of the request from 0.
        lost_write: the container whose next PUT is stored although its response is lost; empty if none.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.documents: dict[tuple[str, str], Document] = {}
        self.calls: list[tuple[str, str]] = []
        self.failing: dict[int, Failing] = {}
        self.lost_write = ""
        self._versions = 0
        self._retry: tuple[Sent, Failing, int] | None = None

    def answer(self, sent: Sent) -> Reply:
        """Answers a request after checking its token, API version, date and partition key."""
        _, container, name = re.split("/dbs/oauth/colls/|/docs/?", sent.url)
        body = json.loads(sent.body) if sent.body else {}
        name = name or body["id"]
        retry, self._retry = self._retry, None
        if retry is not None and (sent.method, sent.url, sent.body) == (
            retry[0].method,
            retry[0].url,
            retry[0].body,
        ):
            return self._fail(*retry)
        self.calls.append((sent.method, container))
        if (failing := self.failing.get(len(self.calls) - 1)) is not None:
            return self._fail(sent, failing, _ATTEMPTS)
        assert sent.header("Authorization") == (
            "type%3daad%26ver%3d1.0%26sig%3dtoken-for-https://cosmos.azure.com"
        )
        assert sent.header("x-ms-version") == "2018-12-31"
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", sent.header("x-ms-date") or "")
        assert json.loads(sent.header("x-ms-documentdb-partitionkey") or "") == [name]
        response = self._stored(sent, (container, name), body)
        if sent.method == "PUT" and container == self.lost_write:
            self.lost_write = ""
            return unreachable()
        return response

    def _fail(self, sent: Sent, failing: Failing, attempts: int) -> Reply:
        """Fails a call, and its retries by the gateway if the failure is transient."""
        repeated = (sent, failing, attempts - 1) if attempts > 1 else None
        try:
            answer = failing()
        except SendError:
            self._retry = repeated
            raise
        if answer.status >= 500:
            self._retry = repeated
        return answer

    def _stored(self, sent: Sent, key: tuple[str, str], body: Document) -> Reply:
        current = self.documents.get(key)
        if sent.method == "GET":
            return reply(404, "{}") if current is None else reply(200, json.dumps(current))
        if sent.method == "POST" and current is not None:
            return reply(409, "{}")
        if sent.method == "PUT":
            if current is None:
                return reply(404, "{}")
            if sent.header("If-Match") != current["_etag"]:
                return reply(412, "{}")
        self._versions += 1
        self.documents[key] = body | {"_etag": f'"{self._versions}"', "_ts": int(self.clock.now())}
        return reply(201 if sent.method == "POST" else 200, json.dumps(self.documents[key]))

    def of(self, container: str) -> Iterator[Document]:
        """The documents of a container."""
        return (document for (kept_in, _), document in self.documents.items() if kept_in == container)

    def one(self, container: str) -> Document:
        """The only document of a container, which tests may read and change."""
        (document,) = self.of(container)
        return document


def unreachable() -> Reply:
    """Fails like a request to a server that refuses connections."""
    raise SendError("cosmos.internal.example refused", timed_out=False)


def status(code: int, body: str = "{}") -> Failing:
    """A function that returns a response with this status."""
    return lambda: reply(code, body)


@functools.cache
def signing_key() -> RSAKey:
    """The key with which Entra signs."""
    return RSAKey.generate_key(2048, {"kid": "entra", "use": "sig"})


@functools.cache
def service_with(**config: str) -> Service:
    """The service of a stack with these settings."""
    return planned_service(GATEWAY, {**FUNCTIONS_ONLY, **config})


@functools.cache
def _harness() -> Harness:
    """The gateway that the tests share."""
    return Harness(service_with(), ManualClock())


@dataclass
class Flow:
    """Each step of a sign-in as one method, with the requests of a well-behaved client and browser.

    Attributes:
        prefix: the beginning of all paths of the gateway: empty, or a slash and the stack's path prefix.
        cookies: the browser's cookies, by name.
        tampered: claims that replace the valid claims in Entra's next ID tokens.
        entra_request: the parameters of the latest request to Entra's token endpoint.
        entra: returns the response of Entra's token endpoint; None for the regular response.
        served: returns the response of the MCP server.
        client_id: the id of the client; each registration replaces it.
        nonce: the nonce of the last sign-in at Entra.
        registered: the number of registrations that were requested.
        refreshed: the number of refresh tokens that Entra issued.
    """

    harness: Harness
    store: Store
    prefix: str = ""
    cookies: dict[str, str] = field(default_factory=dict)
    tampered: dict[str, Any] = field(default_factory=dict)
    entra_request: dict[str, str] = field(default_factory=dict)
    entra: Failing | None = None
    served: Callable[[], Reply] = lambda: reply(200, "{}", Content_Type="application/json")
    client_id: str = ""
    nonce: str = ""
    registered: int = 0
    refreshed: int = 0

    @classmethod
    def new(cls) -> "Flow":
        """A flow at the gateway that the tests share."""
        return cls.at(_harness())

    @classmethod
    def at(cls, harness: Harness, prefix: str = "") -> "Flow":
        """A flow at this gateway, with an empty store and cache, and with counters and clock reset."""
        harness.clock.reset()
        flow = cls(harness, Store(harness.clock), prefix)
        flow.move_to(harness)
        flow.register()
        flow.store.calls.clear()
        return flow

    def move_to(self, harness: Harness) -> None:
        """Sends the next steps to another gateway with the same store and an empty cache."""
        harness.gateway.services.cache.clear()
        harness.gateway.services.counters.clear()
        harness.network.sent.clear()
        harness.network.answer = self.respond
        self.harness = harness

    @property
    def resource(self) -> str:
        """The URL of the MCP server, as the client sends it in `resource`."""
        return f"{GATEWAY}{self.prefix}/mcp"

    @property
    def now(self) -> int:
        """The gateway's time in seconds."""
        return int(self.harness.clock.now())

    def named_value(self, name: str) -> str:
        """The value of a named value of the service."""
        return next(
            named_value.value
            for named_value in self.harness.gateway.service.named_values
            if named_value.name == name
        )

    def respond(self, sent: Sent) -> Reply:
        """The response of the store, Entra or the MCP server to a request of the gateway."""
        tenant = f"{self.named_value('entra-authority')}/{self.named_value('entra-tenant')}"
        if sent.url.startswith(self.named_value("cosmos-url")):
            return self.store.answer(sent)
        if sent.url == f"{tenant}/v2.0/.well-known/openid-configuration":
            document = {"issuer": f"{tenant}/v2.0", "jwks_uri": f"{tenant}/discovery/v2.0/keys"}
            return reply(200, json.dumps(document))
        if sent.url == f"{tenant}/discovery/v2.0/keys":
            return reply(200, json.dumps({"keys": [signing_key().as_dict(private=False)]}))
        if sent.url == f"{tenant}/oauth2/v2.0/token":
            assert (sent.method, sent.header("Content-Type")) == ("POST", FORM)
            self.entra_request = parameters_of("?" + sent.body.decode())
            if self.entra is not None:
                return self.entra()
            return self.signed_in_at_entra()
        return self.served()

    def signed_in_at_entra(self, **changed: Any) -> Reply:
        """Entra's response to a code or to a valid refresh token."""
        self.refreshed += 1
        answer = {"id_token": self.id_token(), "refresh_token": f"entra/refresh+{self.refreshed}"} | changed
        return reply(200, json.dumps({name: value for name, value in answer.items() if value is not None}))

    def id_token(self) -> str:
        """A valid ID token for the current sign-in, with the tampered claims."""
        claims = {
            "iss": f"{self.named_value('entra-authority')}/{self.named_value('entra-tenant')}/v2.0",
            "aud": self.named_value("entra-client"),
            "tid": self.named_value("entra-tenant"),
            "oid": OBJECT_ID,
            "preferred_username": "ada@twin.example",
            "nonce": self.nonce,
            "iat": self.now,
            "nbf": self.now,
            "exp": self.now + 3600,
        }
        return self.signed(claims | self.tampered)

    def signed(self, claims: dict[str, Any]) -> str:
        """A token that Entra signed."""
        return jwt.encode({"alg": "RS256", "kid": "entra"}, claims, signing_key())

    # Steps

    def register(self, **changed: Any) -> Response:
        """Registers the client, each time from another IP address, and keeps its id."""
        self.registered += 1
        ip = f"198.51.{self.registered // 256}.{self.registered % 256}"
        metadata = {"client_name": "Test client", "redirect_uris": [CALLBACK]} | changed
        answer = self.post("/register", json.dumps(metadata), content_type="application/json", ip=ip)
        if answer.status == 201:
            self.client_id = answer.json()["client_id"]
        return answer

    def authorize(self, **changed: str | None) -> Response:
        """The client opens the authorization page in the browser; a parameter that is None is omitted."""
        parameters: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            "state": "s",
            "scope": "functions",
            "resource": self.resource,
        }
        return self.get("/authorize", _query(parameters | changed))

    def consent_page(self, handle: str) -> Response:
        """The browser opens the consent page."""
        return self.get("/consent", f"transaction={handle}")

    def consent(self, page: Response, decision: str = "allow", **changed: str) -> Response:
        """The browser submits the form of the page."""
        matches = re.findall(r'name="(\w+)" value="([^"]*)"', page.body.decode())
        form = {name: unescape(value) for name, value in matches} | {"decision": decision} | changed
        answer = self.post("/consent", urlencode(form), content_type=FORM)
        self.nonce = parse_qs(urlsplit(answer.header("Location") or "").query).get("nonce", [""])[0]
        return answer

    def callback(self, at_entra: Response, code: str = "entras code") -> Response:
        """The browser returns from Entra."""
        state = parameters_of(at_entra.header("Location") or "")["state"]
        return self.get("/oauth-callback", urlencode({"code": code, "state": state}))

    def redeem(self, code: str | None, **changed: str | None) -> Response:
        """The client redeems a code; a parameter that is None is omitted."""
        parameters: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "client_id": self.client_id,
            "code_verifier": VERIFIER,
            "resource": self.resource,
        }
        return self.post("/token", _query(parameters | changed), content_type=FORM, cookies=False)

    def refresh(self, refresh_token: str | None, **changed: str | None) -> Response:
        """The client redeems a refresh token; a parameter that is None is omitted."""
        parameters: dict[str, str | None] = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": self.client_id,
        }
        return self.post("/token", _query(parameters | changed), content_type=FORM, cookies=False)

    def revoke(self, token: str | None, **changed: str | None) -> Response:
        """The client revokes a token; a parameter that is None is omitted."""
        parameters: dict[str, str | None] = {"token": token, "client_id": self.client_id}
        return self.post("/revoke", _query(parameters | changed), content_type=FORM, cookies=False)

    def call(self, token: str) -> Response:
        """The client calls the MCP server."""
        return self.harness.send("POST", f"{self.prefix}/mcp", body=b"{}", Authorization=f"Bearer {token}")

    def claims_of(self, token: str) -> dict[str, Any]:
        """The claims of an access token."""
        key = OctKey.import_key(base64.b64decode(self.named_value("token-key-v1")))
        return json.loads(
            jwe.decrypt_compact(token, key, algorithms=["dir", "A256CBC-HS512"]).plaintext or b""
        )

    # Several steps

    def page(self) -> Response:
        """All steps up to the consent page."""
        return self.consent_page(handle_of(self.authorize()))

    def at_entra(self) -> Response:
        """All steps up to the redirection to Entra."""
        return self.consent(self.page())

    def code(self) -> str:
        """All steps up to the authorization code."""
        return parameters_of(self.callback(self.at_entra()).header("Location") or "")["code"]

    def token(self) -> str:
        """All steps up to the access token."""
        return self.redeem(self.code()).json()["access_token"]

    def refresh_token(self) -> str:
        """All steps up to the first refresh token."""
        return self.redeem(self.code()).json()["refresh_token"]

    # Requests, with the browser's cookies

    def get(self, path: str, query: str) -> Response:
        """Sends a GET request with the cookies."""
        return self._keep_cookies(
            self.harness.send("GET", f"{self.prefix}{path}", query, body=None, **self._cookies())
        )

    def post(
        self, path: str, body: str, *, content_type: str, cookies: bool = True, ip: str = "203.0.113.7"
    ) -> Response:
        """Sends a POST request, with the cookies unless the client itself sends it."""
        headers = {"Content_Type": content_type, "Origin": GATEWAY} | (self._cookies() if cookies else {})
        return self._keep_cookies(
            self.harness.send("POST", f"{self.prefix}{path}", body=body.encode(), ip=ip, **headers)
        )

    def _cookies(self) -> dict[str, str]:
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": pairs} if pairs else {}

    def _keep_cookies(self, answer: Response) -> Response:
        for name, line in answer.headers:
            if name.lower() != "set-cookie":
                continue
            key, _, value = line.partition(";")[0].partition("=")
            if "Max-Age=0" in line:
                self.cookies.pop(key, None)
            else:
                self.cookies[key] = value
        return answer


def _query(parameters: dict[str, str | None]) -> str:
    return urlencode({name: value for name, value in parameters.items() if value is not None})


def handle_of(answer: Response) -> str:
    """The transaction's handle in the URL of the consent page, to which a response redirects."""
    return parameters_of(answer.header("Location") or "")["transaction"]


def end_of(answer: Response) -> str:
    """The URL to which a response sends the browser, by a redirect or a page that opens an app."""
    opened = re.findall(r'<meta http-equiv="refresh" content="0; url=([^"]*)">', answer.body.decode())
    return unescape(opened[0]) if opened else answer.header("Location") or ""


def encoded(octets: bytes) -> str:
    """The octets in base64url, without padding."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
