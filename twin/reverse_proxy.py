"""Passes HTTP requests to a process on this machine."""

from apim.failure import SendError
from apim.hop_by_hop import end_to_end
from apim.http.connections import Connections, NoResponseError, Outgoing, Server
from apim.http.network import reply_of
from apim.messages import InboundRequest
from apim.network import Reply
from twin.ports import Address


class ReverseProxy:
    """Sends requests to processes on this machine, and streams bodies in both directions."""

    def __init__(self) -> None:
        # Each request has a new connection, so that the idle timeout of the server has no effect.
        self._connections = Connections(kept_for=0)

    async def send(self, address: Address, request: InboundRequest) -> Reply:
        """Sends a request to a process and waits for the head of the response.

        Raises:
            SendError: the process sent no valid response.
        """
        headers = [
            (name, value)
            for name, value in end_to_end(list(request.headers))
            if name.lower() != "x-forwarded-proto"
        ]
        outgoing = Outgoing(
            method=request.method,
            target=f"{request.path}?{request.query}" if request.query else request.path,
            host=request.host,
            # In Azure, callers use TLS, which is terminated at the ingress.
            headers=[*headers, ("X-Forwarded-Proto", "https")],
            body=request.body,
        )
        server = Server(secure=False, host=address.host, port=address.port)
        try:
            reply = reply_of(await self._connections.request(server, outgoing))
        except NoResponseError as error:
            raise SendError(f"no response: {error}") from error
        reply.headers = end_to_end(reply.headers)
        return reply

    async def close(self) -> None:
        """Closes every connection."""
        await self._connections.close()
