"""Authorization requests and the consent page: resources, where errors are sent, and confirmation."""

import functools
import json
import re
from dataclasses import replace
from html import unescape
from urllib.parse import urlencode

import pytest

from tests.e2e.client import CALLBACK, parameters_of
from tests.policies.engine.harness import Harness, Response
from tests.policies.oauth.clients import REGISTRATIONS, REQUESTS
from tests.policies.oauth.flow import FORM, GATEWAY, RESOURCE, Flow, end_of, handle_of, service_with
from twin.clock import Clock

APP = "https://app.example/callback?tenant=7"
SSE = {
    "name": "notes",
    "image": "ghcr.io/example/notes:1.0.0",
    "port": 8080,
    "transport": "sse",
    "sessionParameter": "sessionId",
    "actsAs": "user",
}


@functools.cache
def _harness(**config: str) -> Harness:
    return Harness(service_with(**config), Clock())


@pytest.fixture
def flow() -> Flow:
    return Flow.new()


def of_stack(**config: str) -> Flow:
    return Flow.at(_harness(**config))


def stored_resource(flow: Flow, *resources: str) -> str:
    """The resource of the stored transaction, or the error that the client receives."""
    more = "".join(f"&resource={resource}" for resource in resources)
    query = f"redirect_uri={CALLBACK}&client_id={flow.client_id}&response_type=code&code_challenge={'x' * 43}"
    answer = flow.get("/authorize", f"{query}&code_challenge_method=S256{more}")
    location = answer.header("Location") or ""
    if "error=" in location:
        return parameters_of(location)["error"]
    return list(flow.store.of("transactions"))[-1]["resource"]


# Real clients


