"""A stand-in for the hosts that a publication calls: Entra, Resource Manager and the deployment service.

The dynamic provider runs unchanged in a separate process. With `HTTPS_PROXY` and `REQUESTS_CA_BUNDLE`, it
sends requests for these hosts to a proxy, and trusts the proxy's certificate authority.
https://learn.microsoft.com/azure/azure-functions/functions-deployment-technologies#one-deploy
"""

import ast
import io
import json
import re
import secrets
import ssl
import threading
import zipfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.engine import certificates
from tests.engine.azure import Azure
from tests.engine.record import Call
from tests.engine.refusals import Existing

CLIENT_SECRET = "canary-arm-client-secret"
"""The password with which the deployer signs in; it must not appear anywhere."""

_ENTRA = "login.microsoftonline.com"
_ARM = "management.azure.com"
_SCM = ".scm.azurewebsites.net"
_BLOB_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"

_SUCCEEDED, _FAILED = 4, 3


@dataclass(slots=True, kw_only=True)
class DeploymentService:
    """The published packages, and the faults of the service.

    Attributes:
        azure: the account with the apps.
        unpropagated: how many deployments still fail because role assignments have not propagated.
        broken: message with which every build fails, or None.
        packages: the names of the files of each package that was deployed, by the app's name.
        functions: the functions that each app has loaded, by the app's id in lower case.
    """

    azure: Azure
    unpropagated: int = 0
    broken: str | None = None
    packages: dict[str, list[frozenset[str]]] = field(default_factory=dict)
    functions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    _deployments: dict[str, tuple[int, str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, host: str, method: str, target: str, headers: Any, body: bytes) -> "Answer":
        """The answer to one request."""
        path = urlsplit(target).path
        if host == _ENTRA:
            return self._entra(path, body)
        if headers.get("Authorization") != f"Bearer {self._token}":
            return Answer(HTTPStatus.UNAUTHORIZED, {"error": {"code": "AuthenticationFailed"}})
        if host == _ARM:
            return self._functions(path)
        return self._deployment_service(host.removesuffix(_SCM), method, path, body)

    def _entra(self, path: str, body: bytes) -> "Answer":
        if path.endswith("/.well-known/openid-configuration"):
            authority = f"https://{_ENTRA}/{path.split('/')[1]}"
            return Answer(
                HTTPStatus.OK,
                {
                    "issuer": f"{authority}/v2.0",
                    "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{authority}/oauth2/v2.0/token",
                },
            )
        form = parse_qs(body.decode())
        if form.get("client_secret") != [CLIENT_SECRET]:
            return Answer(HTTPStatus.UNAUTHORIZED, {"error": "invalid_client"})
        return Answer(
            HTTPStatus.OK, {"token_type": "Bearer", "expires_in": 3600, "access_token": self._token}
        )

    def _functions(self, path: str) -> "Answer":
        app = path.removesuffix("/functions").lower()
        if app not in self.azure.resources:
            return Answer(HTTPStatus.NOT_FOUND, {"error": {"code": "ResourceNotFound"}})
        name = app.rpartition("/")[2]
        names = self.functions.get(app, ())
        return Answer(HTTPStatus.OK, {"value": [{"name": f"{name}/{function}"} for function in names]})

    def _deployment_service(self, name: str, method: str, path: str, body: bytes) -> "Answer":
        app = next(
            (resource for resource in self.azure.of_type("web:WebApp") if resource.id.endswith(f"/{name}")),
            None,
        )
        if app is None:
            return Answer(HTTPStatus.NOT_FOUND, {})
        if method == "POST" and path == "/api/publish":
            return Answer(HTTPStatus.ACCEPTED, self._publish(app, body))
        match = re.fullmatch(r"/api/deployments/([0-9a-z]+)(/log)?", path)
        if match is None or match[1] not in self._deployments:
            return Answer(HTTPStatus.NOT_FOUND, {})
        status, message = self._deployments[match[1]]
        log = [{"log_time": "2026-11-01T00:00:00Z", "message": message, "type": 0}]
        return Answer(HTTPStatus.OK, log if match[2] else {"id": match[1], "status": status})

    def _publish(self, app: Existing, body: bytes) -> str:
        """Accepts a package and returns the id of its deployment."""
        call = Call(kind="upload", preview=False, urn=app.urn, id=app.id)
        with self.azure.record.of(call), self._lock:
            identifier = f"d{len(self._deployments) + 1}"
            call.error = self._problem(app)
            self._deployments[identifier] = (_FAILED, call.error) if call.error else (_SUCCEEDED, "Done.")
            if not call.error:
                package = zipfile.ZipFile(io.BytesIO(body))
                self.packages.setdefault(app.id.rpartition("/")[2], []).append(frozenset(package.namelist()))
                self.functions[app.id.lower()] = tuple(_loaded(package))
        return identifier

    def _problem(self, app: Existing) -> str:
        """Why a deployment fails, or an empty string."""
        if self.broken:
            return self.broken
        if self.unpropagated > 0:
            self.unpropagated -= 1
            return "InaccessibleStorageException: BlobUploadFailedException: status code 403 (Forbidden)."
        storage = app.inputs["functionAppConfig"]["deployment"]["storage"]
        account = urlsplit(storage["value"]).hostname.partition(".")[0]
        identity = self.azure.read(storage["authentication"]["userAssignedIdentityResourceId"])
        for role in self.azure.of_type("authorization:RoleAssignment"):
            if (
                identity is not None
                and role.inputs["roleDefinitionId"].endswith(_BLOB_OWNER)
                and role.inputs["scope"].endswith(f"/{account}")
                and role.inputs["principalId"] == identity.outputs["principalId"]
            ):
                return ""
        return "InaccessibleStorageException: the app's identity has no role on the storage account (403)."


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response with a JSON body."""

    status: HTTPStatus
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """The address of the stand-in.

    Attributes:
        url: the HTTPS proxy.
        authority: file with the certificate authority to trust.
    """

    url: str
    authority: Path


@contextmanager
def serve(service: DeploymentService, folder: Path) -> Generator[Proxy]:
    """Serves the stand-in on this machine; certificates go into the folder."""
    issued = certificates.issue(folder, (_ENTRA, _ARM, f"*{_SCM}"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.server)

    class Handler(_Handler):
        tls = context
        answers = service

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Proxy(url=f"http://127.0.0.1:{server.server_address[1]}", authority=issued.authority)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Accepts CONNECT, terminates TLS and answers the requests in the tunnel."""

    protocol_version = "HTTP/1.1"
    tls: ssl.SSLContext
    answers: DeploymentService
    _host = ""

    def do_CONNECT(self) -> None:
        self._host = self.path.partition(":")[0]
        self.send_response(HTTPStatus.OK)
        self.end_headers()
        self.connection = self.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
        self.close_connection = False

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def finish(self) -> None:
        """Also closes the connection inside the tunnel, which the server does not manage."""
        super().finish()
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Prints nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.answers.answer(self._host, self.command, self.path, self.headers, body)
        content = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()


def _loaded(package: zipfile.ZipFile) -> Iterator[str]:
    """The functions that the Functions host finds: those with a decorator of the app."""
    tree = ast.parse(package.read("function_app.py"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and any(
            ast.unparse(decorator).startswith("app.") for decorator in node.decorator_list
        ):
            yield node.name
