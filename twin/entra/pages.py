"""Renders the web pages of the stand-in from the templates in `pages/`."""

import base64
import hashlib
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from twin.entra.authorization import AuthorizationRequest
from twin.entra.directory import Directory, User
from twin.entra.errors import EntraError

_FOLDER = Path(__file__).with_name("pages")
_STYLE = (_FOLDER / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_TEMPLATES = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined)
_TRUSTED_STYLE = Markup(_STYLE)  # noqa: S704 - our own file; the CSP admits exactly its hash

# Without `form-action`, because Chromium also applies it to the redirects after the submission of a form.
# Here these lead through the gateway to redirect URIs of clients, which the stand-in does not know.
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"
)


def sign_in_page(
    request: AuthorizationRequest,
    directory: Directory,
    *,
    flow: str,
    hinted: User | None = None,
    problem: str | None = None,
    status: int = 200,
) -> HTMLResponse:
    """The sign-in page, on which one of the test users is chosen.

    Args:
        request: the authorization request.
        directory: the directory with the users.
        flow: the encrypted request, which the form contains.
        hinted: the user in `login_hint`, whose button has the focus.
        problem: the error of the previous attempt, if there was one.
        status: the HTTP status.
    """
    target = urlsplit(request.redirect_uri)
    return _page(
        "sign_in.html",
        directory,
        status,
        application=request.client_name,
        action=f"/{directory.tenant_id}/login",
        flow=flow,
        users=directory.users,
        hinted=hinted.object_id if hinted else None,
        scopes=request.scopes,
        destination=f"{target.scheme}://{target.netloc}",
        problem=problem,
    )


def error_page(error: EntraError, directory: Directory) -> HTMLResponse:
    """The page for an error that must not be sent to the client, because the client is not known."""
    return _page("error.html", directory, error.status, error=error)


def signed_out_page(directory: Directory) -> HTMLResponse:
    """The page after signing out."""
    return _page("signed_out.html", directory, 200)


def _page(template: str, directory: Directory, status: int, **values: object) -> HTMLResponse:
    html = _TEMPLATES.get_template(template).render(
        style=_TRUSTED_STYLE, tenant=directory.tenant_id, **values
    )
    return HTMLResponse(html, status_code=status)
