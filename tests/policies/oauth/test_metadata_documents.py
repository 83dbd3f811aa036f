"""Client ID Metadata Documents: allowed URLs, required content, and caching."""

import functools
import json
from collections.abc import Callable
from typing import Any

import pytest

from apim.failure import SendError
from apim.network import Reply
from tests.e2e.client import CALLBACK, parameters_of
from tests.policies.engine.harness import Harness, Sent, reply
from tests.policies.oauth.flow import FORM, GATEWAY, Flow, ManualClock, handle_of, service_with

URL = "https://app.example.com/oauth/client.json"
APP = "https://app.example.com/callback"

CHATGPT: dict[str, Any] = {
    "client_id": "https://chatgpt.com/oauth/client.json",
    "client_name": "ChatGPT",
    "client_uri": "https://chatgpt.com/",
    "redirect_uris": ["https://chatgpt.com/connector_platform_oauth_redirect"],
    "token_endpoint_auth_method": "private_key_jwt",
    "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
    "jwks_uri": "https://chatgpt.com/oauth/jwks.json",
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
}
CLAUDE_CODE: dict[str, Any] = {
    "client_id": "https://claude.ai/oauth/claude-code-client-metadata",
    "client_name": "Claude Code",
    "client_uri": "https://claude.ai",
    "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
}
"""The documents that these clients publish."""


class Host:
    """A web server that publishes a metadata document at every URL.

    Attributes:
        fetched: the requests of the gateway.
        answer: returns the response.
    """

    def __init__(self, document: dict[str, Any], **headers: str) -> None:
        self.fetched: list[Sent] = []
        self.answer: Callable[[], Reply] = lambda: reply(
            200, json.dumps(document), **({"Content_Type": "application/json"} | headers)
        )

    def serve(self, flow: Flow) -> None:
        """Handles the gateway's requests, except those to the store and to Entra."""
        before = flow.harness.network.answer
        cosmos, authority = flow.named_value("cosmos-url"), flow.named_value("entra-authority")

        def answer(sent: Sent) -> Any:
            if sent.url.startswith((cosmos, authority)):
                return before(sent)
            self.fetched.append(sent)
            return self.answer()

        flow.harness.network.answer = answer


@functools.cache
def _harness(*domains: str, audience: str = "backend") -> Harness:
    config = {"clientDomains": json.dumps(domains)} if domains else {}
    return Harness(service_with(audience=audience, **config), ManualClock())


@pytest.fixture
def flow() -> Flow:
    return Flow.at(_harness())


def document(**changed: Any) -> dict[str, Any]:
    """The metadata document of an app; a member that is changed to None is omitted."""
    document = {"client_id": URL, "client_name": "App", "redirect_uris": [APP]} | changed
    return {name: value for name, value in document.items() if value is not None}


def outcome(flow: Flow, host: Host, **changed: str | None) -> str:
    """`consent`, or the text of the page that refuses the client."""
    host.serve(flow)
    answer = flow.authorize(**({"client_id": URL, "redirect_uri": APP} | changed))
    if (answer.header("Location") or "").startswith(f"{GATEWAY}/consent?"):
        return "consent"
    assert (answer.status, answer.header("Location")) == (400, None)
    return answer.body.decode()


@pytest.mark.parametrize(
    ("published", "redirect_uri"),
    [
        (CHATGPT, CHATGPT["redirect_uris"][0]),
        (CLAUDE_CODE, "http://localhost:51823/callback"),
        (CLAUDE_CODE, "http://127.0.0.1:9/callback"),
    ],
)
def test_b5_a_client_signs_in_with_the_document_that_it_publishes(
    flow: Flow, published: dict[str, Any], redirect_uri: str
) -> None:
    host = Host(published)
    host.serve(flow)
    flow.client_id = published["client_id"]
    page = flow.consent_page(handle_of(flow.authorize(redirect_uri=redirect_uri)))
    html = page.body.decode()
    name = flow.client_id.split("/")[2]
    assert f"<bdi>{published['client_name']}</bdi> <small>Described by {name}, which was verified." in html
    at_entra = flow.consent(page)
    assert "prompt" not in parameters_of(at_entra.header("Location") or "")
    code = parameters_of(flow.callback(at_entra).header("Location") or "")["code"]
    flow.store.calls.clear()
    answer = flow.redeem(code, redirect_uri=redirect_uri)
    assert answer.status == 200
    assert flow.store.calls == [("GET", "grants"), ("GET", "clients"), ("PUT", "grants")]
    assert flow.claims_of(answer.json()["access_token"])["client_id"] == flow.client_id
    refreshed = flow.post(
        "/token",
        f"grant_type=refresh_token&refresh_token={answer.json()['refresh_token']}&client_id={flow.client_id}",
        content_type="application/x-www-form-urlencoded",
        cookies=False,
    )
    assert refreshed.status == 200
    (sent,) = host.fetched
    assert (sent.method, sent.url, sent.header("Accept")) == ("GET", flow.client_id, "application/json")
    assert sent.header("Authorization") is None
    assert sent.timeout == 5


