"""The authorization endpoint and the consent page (OAuth 2.1, section 4.1.1)."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.e2e.client import CALLBACK, Client, challenge_of, parameters_of
from tests.e2e.conftest import RunningTwin
from tests.e2e.deployment import Deployment
from tests.e2e.person import Page, Person


def get(url: str) -> httpx.Response:
    return httpx.get(url)


# Clients


def test_c1_an_unknown_client_gets_an_error_page(client: Client) -> None:
    answer = get(client.authorize_url(client_id="someone-else"))
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "text/html" in answer.headers["content-type"]


@pytest.mark.parametrize("client_id", ["../../dbs", "a/b?c=d#e", '"] OR 1=1', "x" * 1500, "\u0000", ""])
def test_a_client_id_that_looks_like_a_path_or_a_query_is_refused(client: Client, client_id: str) -> None:
    assert get(client.authorize_url(client_id=client_id)).status_code == 400


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:45321/callback/",
        "http://127.0.0.1:45321/Callback",
        "http://127.0.0.1:45321/callback?x=1",
        "http://127.0.0.2:45321/callback",
        "http://localhost:45321/callback",
        "https://127.0.0.1:45321/callback",
        "http://127.0.0.1:45321@evil.example/callback",
        "http://evil.example/callback",
        None,
    ],
)
def test_c1_an_unregistered_redirect_uri_gets_an_error_page(client: Client, uri: str | None) -> None:
    answer = get(client.authorize_url(redirect_uri=uri))
    assert answer.status_code == 400
    assert "location" not in answer.headers


def test_the_port_of_a_loopback_ip_may_differ(client: Client) -> None:
    answer = get(client.authorize_url(redirect_uri="http://127.0.0.1:9/callback"))
    assert answer.status_code == 302
    assert "/consent" in answer.headers["location"]


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_an_invalid_port_gets_an_error_page(client: Client, port: str) -> None:
    assert get(client.authorize_url(redirect_uri=f"http://127.0.0.1:{port}/callback")).status_code == 400


def test_similar_letters_are_not_accepted_for_ascii_letters(client: Client) -> None:
    for uri in (
        "http://127.0.0.1:45321/callbac\u212a",
        "http\u017f://127.0.0.1:45321/callback",
        "\U0001f600",
    ):
        assert get(client.authorize_url(redirect_uri=uri)).status_code == 400


def test_a_repeated_redirect_uri_gets_an_error_page(client: Client) -> None:
    assert get(client.authorize_url() + "&redirect_uri=http://evil.example").status_code == 400


# Requests


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "x" * 44}, "invalid_request"),
        ({"code_challenge": "+" * 43}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"resource": "https://evil.example/mcp"}, "invalid_target"),
        ({"scope": 'functions "admin"'}, "invalid_scope"),
        ({"code_challenge": "\u0130\u017f" + "x" * 41}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"request_uri": "https://app.example/request"}, "request_uri_not_supported"),
        ({"prompt": "none"}, "interaction_required"),
    ],
)
def test_c2_errors_are_sent_to_a_known_client(
    client: Client, changed: dict[str, str | None], error: str
) -> None:
    answer = get(client.authorize_url(**changed))
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(CALLBACK + "?")
    parameters = parameters_of(answer.headers["location"])
    assert parameters["error"] == error
    assert parameters["state"] == client.state
    assert parameters["iss"] == client.gateway
    assert "code" not in parameters


def test_a_parameter_without_a_value_counts_as_omitted(client: Client, ada: Person) -> None:
    empty = dict.fromkeys(("resource", "response_mode", "request", "request_uri", "prompt", "scope"), "")
    code = parameters_of(ada.sign_in(client.authorize_url(**empty)))["code"]
    assert client.redeem(code, resource="").status_code == 200


@pytest.mark.parametrize(
    "spelling", ["HTTP://LOCALHOST{}/mcp", "http://LocalHost{}/mcp", "http://localhost{}/mcp/"]
)
def test_a_resource_can_be_any_equivalent_uri(client: Client, ada: Person, spelling: str) -> None:
    named = spelling.format(client.gateway.removeprefix("http://localhost"))
    code = parameters_of(ada.sign_in(client.authorize_url(resource=named)))["code"]
    assert client.redeem(code, resource=named).status_code == 200


def test_each_scope_is_listed_once(client: Client, ada: Person) -> None:
    code = parameters_of(ada.sign_in(client.authorize_url(scope="functions  offline_access functions")))[
        "code"
    ]
    assert client.redeem(code).json()["scope"] == "functions offline_access"


@pytest.mark.parametrize(
    ("twice", "error"),
    [
        ("code_challenge=" + "y" * 43, "invalid_request"),
        ("response_type=code", "invalid_request"),
        ("scope=functions", "invalid_request"),
        ("state=other", "invalid_request"),
        ("unknown=1&unknown=2", "invalid_request"),
        ("st%61te=other", "invalid_request"),
        ("resource=http://localhost/x", "invalid_target"),
    ],
)
def test_a_parameter_given_twice_is_refused(client: Client, twice: str, error: str) -> None:
    answer = get(client.authorize_url() + "&" + twice)
    assert parameters_of(answer.headers["location"])["error"] == error


@pytest.mark.parametrize(
    "state", ["2026-01-01T00:00:00Z", "a+b c/ü&=%", "=", "{{token-key}}", "<b>", "x" * 500]
)
def test_c3_the_state_is_returned_unchanged(client: Client, ada: Person, state: str) -> None:
    client.state = state
    assert parameters_of(ada.sign_in(client.authorize_url()))["state"] == state


@pytest.mark.parametrize("raw", ["a%2fb%7e+c", "%C3%BC%c3%bc", "x=y==", "%2B+%20", "a/b?c:d@e", ""])
def test_c3_the_state_is_returned_with_the_same_encoding(client: Client, ada: Person, raw: str) -> None:
    """A client may compare it without decoding it."""
    url = f"{client.authorize_url(state=None)}&state={raw}"
    denied = ada.press(ada.open(url), "Deny").url
    for end in (denied, ada.sign_in(url), get(f"{url}&response_type=token").headers["location"]):
        assert f"&state={raw}&" in end


def test_no_state_is_returned_if_the_client_sent_none(client: Client, ada: Person) -> None:
    assert set(parameters_of(ada.sign_in(client.authorize_url(state=None)))) == {"code", "iss"}


def test_a_state_that_is_too_long_for_a_url_is_rejected(client: Client) -> None:
    assert get(client.authorize_url(state="x" * 1400)).headers["location"].startswith(client.gateway)
    parameters = parameters_of(get(client.authorize_url(state="x" * 1600)).headers["location"])
    assert parameters["error"] == "invalid_request"


def test_c3_the_browser_receives_only_the_id_of_the_transaction(client: Client) -> None:
    location = get(client.authorize_url()).headers["location"]
    assert set(parameters_of(location)) == {"transaction"}
    for value in (client.state, client.client_id, CALLBACK):
        assert value not in location


def test_c8_a_query_of_the_redirect_uri_is_kept(client: Client, ada: Person) -> None:
    client.redirect_uri = "https://app.example/callback?tenant=7"
    client.register()
    end = parameters_of(ada.sign_in(client.authorize_url()))
    assert end["tenant"] == "7"
    assert set(end) == {"tenant", "code", "state", "iss"}


# The consent page


def test_the_page_shows_the_client_and_its_scopes(client: Client, ada: Person) -> None:
    page = ada.open(client.authorize_url())
    for text in (
        "Test client",
        "Functions",
        "Use Functions",
        "Keep you signed in",
        "http://127.0.0.1:45321",
        "registered itself",
    ):
        assert text in page.html


def test_the_page_states_that_an_app_has_no_name(twin: RunningTwin, ada: Person) -> None:
    client = twin.client()
    client.register(client_name=None)
    assert "an app without a name" in ada.open(client.authorize_url()).html


def test_the_page_names_every_server_for_a_client_without_a_resource(client: Client, ada: Person) -> None:
    page = ada.open(client.authorize_url(resource=None))
    assert "Every MCP server behind this gateway" in page.html
    assert "<li>Functions</li>" in page.html


def test_the_page_has_a_warning_for_a_local_app_but_not_for_a_remote_one(client: Client, ada: Person) -> None:
    warning = "an app on your own computer"
    assert warning in ada.open(client.authorize_url()).html
    client.redirect_uri = "https://app.example/callback"
    client.register()
    assert warning not in ada.open(client.authorize_url()).html


@pytest.mark.parametrize(
    "name", ['<script>alert("x")</script>', "{{token-key}}", "[[ 7*7 ]]", "@(1+1)", "&lt;b&gt;"]
)
def test_a_client_name_is_shown_as_text(client: Client, ada: Person, name: str) -> None:
    client.register(client_name=name)
    html = ada.open(client.authorize_url()).html
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    assert f"<bdi>{escaped}</bdi>" in html
    assert "<script" not in html


def test_the_page_cannot_be_framed_scripted_cached_or_sent_elsewhere(
    twin: RunningTwin, client: Client, ada: Person
) -> None:
    response = ada.open(client.authorize_url()).response
    assert response is not None
    policy = dict(
        part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert "script-src" not in policy
    assert "unsafe-inline" not in response.headers["content-security-policy"]
    assert policy["form-action"] == f"'self' {twin.entra} http://127.0.0.1:45321"
    assert policy["base-uri"] == "'none'"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-store"


def test_an_error_page_cannot_be_framed_scripted_or_cached(client: Client) -> None:
    answer = get(client.authorize_url(client_id="someone-else"))
    policy = answer.headers["content-security-policy"]
    for part in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'none'"):
        assert part in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers


def test_c4_the_cookie_of_a_local_stack_is_not_secure(client: Client, ada: Person) -> None:
    """Safari does not store `Secure` cookies from an http URL, not even from localhost."""
    response = ada.open(client.authorize_url()).response
    assert response is not None
    (cookie,) = response.headers.get_list("set-cookie")
    assert re.match(r"consent-\S+=[A-Za-z0-9_-]{43}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax$", cookie)


# Responses


def answer_consent(
    client: Client, person: Person, page: Page, decision: str, omitted: str = ""
) -> httpx.Response:
    """Sends a decision like the user's browser, and returns the gateway's response."""
    (form,) = page.forms()
    fields = form.fields | form.boxes | {"decision": decision}
    cookies = "; ".join(f"{name}={value}" for name, value in person.cookies["localhost"].items())
    return httpx.post(
        f"{client.gateway}/consent",
        data={name: value for name, value in fields.items() if name != omitted},
        headers={"Cookie": cookies, "Origin": client.gateway},
        timeout=30,
    )


def test_the_browser_is_not_sent_to_entra_before_consent(client: Client) -> None:
    answer = get(client.authorize_url())
    assert answer.headers["location"].startswith(client.gateway)


def test_values_derived_from_one_secret_differ_by_purpose(client: Client, ada: Person) -> None:
    """Entra receives the nonce and the browser the cookie; neither may equal the other or the verifier."""
    at_entra = parameters_of(ada.press(ada.open(client.authorize_url()), "Allow").url)
    (cookie,) = [value for name, value in ada.cookies["localhost"].items() if "callback" in name]
    secret = at_entra["state"].partition(".")[2]
    assert len({cookie, at_entra["nonce"], secret}) == 3
    assert at_entra["code_challenge"] not in {
        challenge_of(text) for text in (cookie, at_entra["nonce"], secret)
    }


def test_a_denial_is_sent_to_the_client(client: Client, ada: Person) -> None:
    page = ada.press(ada.open(client.authorize_url()), "Deny")
    assert page.url.startswith(CALLBACK)
    parameters = parameters_of(page.url)
    assert (parameters["error"], parameters["state"], parameters["iss"]) == (
        "access_denied",
        client.state,
        client.gateway,
    )


@pytest.mark.parametrize("first", ["Deny", "Allow"])
def test_a_decision_can_be_submitted_only_once(client: Client, ada: Person, first: str) -> None:
    """Even for a browser that keeps the cookie that the first response deletes."""
    page = ada.open(client.authorize_url())
    cookies = dict(ada.cookies["localhost"])
    ada.press(page, first)
    for later in ("Allow", "Deny"):
        ada.cookies["localhost"] = dict(cookies)
        again = ada.press(page, later)
        assert (again.url, again.status) == (f"{client.gateway}/consent", 400)
    ada.cookies["localhost"] = dict(cookies)
    assert ada.open(page.url).status == 400


def test_one_of_several_parallel_decisions_is_accepted(
    twin: RunningTwin, client: Client, ada: Person
) -> None:
    page = ada.open(client.authorize_url())
    twin.fault("cosmos", delay=0.3, times=30)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: answer_consent(client, ada, page, "allow"), range(6)))
    assert sorted(answer.status_code for answer in answers) == [303] + [400] * 5


@pytest.mark.parametrize("omitted", ["transaction", "token", "decision", "confirm"])
def test_an_incomplete_decision_is_rejected(client: Client, ada: Person, omitted: str) -> None:
    page = ada.open(client.authorize_url())
    answer = answer_consent(client, ada, page, "allow", omitted)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert answer_consent(client, ada, page, "allow").status_code == 303


@pytest.mark.parametrize("decision", ["", "maybe", "ALLOW"])
def test_a_decision_must_be_allow_or_deny(client: Client, ada: Person, decision: str) -> None:
    page = ada.open(client.authorize_url())
    assert answer_consent(client, ada, page, decision).status_code == 400
    assert answer_consent(client, ada, page, "allow").status_code == 303


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_the_redirection_is_not_cached_and_sends_no_referrer(
    client: Client, ada: Person, decision: str
) -> None:
    answer = answer_consent(client, ada, ada.open(client.authorize_url()), decision)
    assert answer.status_code == 303
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    start = get(client.authorize_url())
    assert start.headers["cache-control"] == "no-store"
    assert start.headers["referrer-policy"] == "no-referrer"


def test_c5_consent_from_another_browser_is_refused(twin: RunningTwin, client: Client, ada: Person) -> None:
    page = ada.open(client.authorize_url())
    assert twin.person("Grace Hopper").press(page, "Allow").status == 403
    assert ada.press(page, "Allow").status == 200


def test_a_cookie_inside_another_cookie_is_ignored(twin: RunningTwin, client: Client, ada: Person) -> None:
    page = ada.open(client.authorize_url())
    ((name, value),) = ada.cookies["localhost"].items()
    victim = twin.person("Grace Hopper")
    victim.cookies["localhost"] = {"theme": f"dark, {name}={value}"}
    assert victim.press(page, "Allow").status == 403


def test_c5_a_changed_form_token_is_refused(client: Client, ada: Person) -> None:
    assert ada.press(ada.open(client.authorize_url()), "Allow", token="x" * 43).status == 403


def test_the_form_token_of_one_transaction_is_not_valid_for_another(client: Client, ada: Person) -> None:
    first, second = ada.open(client.authorize_url()), ada.open(client.authorize_url())
    (form,) = first.forms()
    assert ada.press(second, "Allow", token=form.fields["token"]).status == 403


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://localhost:1"])
def test_c5_consent_from_another_origin_is_refused(client: Client, ada: Person, origin: str | None) -> None:
    page = ada.open(client.authorize_url())
    (form,) = page.forms()
    cookies = "; ".join(f"{name}={value}" for name, value in ada.cookies["localhost"].items())
    headers = {"Cookie": cookies} | ({"Origin": origin} if origin else {})
    answer = httpx.post(
        f"{client.gateway}/consent", data=form.fields | {"decision": "allow"}, headers=headers
    )
    assert answer.status_code == 403
    assert "location" not in answer.headers


def test_no_step_extends_a_transaction(twin: RunningTwin, client: Client, ada: Person) -> None:
    page = ada.open(client.authorize_url())
    twin.advance_clock(590)
    at_entra = ada.press(page, "Allow")
    twin.advance_clock(20)
    assert "no longer open" in ada.press(at_entra, ada.name).html


def test_c3_a_transaction_ends_after_ten_minutes(twin: RunningTwin, client: Client, ada: Person) -> None:
    page = ada.open(client.authorize_url())
    twin.advance_clock(601)
    assert ada.press(page, "Allow").status == 400


def test_an_unreachable_store_is_an_error_without_partial_changes(
    twin: RunningTwin, client: Client, ada: Person
) -> None:
    page = ada.open(client.authorize_url())
    twin.fault("cosmos", status=503, times=1)
    failed = ada.press(page, "Allow").response
    assert failed is not None
    assert failed.status_code == 503
    assert int(failed.headers["retry-after"]) > 0
    assert ada.press(page, "Allow").status == 200


def test_a_sign_in_that_cannot_be_stored_is_an_error(twin: RunningTwin, client: Client) -> None:
    """The client is in the cache, so the failing write is that of the transaction."""
    get(client.authorize_url())
    twin.fault("cosmos", status=503, times=1)
    answer = get(client.authorize_url())
    assert answer.status_code == 503
    assert "location" not in answer.headers


def test_the_number_of_started_sign_ins_is_limited(client: Client) -> None:
    """The limit of the dev stack is 60 a minute."""
    answers = [client.http.get(client.authorize_url()) for _ in range(65)]
    assert {answer.status_code for answer in answers[:55]} == {302}
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0


def test_a_cleared_cache_has_no_effect(twin: RunningTwin, client: Client, ada: Person) -> None:
    page = ada.open(client.authorize_url())
    twin.clear_cache()
    page = ada.press(page, "Allow")
    twin.clear_cache()
    end = ada.press(page, "Ada Lovelace").url
    twin.clear_cache()
    token = client.redeem(parameters_of(end)["code"]).json()["access_token"]
    twin.clear_cache()
    assert client.call(token).status_code == 200


# Stored documents


def test_stored_documents_of_a_sign_in_expire_and_contain_no_secret(
    deployment: Deployment, client: Client, ada: Person
) -> None:
    consent = ada.open(client.authorize_url())
    entra = ada.press(consent, "Allow")
    cookies = list(ada.cookies["localhost"].values())
    code = parameters_of(ada.press(entra, "Ada Lovelace").url)["code"]
    token = client.redeem(code).json()["access_token"]
    documents = deployment.documents()
    assert {"pending", "approved", "claimed"} & {document.get("status") for document in documents}
    assert all(isinstance(document.get("ttl"), int) and document["ttl"] > 0 for document in documents)
    stored = json.dumps(documents)
    secrets = [
        parameters_of(consent.url)["transaction"],
        parameters_of(entra.url)["state"].partition(".")[2],
        parameters_of(entra.url)["nonce"],
        code.partition(".")[2],
        client.verifier,
        client.client_id,
        token,
        *cookies,
    ]
    assert [secret for secret in secrets if secret in stored] == []
