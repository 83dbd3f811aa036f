"""The sign-in at the stand-in for Entra ID, as seen by a browser and a client."""

import base64
import hashlib
import re

import httpx
import pytest

from tests.twin.entra_tenant import ADA, CALLBACK, GRACE, TENANT, Entra, answer_of
from twin.entra import TEST_USERS


def test_the_page_lists_the_test_users_and_states_that_it_is_a_stand_in(entra: Entra):
    page = entra.authorize()
    assert page.status_code == 200
    assert "Local stand-in" in page.text
    for user in TEST_USERS:
        assert user.name in page.text
        assert f'value="{user.object_id}"' in page.text


def test_the_page_escapes_names_and_runs_no_script(entra: Entra):
    page = entra.authorize()
    assert "<script" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    style = re.search(r"<style>(.*?)</style>", page.text, re.DOTALL)
    assert style is not None
    assert base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-content-type-options"] == "nosniff"


def test_a_sign_in_returns_code_state_and_session(entra: Entra):
    answer = answer_of(entra.submit(entra.authorize(), user=GRACE.object_id))
    assert set(answer) == {"code", "state", "session_state"}
    assert answer["state"] == "st&te=1"


def test_a_redirect_uri_keeps_its_query(entra: Entra):
    page = entra.authorize(redirect_uri="http://localhost:8000/with?query=1")
    location = entra.submit(page, user=ADA.object_id).headers["location"]
    assert location.startswith("http://localhost:8000/with?query=1&code=")


def test_cancel_is_returned_as_access_denied(entra: Entra):
    answer = answer_of(entra.submit(entra.authorize(), cancel="1"))
    assert (answer["error"], answer["error_subcode"], answer["state"]) == (
        "access_denied",
        "cancel",
        "st&te=1",
    )


def test_a_second_sign_in_shows_no_page_without_a_prompt(entra: Entra):
    first = entra.submit(entra.authorize(), user=ADA.object_id)
    cookie = next(header for header in first.headers.get_list("set-cookie") if "session" in header)
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "code" in answer_of(entra.authorize())
    assert "code" in answer_of(entra.authorize(prompt="none"))
    for prompt in ("login", "select_account"):
        assert entra.authorize(prompt=prompt).status_code == 200
    assert entra.authorize(login_hint=GRACE.principal_name).status_code == 200


def test_prompt_none_without_a_session_needs_a_sign_in(entra: Entra):
    assert answer_of(entra.authorize(prompt="none"))["error"] == "login_required"


def test_signing_out_ends_the_session(entra: Entra):
    entra.submit(entra.authorize(), user=ADA.object_id)
    entra.http.get(f"/{TENANT}/oauth2/v2.0/logout")
    assert entra.authorize().status_code == 200


def test_signing_out_redirects_to_registered_uris_only(entra: Entra):
    url = f"/{TENANT}/oauth2/v2.0/logout"
    assert entra.http.get(url, params={"post_logout_redirect_uri": CALLBACK}).status_code == 302
    assert (
        entra.http.get(url, params={"post_logout_redirect_uri": "https://evil.example/"}).status_code == 200
    )


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_another_site_cannot_submit_the_form(entra: Entra, headers: dict[str, str]):
    flow = re.search(r'name="flow" value="([^"]+)"', entra.authorize().text)
    assert flow is not None
    form = {"flow": flow[1], "user": ADA.object_id}
    response = entra.http.post(f"/{TENANT}/login", data=form, headers=headers)
    assert response.status_code == 403
    assert "location" not in response.headers


def test_the_form_can_be_submitted_only_in_the_browser_that_opened_it(entra: Entra):
    page = entra.authorize()
    entra.http.cookies.clear()
    assert entra.submit(page, user=ADA.object_id).status_code == 403
    entra.authorize()
    assert entra.submit(page, user=ADA.object_id).status_code == 403


def test_a_form_that_was_altered_is_refused(entra: Entra):
    entra.authorize()
    response = entra.http.post(f"/{TENANT}/login", data={"flow": "x.y.z.a.b", "user": ADA.object_id})
    assert response.status_code == 403


def test_an_unknown_user_cannot_sign_in(entra: Entra):
    response = entra.submit(entra.authorize(), user="unknown")
    assert response.status_code == 400
    assert "Choose one of the accounts" in response.text


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": "<b>unknown</b>"}, 700016),
        ({"client_id": None}, 900144),
        ({"redirect_uri": f"{CALLBACK}/"}, 50011),
        ({"redirect_uri": CALLBACK.replace("http:", "https:")}, 50011),
        ({"redirect_uri": "https://evil.example/<b>"}, 50011),
        ({"redirect_uri": None}, 900144),
    ],
)
def test_an_unknown_client_or_redirect_uri_gets_an_error_page_and_no_redirect(
    entra: Entra, changes: dict[str, str | None], code: int
):
    response = entra.authorize(**changes)
    assert response.status_code == 400
    assert "location" not in response.headers
    assert f"AADSTS{code}" in response.text
    assert "<b>" not in response.text


def test_a_duplicated_parameter_gets_an_error_page(entra: Entra):
    pairs = [*entra.query().items(), ("redirect_uri", "https://evil.example/")]
    response = entra.http.get(f"/{TENANT}/oauth2/v2.0/authorize", params=httpx.QueryParams(tuple(pairs)))
    assert response.status_code == 400
    assert "AADSTS9000411" in response.text


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"response_type": "token"}, "unsupported_response_type", 700051),
        ({"response_type": None}, "invalid_request", 900144),
        ({"response_mode": "form_post"}, "invalid_request", 70007),
        ({"scope": None}, "invalid_request", 900144),
        ({"scope": "openid mcp"}, "invalid_client", 650053),
        ({"scope": "openid api://unknown/.default"}, "invalid_resource", 500011),
        ({"scope": "api://no-principal/.default"}, "invalid_resource", 500011),
        ({"scope": "api://other/a https://graph.microsoft.com/b"}, "invalid_request", 28000),
        ({"prompt": "maybe"}, "invalid_request", 90023),
        ({"code_challenge": "short"}, "invalid_request", 501491),
        ({"code_challenge_method": "S512"}, "invalid_request", 501491),
        ({"resource": "http://localhost:8000/mcp"}, "invalid_target", 9010010),
    ],
)
def test_other_errors_are_sent_to_the_client(
    entra: Entra, changes: dict[str, str | None], error: str, code: int
):
    answer = answer_of(entra.authorize(**changes))
    assert (answer["error"], answer["state"]) == (error, "st&te=1")
    assert answer["error_description"].startswith(f"AADSTS{code}: ")


def test_a_resource_that_matches_the_scopes_is_accepted(entra: Entra):
    assert entra.authorize(scope="openid api://other/.default", resource="api://other").status_code == 200