@pytest.mark.parametrize(
    "client_id",
    [
        "https://app.example.com",
        "https://app.example.com/",
        "https://app.example.com/client.json?x=1",
        "https://app.example.com/client.json#x",
        "https://user@app.example.com/client.json",
        "https://app.example.com/a/../client.json",
        "https://app.example.com/./client.json",
        "https://app.example.com/..",
        "https://app.example.com/a/%2e%2e/client.json",
        "https://app.example.com/a/%2E%2e/client.json",
        "https://app.example.com/a/.%2e/client.json",
        "https://app.example.com/a/%2e/client.json",
        "https://app.example.com/a/%2e%2e",
        "https://app.example.com/a%2fclient.json",
        "https://app.example.com/a%2Fclient.json",
        "https://app.example.com/a%5cclient.json",
        "https://app.example.com/a%5Cclient.json",
        "https://app.example.com/%63lient.json",
        "https://app.example.com/%7Eclient.json",
        "https://app.example.com/client%2Djson",
        "https://app.example.com/client%30.json",
        "https://app.example.com/client.json%",
        "https://app.example.com/client%2.json",
        "https://app.example.com/client%zz.json",
        "https://app.example.com:0/client.json",
        "https://app.example.com\\@evil.example.org/client.json",
        "https://app.example.com/client json",
        "https://localhost/client.json",
        "https://app.localhost/client.json",
        "https://printer.local/client.json",
        "https://intranet/client.json",
        "https://vault.internal/client.json",
        "https://127.0.0.1/client.json",
        "https://169.254.169.254/metadata/identity",
        "https://10.0.0.1:8443/client.json",
        "https://2130706433/client.json",
        "https://0x7f.0.0.1/client.json",
        "https://[::1]/client.json",
        "https://app.example.com./client.json",
        "https://app.example.com.1/client.json",
        "http://app.example.com/client.json",
    ],
)
def test_b5_documents_are_fetched_only_from_allowed_urls(flow: Flow, client_id: str) -> None:
    host = Host(document(client_id=client_id))
    assert outcome(flow, host, client_id=client_id) != "consent"
    assert host.fetched == []