@pytest.mark.parametrize("name", REQUESTS)
def test_c1_real_clients_reach_the_consent_page_and_complete_the_sign_in(flow: Flow, name: str) -> None:
    client, changed = REQUESTS[name]
    assert flow.register(**REGISTRATIONS[client]).status == 201
    parameters = {"redirect_uri": REGISTRATIONS[client]["redirect_uris"][0]} | changed
    page = flow.consent_page(handle_of(flow.authorize(**parameters)))
    assert page.status == 200
    end = end_of(flow.callback(flow.consent(page)))
    assert end.startswith(parameters["redirect_uri"] or "?")
    assert sorted(parameters_of(end)) == ["code", "iss", "state"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_c1_a_redirect_uri_with_another_port_cannot_be_on_the_gateways_own_origin(host: str) -> None:
    """Each name of the loopback host is a name of the local gateway."""
    local = local_harness()
    flow = Flow.at(local)
    assert flow.register(redirect_uris=[f"http://{host}/consent"]).status == 201
    assert flow.authorize(redirect_uri=f"http://{host}:9000/consent", resource=None).status == 302
    assert flow.authorize(redirect_uri=f"http://{host}:8000/consent", resource=None).status == 400
    assert flow.register(redirect_uris=[f"http://{host}:8000/consent"]).status == 400


def test_b2_an_origin_with_another_scheme_is_not_the_gateways_own() -> None:
    flow = Flow.at(local_harness())
    assert flow.register(redirect_uris=["https://localhost:8000/callback"]).status == 201


def test_b2_localhost_is_not_the_own_origin_of_a_gateway_with_another_host(flow: Flow) -> None:
    assert flow.register(redirect_uris=["https://localhost/callback"]).status == 201


@pytest.mark.parametrize("port", ["", ":80"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_b2_the_default_port_belongs_to_the_gateways_own_origin(host: str, port: str) -> None:
    flow = Flow.at(local_harness("http://localhost"))
    assert flow.register(redirect_uris=[f"http://{host}{port}/consent"]).status == 400
    assert flow.register(redirect_uris=[f"http://{host}:81/consent"]).status == 201


@functools.cache
def local_harness(url: str = "http://localhost:8000") -> Harness:
    """The gateway of a local stack with this URL."""
    service = service_with(local="true", localUrl=url, entraAuthority="http://localhost:8002")
    values = tuple(
        replace(value, value=url) if value.name == "gateway-url" else value for value in service.named_values
    )
    return Harness(replace(service, gateway_url=url, named_values=values), Clock())


# The resource


@pytest.mark.parametrize(
    ("resources", "stored"),
    [
        ([RESOURCE], RESOURCE),
        ([f"{RESOURCE}/"], RESOURCE),
        ([f"{RESOURCE}/sse"], RESOURCE),
        ([f"{RESOURCE}/sse/"], RESOURCE),
        ([f"{RESOURCE}/message"], "invalid_target"),
        ([f"{RESOURCE}?x=1"], "invalid_target"),
        ([f"{GATEWAY}/notes-mcp"], "invalid_target"),
        ([RESOURCE, RESOURCE], RESOURCE),
        ([RESOURCE, f"{RESOURCE}/sse", f"{RESOURCE}/", ""], RESOURCE),
        ([RESOURCE, f"{GATEWAY}/other"], "invalid_target"),
        ([GATEWAY, RESOURCE], RESOURCE),
        ([GATEWAY], GATEWAY),
        ([f"{GATEWAY}/"], GATEWAY),
        ([], GATEWAY),
        (["", ""], GATEWAY),
        (["foreign"], "invalid_target"),
    ],
)
def test_c2_every_url_of_a_server_names_the_same_resource_and_other_urls_are_refused(
    flow: Flow, resources: list[str], stored: str
) -> None:
    assert stored_resource(flow, *resources) == stored


def test_c2_resources_of_two_servers_are_refused_unless_the_stack_has_a_single_audience() -> None:
    both = [RESOURCE, f"{GATEWAY}/notes-mcp/sse"]
    containers = json.dumps([SSE])
    assert stored_resource(of_stack(containers=containers), *both) == "invalid_target"
    assert stored_resource(of_stack(containers=containers), both[1]) == f"{GATEWAY}/notes-mcp"
    single_audience = of_stack(containers=containers, audience="gateway")
    assert [stored_resource(single_audience, *resources) for resources in (both, both[:1], both[1:], [])] == [
        GATEWAY
    ] * 4


@pytest.mark.parametrize(
    ("redirect_uri", "config", "allowed"),
    [
        (CALLBACK, {}, True),
        ("http://localhost:9/cb", {}, True),
        (CALLBACK, {"requireResource": "true"}, False),
        ("https://app.example/cb", {}, False),
        ("cursor://anysphere.cursor-mcp/oauth/callback", {}, False),
        ("com.example.app:/cb", {}, False),
        ("https://app.example/cb", {"audience": "gateway"}, True),
        (CALLBACK, {"audience": "gateway", "requireResource": "true"}, False),
    ],
)
def test_c2_only_apps_on_the_users_machine_get_a_token_for_every_server(
    redirect_uri: str, config: dict[str, str], allowed: bool
) -> None:
    flow = of_stack(**config)
    flow.register(redirect_uris=[redirect_uri])
    for resource in (None, "", GATEWAY) if "audience" not in config else (None, ""):
        answer = flow.authorize(redirect_uri=redirect_uri, resource=resource)
        assert ((answer.header("Location") or "").startswith(f"{GATEWAY}/consent?")) == allowed
        assert allowed or "error=invalid_target" in unescape(answer.body.decode()) + end_of(answer)


# Errors


def link_of(page: Response) -> str:
    (link,) = re.findall('href="(.*?)"', page.body.decode())
    return unescape(link)


def test_c2_an_error_for_a_dynamically_registered_web_client_is_shown_on_a_page(flow: Flow) -> None:
    flow.register(redirect_uris=[APP])
    for changed, error in (
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": '"'}, "invalid_scope"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"resource": "https://evil.example"}, "invalid_target"),
        ({"prompt": "none"}, "interaction_required"),
    ):
        page = flow.authorize(redirect_uri=APP, state="a b", **changed)
        assert (page.status, page.header("Location")) == (400, None)
        link = link_of(page)
        assert link.startswith(f"{APP}&error=")
        parameters = parameters_of(link)
        assert (parameters["error"], parameters["state"], parameters["iss"], parameters["tenant"]) == (
            error,
            "a b",
            GATEWAY,
            "7",
        )
        assert "<bdi>app.example</bdi>" in page.body.decode()


@pytest.mark.parametrize("redirect_uri", [CALLBACK, "http://localhost:9/cb", "http://[::1]:9/cb"])
def test_c2_an_error_for_an_app_at_a_loopback_address_is_sent_to_the_app(
    flow: Flow, redirect_uri: str
) -> None:
    flow.register(redirect_uris=[redirect_uri])
    answer = flow.authorize(redirect_uri=redirect_uri, response_type="token")
    assert parameters_of(answer.header("Location") or "")["error"] == "unsupported_response_type"


@pytest.mark.parametrize(
    ("redirect_uri", "shown"),
    [
        ("vscode://attacker.extension/run", "vscode:"),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "cursor:"),
        ("com.example.app:/cb", "com.example.app:"),
        ("com.example.app:/a'%22%3Cb?x=(1)&y", "com.example.app:"),
        ("httpx.example:/cb", "httpx.example:"),
    ],
)
def test_c2_an_error_opens_no_app_until_the_user_follows_the_link(
    flow: Flow, redirect_uri: str, shown: str
) -> None:
    """Anyone can register a client, so a web page could open an extension with parameters of its choice."""
    flow.register(redirect_uris=[redirect_uri])
    for changed in ({"response_type": "token"}, {"scope": '"'}, {"prompt": "none"}, {"resource": GATEWAY}):
        page = flow.authorize(redirect_uri=redirect_uri, state="a\"'<b>", **changed)
        assert (page.status, page.header("Location"), page.header("Refresh")) == (400, None, None)
        html = page.body.decode()
        assert "http-equiv" not in html
        assert f"Return to the app that uses <bdi>{shown}</bdi> links" in html
        link = link_of(page)
        assert link.startswith(redirect_uri + ("&" if "?" in redirect_uri else "?") + "error=")
        assert parameters_of(link)["state"] == "a\"'<b>"


def test_c2_a_denial_is_sent_to_a_web_client_because_the_user_saw_the_page(flow: Flow) -> None:
    flow.register(redirect_uris=[APP])
    page = flow.consent_page(handle_of(flow.authorize(redirect_uri=APP)))
    denied = flow.consent(page, "deny")
    assert denied.status == 303
    assert parameters_of(denied.header("Location") or "")["error"] == "access_denied"


# Confirmation


def test_c5_allowing_needs_the_confirmation_on_the_page(flow: Flow) -> None:
    page = flow.page()
    assert re.search(r'<input type="checkbox" name="confirm" value="yes" required>', page.body.decode())
    for value in ("", "no", "YES"):
        refused = flow.consent(page, confirm=value)
        assert (refused.status, refused.header("Location")) == (400, None)
        assert b"Please confirm" in refused.body
    assert flow.store.one("transactions")["status"] == "pending"
    assert flow.consent(page).status == 303


def test_c5_denying_needs_no_confirmation(flow: Flow) -> None:
    page = flow.page()
    assert "formnovalidate" in page.body.decode()
    assert flow.consent(page, "deny", confirm="").status == 303


def test_c5_entra_asks_users_of_dynamically_registered_clients_to_select_an_account(flow: Flow) -> None:
    parameters = parameters_of(flow.at_entra().header("Location") or "")
    assert parameters["prompt"] == "select_account"


# The text of the page


def test_c4_the_page_begins_with_the_redirect_target(flow: Flow) -> None:
    flow.register(redirect_uris=["https://app.example/cb"], client_name="Kitchen & Sink")
    page = flow.consent_page(handle_of(flow.authorize(redirect_uri="https://app.example/cb")))
    html = page.body.decode()
    body = html[html.index("<main>") :]
    shown = ["https://app.example", "Kitchen &amp; Sink", "Functions", "Use Functions", "You, at Functions"]
    positions = [body.index(text) for text in shown]
    assert positions == sorted(positions)
    assert "This app registered itself. Its name is not verified." in body
    assert "your own computer" not in body


def test_c4_the_page_names_the_organisation_and_shows_its_logo() -> None:
    plain = of_stack(publisherName="Ex & Ample").page()
    assert "Ex &amp; Ample" in plain.body.decode()
    assert "<img" not in plain.body.decode()
    assert "img-src" not in (plain.header("Content-Security-Policy") or "")
    shown = of_stack(publisherLogo="docs/logo.svg").page()
    assert re.search(r'<img src="data:image/svg\+xml;base64,[A-Za-z0-9+/=]+" alt="">', shown.body.decode())
    assert "; img-src data:;" in (shown.header("Content-Security-Policy") or "")


@pytest.mark.parametrize("path", ["/authorize", "/consent"])
def test_too_many_requests_are_answered_with_a_page(flow: Flow, path: str) -> None:
    answers = [flow.harness.send("GET", path) for _ in range(61)]
    assert (answers[-1].status, answers[-1].header("Retry-After")) == (429, "60")
    assert b"<h1>Too many sign-ins at once</h1>" in answers[-1].body


def test_c4_cookies_of_a_local_stack_are_not_secure() -> None:
    """Safari does not store `Secure` cookies of http://localhost."""
    flow = Flow.at(local_harness())
    page = flow.consent_page(handle_of(flow.authorize(resource=None)))
    (name,) = flow.cookies
    assert name.startswith("consent-")
    assert "Secure" not in (page.header("Set-Cookie") or "")
    assert "HttpOnly; SameSite=Lax" in (page.header("Set-Cookie") or "")


def test_c2_the_token_endpoint_accepts_every_url_of_a_server_as_its_resource(flow: Flow) -> None:
    for resource in (RESOURCE, f"{RESOURCE}/sse", f"{RESOURCE}/", GATEWAY, ""):
        answer = flow.redeem(flow.code(), resource=resource)
        assert flow.claims_of(answer.json()["access_token"])["aud"] == RESOURCE
    assert flow.redeem(flow.code(), resource=f"{RESOURCE}/message").json()["error"] == "invalid_target"


@pytest.mark.parametrize("part", ["transaction", "token", "decision"])
@pytest.mark.parametrize("value", ["", None])
def test_c5_an_incomplete_form_is_refused_before_the_store_is_called(part: str, value: str | None) -> None:
    flow = Flow.new()
    matches = dict(re.findall(r'name="(\w+)" value="([^"]*)"', flow.page().body.decode()))
    form = matches | {"decision": "allow", "confirm": "yes", part: value}
    flow.store.calls.clear()
    body = urlencode({name: value for name, value in form.items() if value is not None})
    answer = flow.post("/consent", body, content_type=FORM)
    assert (answer.status, answer.header("Location")) == (400, None)
    assert b"no longer open" in answer.body
    assert flow.store.calls == []
