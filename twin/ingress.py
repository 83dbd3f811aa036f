"""The ingress of an app: its built-in authentication, and a reverse proxy to its process."""

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from apim.failure import SendError
from apim.http.server import HttpServer
from apim.messages import InboundRequest, OutboundResponse
from apim.network import Reply
from twin.builtin_auth import DENIED, RejectedCaller, TokenCheck, rejection_headers, with_principal
from twin.notices import Notice, Notify
from twin.ports import Address
from twin.reverse_proxy import ReverseProxy

_REJECTED_HOST = re.compile(
    rb"(invalid|forbidden|disallowed|unknown|unrecognized|not allowed)[^\n]{0,40}\bhost"
    rb"|\bhost\b[^\n]{0,60}(invalid|forbidden|disallowed|not allowed|not permitted)",
    re.IGNORECASE,
)
_MAX_ERROR_BODY = 4096
_FORBIDDEN, _MISDIRECTED = 403, 421


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The reason why a server accepts no requests at the moment.

    Attributes:
        reason: a sentence for callers; it contains nothing from the log of the server.
        retry_after: number of seconds after which a caller should retry; None if a retry does not help.
    """

    reason: str
    retry_after: int | None = None


class Ingress:
    """Receives requests on a port and passes them to the process of a server.

    Args:
        name: name of the server, for messages.
        host: host name of the server in Azure, which the process receives as the host of requests.
        check: authenticates callers; None to admit every caller.
        target: returns the address of the process, or the reason why it accepts no requests.
        passes_token: returns whether the process receives the token of an admitted caller.
        notify: called with an explanation if the process rejects its host name.
    """

    def __init__(
        self,
        name: str,
        host: str,
        *,
        check: TokenCheck | None,
        target: Callable[[], Address | Unavailable],
        passes_token: Callable[[], bool] = lambda: True,
        notify: Notify,
    ) -> None:
        self._name, self._host = name, host
        self._check = check
        self._target = target
        self._passes_token = passes_token
        self._notify = notify
        self._proxy = ReverseProxy()
        self._server = HttpServer(self, product=None)
        self._notified: Address | None = None

    async def start(self, port: int) -> None:
        """Starts listening.

        Raises:
            OSError: the port is taken.
        """
        await self._server.start(port)

    async def stop(self) -> None:
        """Stops listening and closes every connection."""
        await self._server.stop()

    async def close(self) -> None:
        """Closes the connections to the process."""
        await self._proxy.close()

    async def handle(self, request: InboundRequest) -> OutboundResponse:
        """Rejects a request, or passes it to the process."""
        if self._check is not None:
            token = next((value for name, value in request.headers if name.lower() == "authorization"), None)
            result = await self._check.authenticate(token)
            if isinstance(result, RejectedCaller):
                headers = [*rejection_headers(result, self._check.settings).items(), _PLAIN_TEXT]
                return OutboundResponse(status=result.status, headers=headers, body=DENIED.encode())
            headers = with_principal(request.headers, result)
            if not self._passes_token():
                headers = [(name, value) for name, value in headers if name.lower() != "authorization"]
            request = replace(request, headers=tuple(headers))
        target = self._target()
        if isinstance(target, Unavailable):
            return _unavailable(target)
        try:
            return await self._response(await self._proxy.send(target, request), target)
        except SendError:
            # If the process has ended in the meantime, the response contains the reason.
            target = self._target()
            if not isinstance(target, Unavailable):
                target = Unavailable(f"{self._name} did not send a valid response.", 1)
            return _unavailable(target)

    async def _response(self, reply: Reply, address: Address) -> OutboundResponse:
        response = OutboundResponse(status=reply.status, reason=reply.reason, headers=reply.headers)
        length = response.header("content-length") or ""
        if reply.status in {_FORBIDDEN, _MISDIRECTED} and length.isdigit() and int(length) <= _MAX_ERROR_BODY:
            with contextlib.closing(reply):
                response.body = b"".join([chunk async for chunk in reply.chunks()])
            self._notify_about_host(reply.status, response.body, address)
            return response
        content = reply.whole()
        if content is not None:
            response.body = content
            reply.close()
            return response
        response.body = reply.chunks()

        async def close() -> None:
            reply.close()

        response.close = close
        return response

    def _notify_about_host(self, status: int, body: bytes, address: Address) -> None:
        """Notifies that the process rejects the host name, once for each start of the process."""
        if self._notified == address or not _REJECTED_HOST.search(body):
            return
        self._notified = address
        name, host = self._name, self._host
        self._notify(
            Notice(
                f"{name} rejected a request with status {status} because of its host name, {host}. Requests "
                "have this host name in Azure too. MCP SDKs accept only localhost when the server listens on "
                "127.0.0.1 (protection against DNS rebinding). Add the host name to those that the server "
                "accepts; the server can compute it from its environment: CONTAINER_APP_NAME without hyphens "
                "and with the suffix public, then a dot and CONTAINER_APP_ENV_DNS_SUFFIX:\n"
                "  Python SDK: TransportSecuritySettings(allowed_hosts=[...])\n"
                "  TypeScript SDK: createMcpExpressApp({ allowedHosts: [...] })\n"
                f"Then restart it: python -m twin restart {name}",
                warning=True,
            )
        )


_PLAIN_TEXT = ("Content-Type", "text/plain; charset=utf-8")


def _unavailable(unavailable: Unavailable) -> OutboundResponse:
    error = {"error": "temporarily_unavailable", "error_description": unavailable.reason}
    headers = [("Content-Type", "application/json")]
    if unavailable.retry_after is not None:
        headers.append(("Retry-After", str(unavailable.retry_after)))
    return OutboundResponse(status=503, headers=headers, body=json.dumps(error).encode())
