"""A stand-in for the services that publishing calls: deployment service, Resource Manager and Entra.

It serves HTTP on a port of this machine. It is also an HTTPS proxy, which terminates TLS for Azure's host
names with its own certificate authority: a process with `environment()` reaches it at the real URLs.
"""

import json
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from twin.slack.authority import Authority

Answer = tuple[int, Any]
"""Status and body; a body that is not a string is sent as JSON."""

TOKEN = "the-deployers-access-token"
"""The access token that Entra, managed identities and the Azure CLI return."""

WORKFLOW_TOKEN = "the-workflows-id-token"
"""The token that a workflow's identity provider returns."""

_LOGIN = "login.microsoftonline.com"
_HOSTS = (_LOGIN, "management.azure.com", "*.scm.azurewebsites.net")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request that the stand-in received."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.url).query).items()}

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


class AzureStandIn:
    """Answers requests about a deployment from a script; the last answer of each kind is repeated.

    Args:
        app_id: resource ID of the Function App.
        upload: responses to an upload.
        deployment: responses to reads of a deployment.
        log: responses to reads of a deployment's log.
        details: responses to reads of the details of a log entry.
        functions: responses to reads of the app's functions.
    """

    def __init__(
        self,
        app_id: str = "",
        *,
        upload: tuple[Answer, ...] = ((202, '"d1"'),),
        deployment: tuple[Answer, ...] = ((200, {"status": 4}),),
        log: tuple[Answer, ...] = ((200, []),),
        details: tuple[Answer, ...] = ((200, []),),
        functions: tuple[Answer, ...] = ((200, {"value": [{"name": "app/hello_mcp"}]}),),
    ) -> None:
        self.app_id = app_id
        self.requests: list[Request] = []
        self.answers = {
            "upload": list(upload),
            "deployment": list(deployment),
            "log": list(log),
            "details": list(details),
            "functions": list(functions),
        }
        self._authority = Authority(_HOSTS)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, self._authority.server))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> "AzureStandIn":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Its URL, without TLS."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def environment(self, folder: Path) -> dict[str, str]:
        """Environment variables with which a process reaches it at Azure's URLs.

        Args:
            folder: the folder for the certificate that the process must trust.
        """
        certificate = folder / "authority.pem"
        certificate.write_bytes(self._authority.certificate)
        return {
            "HTTPS_PROXY": self.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "REQUESTS_CA_BUNDLE": str(certificate),
        }

    def requests_to(self, path: str) -> list[Request]:
        """The requests whose path ends with `path`."""
        return [request for request in self.requests if request.path.endswith(path)]

    def answer(self, request: Request) -> Answer:
        """The answer to a request."""
        self.requests.append(request)
        path = request.path
        if (identity := _identity(path)) is not None:
            return 200, identity
        if path == f"{self.app_id}/functions":
            return self._next("functions")
        if request.method == "POST" and path == "/api/publish":
            return self._next("upload")
        if request.method == "GET" and path.startswith("/api/deployments/"):
            return self._next(("deployment", "log", "details")[min(path.count("/") - 3, 2)])
        return 404, f"the stand-in has no response to {request.method} {path}"

    def _next(self, kind: str) -> Answer:
        answers = self.answers[kind]
        return answers.pop(0) if len(answers) > 1 else answers[0]


def _identity(path: str) -> dict[str, Any] | None:
    """The response of a token issuer: Entra, a managed identity's endpoint or a workflow's provider."""
    tenant = path.split("/")[1]
    if path.endswith("/discovery/instance"):
        alias = {"preferred_network": _LOGIN, "preferred_cache": _LOGIN, "aliases": [_LOGIN]}
        return {
            "tenant_discovery_endpoint": f"https://{_LOGIN}/{tenant}/v2.0/.well-known/openid-configuration",
            "metadata": [alias],
        }
    if path.endswith("/openid-configuration"):
        return {
            "issuer": f"https://{_LOGIN}/{tenant}/v2.0",
            "authorization_endpoint": f"https://{_LOGIN}/{tenant}/oauth2/v2.0/authorize",
            "token_endpoint": f"https://{_LOGIN}/{tenant}/oauth2/v2.0/token",
        }
    if path.endswith("/oauth2/v2.0/token"):
        return {"token_type": "Bearer", "expires_in": 3600, "access_token": TOKEN}
    if path == "/msi/token":
        return {"access_token": TOKEN, "expires_on": "4102444800", "resource": "r", "token_type": "Bearer"}
    return {"value": WORKFLOW_TOKEN} if path == "/workflow/token" else None


def azure_cli(folder: Path) -> Path:
    """A folder for PATH with an `az` that is signed in and writes its arguments into `az.txt` there."""
    folder.mkdir(exist_ok=True)
    answer = json.dumps(
        {
            "accessToken": TOKEN,
            "expiresOn": "2099-01-01 00:00:00.000000",
            "expires_on": 4070908800,
            "subscription": "s",
            "tenant": "t",
            "tokenType": "Bearer",
        }
    )
    program = folder / "az"
    program.write_text(f"#!/bin/sh\necho \"$@\" >> '{folder}/az.txt'\necho '{answer}'\n")
    program.chmod(0o755)
    return folder


def _handler(azure: AzureStandIn, tls: ssl.SSLContext) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def do_CONNECT(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self.wfile.flush()
            self.connection = tls.wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb")
            self.close_connection = False

        def finish(self) -> None:
            super().finish()
            self.connection.close()

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = azure.answer(
                Request(method=self.command, url=self.path, headers=dict(self.headers), body=body)
            )
            content = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

        do_POST = do_GET  # noqa: N815 - the name in the base class

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            """Logs nothing."""

    return Handler