@pytest.mark.parametrize(
    ("changed", "headers", "message"),
    [
        ({"client_id": URL + "x"}, {}, "not its own URL"),
        ({"client_id": None}, {}, "not its own URL"),
        ({"client_id": [URL]}, {}, "not its own URL"),
        ({"client_secret": "x"}, {}, "secret"),
        ({"token_endpoint_auth_method": "client_secret_post"}, {}, "authentication method"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, {}, "authentication method"),
        ({"token_endpoint_auth_method": 7}, {}, "authentication method"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, {}, "jwks_uri"),
        ({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": 7}, {}, "jwks_uri"),
        ({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": [f"{URL}/keys"]}, {}, "jwks_uri"),
        (
            {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://evil.example/keys"},
            {},
            "jwks_uri",
        ),
        (
            {
                "token_endpoint_auth_method": "private_key_jwt",
                "jwks_uri": "https://app.example.com@evil.example/",
            },
            {},
            "jwks_uri",
        ),
        *(
            ({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri}, {}, "jwks_uri")
            for uri in (
                "http://169.254.169.254/?https://app.example.com/keys",
                "https://app.example.com/keys#https://evil.example/",
                "https://app.example.com/keys\\@evil.example/",
                "https://app.example.com/a/../keys",
                "https://app.example.com/a/..?keys",
                "https://app.example.com/a/%2e%2E/keys",
                "https://app.example.com/a%2Fkeys",
                "https://app.example.com/a%5ckeys",
                "https://app.example.com/%6beys",
                "https://app.example.com/keys%2",
            )
        ),
        ({"redirect_uris": []}, {}, "redirect_uris"),
        ({"redirect_uris": ["http://app.example.com/"]}, {}, "must be https"),
        ({"client_name": "a\u202eb"}, {}, "client_name"),
        ({"padding": "x" * 10240}, {}, "10 KB"),
        ({}, {"Content_Length": "10241"}, "10 KB"),
        ({}, {"Content_Length": "many"}, "10 KB"),
        ({}, {"Content_Type": "text/html"}, "content type"),
        ({}, {"Content_Type": ""}, "content type"),
        ({}, {"Content_Type": "application/json-seq"}, "content type"),
        ({}, {"Content_Type": "text/x-application/json"}, "content type"),
    ],
)
def test_b5_a_document_must_describe_a_client_that_the_gateway_can_serve(
    flow: Flow, changed: dict[str, Any], headers: dict[str, str], message: str
) -> None:
    page = outcome(flow, Host(document(**changed), **headers))
    assert "This app cannot be identified" in page
    assert message in page


def test_b5_the_path_of_a_url_may_contain_other_encoded_characters(flow: Flow) -> None:
    """.NET's `Uri` and RFC 3986, section 6.2.2 leave these as they are."""
    url = "https://app.example.com/a%20b/%C3%A9%3A%5B%60/client.json"
    keys = {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": f"{url}?a=%25"}
    host = Host(document(client_id=url, **keys))
    assert outcome(flow, host, client_id=url) == "consent"
    assert [sent.url for sent in host.fetched] == [url]


def test_b5_the_host_of_the_keys_may_be_written_in_capitals(flow: Flow) -> None:
    keys = {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://APP.example.com/keys"}
    assert outcome(flow, Host(document(**keys))) == "consent"


def test_b5_a_document_has_at_most_10_kb(flow: Flow) -> None:
    padding = 10240 - len(json.dumps(document(padding="")))
    assert outcome(flow, Host(document(padding="x" * padding))) == "consent"
    flow.harness.gateway.services.cache.clear()
    assert "10 KB" in outcome(flow, Host(document(padding="x" * (padding + 1))))


def _timed_out() -> Reply:
    raise SendError("secret.internal refused", timed_out=True)


@pytest.mark.parametrize(
    "answer",
    [
        lambda: reply(404, json.dumps(document()), Content_Type="application/json"),
        lambda: reply(302, "", Location="https://127.0.0.1/"),
        lambda: reply(200, "[]", Content_Type="application/json"),
        lambda: reply(200, b"\xff\xfe", Content_Type="application/json"),
        lambda: reply(200, "{", Content_Type="application/json"),
        lambda: reply(500, "boom"),
        Host(document(client_id=URL + "x")).answer,
        _timed_out,
    ],
)
def test_b5_a_url_without_a_valid_document_is_not_a_client(flow: Flow, answer: Callable[[], Reply]) -> None:
    host = Host(document())
    host.answer = answer
    page = outcome(flow, host)
    assert "This app cannot be identified" in page
    assert "internal" not in page
    assert len(host.fetched) == 1
    # Within a minute the page is shown again without a request: one URL cannot use up the limit of the stack.
    host.answer = Host(document()).answer
    flow.harness.clock.advance(59)
    assert outcome(flow, host) == page
    other = "https://app.example.com/other.json"
    assert outcome(flow, Host(document(client_id=other)), client_id=other) == "consent"
    assert len(host.fetched) == 1
    flow.harness.clock.advance(1)
    assert outcome(flow, host) == "consent"


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "Application/JSON", "application/client-metadata+json"],
)
def test_b5_the_content_type_of_a_document_is_any_json_type(flow: Flow, content_type: str) -> None:
    assert outcome(flow, Host(document(), Content_Type=content_type)) == "consent"


@pytest.mark.parametrize(
    ("control", "seconds"),
    [
        (None, 300),
        ("max-age=60", 60),
        ("public, max-age=60, must-revalidate", 60),
        ("s-maxage=5, max-age=120", 120),
        ("max-age=999999999", 3600),
        ("no-store", 0),
        ("no-cache, max-age=60", 0),
        ("max-age=0", 0),
        ("max-age=soon", 300),
    ],
)
def test_b5_a_document_is_cached_as_long_as_its_headers_allow(
    flow: Flow, control: str | None, seconds: int
) -> None:
    host = Host(document(), **({"Cache_Control": control} if control else {}))
    fetched = []
    for pause in (0, seconds - 1, 1) if seconds else (0, 0, 0):
        flow.harness.clock.advance(pause)
        assert outcome(flow, host) == "consent"
        fetched.append(len(host.fetched))
    assert fetched == ([1, 1, 2] if seconds else [1, 2, 3])


@pytest.mark.parametrize("control", ["no-store", "no-cache", "max-age=0"])
def test_b5_a_document_that_must_not_be_cached_is_never_stored_in_the_cache(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, control: str
) -> None:
    """It is not documented what API Management does with a duration of 0 seconds."""
    cache, stored = flow.harness.gateway.services.cache, []
    monkeypatch.setattr(cache, "store", lambda key, *_: stored.append(key.partition("|")[0]))
    for headers in ({"Cache_Control": control}, {}):
        assert outcome(flow, Host(document(), **headers)) == "consent"
    assert stored.count("document") == 1


def test_b5_if_the_stack_lists_domains_only_documents_of_these_domains_are_accepted() -> None:
    flow = Flow.at(_harness("example.com", "claude.ai"))
    host = Host(document())
    assert outcome(flow, host) == "consent"
    for client_id in (
        "https://notexample.com/c",
        "https://example.com.evil.example.org/c",
        "https://chatgpt.com/c",
    ):
        host = Host(document(client_id=client_id))
        assert "clientDomains" in outcome(flow, host, client_id=client_id)
        assert host.fetched == []
    client_id = "https://EXAMPLE.com/c"
    assert outcome(flow, Host(document(client_id=client_id)), client_id=client_id) == "consent"


def test_c2_errors_are_redirected_only_to_clients_of_listed_domains() -> None:
    for domains, status in ((("example.com",), 302), ((), 400)):
        flow = Flow.at(_harness(*domains))
        Host(document()).serve(flow)
        answer = flow.authorize(client_id=URL, redirect_uri=APP, response_type="token")
        assert answer.status == status


def test_b5_the_redirect_uri_must_be_in_the_document(flow: Flow) -> None:
    page = outcome(flow, Host(document()), redirect_uri="https://app.example.com/other")
    assert "redirect URI is not registered" in page


def test_b5_an_operator_can_block_a_client_that_has_a_metadata_document(flow: Flow) -> None:
    host = Host(document())
    assert outcome(flow, host) == "consent"
    identity = flow.store.one("transactions")["clientDocumentId"]
    flow.store.documents[("clients", identity)] = {"id": identity, "blocked": True, "_etag": "x"}
    flow.harness.gateway.services.cache.clear()
    assert flow.authorize(client_id=URL, redirect_uri=APP).status == 403
    assert len(host.fetched) == 1


def test_b5_revoking_one_users_grant_affects_no_other_user_of_the_same_client(flow: Flow) -> None:
    Host(CHATGPT).serve(flow)
    flow.client_id = CHATGPT["client_id"]
    redirect_uri = CHATGPT["redirect_uris"][0]
    values = []
    for user in ("55555555-5555-4555-8555-555555555555", "66666666-6666-4666-8666-666666666666"):
        flow.tampered = {"oid": user}
        flow.cookies.clear()
        page = flow.consent_page(handle_of(flow.authorize(redirect_uri=redirect_uri)))
        end = flow.callback(flow.consent(page)).header("Location") or ""
        values.append(flow.redeem(parameters_of(end)["code"], redirect_uri=redirect_uri).json())
    form = f"token={values[0]['refresh_token']}&client_id={flow.client_id}"
    assert flow.post("/revoke", form, content_type=FORM, cookies=False).status == 200
    statuses = [
        flow.post(
            "/token",
            f"grant_type=refresh_token&refresh_token={value['refresh_token']}&client_id={flow.client_id}",
            content_type=FORM,
            cookies=False,
        ).status
        for value in values
    ]
    assert statuses == [400, 200]


def test_b5_the_number_of_fetched_documents_is_limited_for_the_whole_stack(flow: Flow) -> None:
    host = Host(document(), Cache_Control="no-store")
    host.serve(flow)
    answers = [
        flow.harness.send(
            "GET",
            "/authorize",
            f"client_id={URL}&redirect_uri={APP}",
            ip=f"192.0.{number // 50}.{number % 50}",
        )
        for number in range(601)
    ]
    assert answers[-1].status == 429
    assert len(host.fetched) == 600


def test_c1_a_document_may_list_loopback_redirect_uris(flow: Flow) -> None:
    host = Host(document(redirect_uris=["http://localhost/callback"]))
    assert outcome(flow, host, redirect_uri="http://localhost:5/callback") == "consent"
    assert "redirect URI is not registered" in outcome(flow, host, redirect_uri=CALLBACK)


def test_b5_a_block_takes_effect_immediately_although_the_document_is_cached(flow: Flow) -> None:
    host = Host(document(), Cache_Control="max-age=3600")
    assert outcome(flow, host) == "consent"
    blocked = {"blocked": {"at": flow.now, "ttl": None}}
    identity = next(flow.store.of("transactions"))["clientDocumentId"]
    flow.store.documents["clients", identity] = {"id": identity, "redirectUris": [], **blocked}
    answer = flow.authorize(client_id=URL, redirect_uri=APP)
    assert (answer.status, answer.header("Location")) == (403, None)
    assert len(host.fetched) == 1
