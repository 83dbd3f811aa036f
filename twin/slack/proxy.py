"""A TLS-terminating proxy to the stand-in, for programs with the fixed address `https://slack.com`.

Two environment variables redirect `slack-mcp-server`: `SLACK_MCP_PROXY`, the proxy to which it sends `CONNECT
slack.com:443`, and `SLACK_MCP_SERVER_CA`, a file with the certificate authorities that it trusts.
"""

import asyncio
import contextlib
import logging

from twin.ports import LOOPBACK
from twin.slack.authority import Authority

_log = logging.getLogger(__name__)

HOSTS = ("slack.com", "*.slack.com")
"""The host names that the proxy accepts."""

_TLS_PORT = "443"
_LINE_LIMIT = 8192
_CHUNK = 65_536


class TlsProxy:
    """Accepts `CONNECT` for Slack's host names and passes the decrypted data to the stand-in.

    Args:
        port: its port on 127.0.0.1.
        target: the stand-in's port on 127.0.0.1.
    """

    def __init__(self, *, port: int, target: int) -> None:
        self.authority = Authority(HOSTS)
        self._port = port
        self._target = target
        self._server: asyncio.Server | None = None
        self._tunnels: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Starts listening.

        Raises:
            OSError: the port is taken.
        """
        self._server = await asyncio.start_server(self._accept, LOOPBACK, self._port, limit=_LINE_LIMIT)

    async def stop(self) -> None:
        """Stops listening and closes every tunnel; has no effect if it was not started."""
        if self._server is None:
            return
        self._server.close()
        for tunnel in self._tunnels:
            tunnel.cancel()
        if self._tunnels:
            await asyncio.wait(self._tunnels)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tunnels.add(task)
            task.add_done_callback(self._tunnels.discard)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            _log.info("a tunnel to Slack's stand-in was interrupted: %s", error)
        except asyncio.CancelledError:
            # Cancelled by `stop`; this is not an error.
            return
        finally:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, _, rest = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
        target = rest.partition(" ")[0]
        if method != "CONNECT":
            await _send_error(writer, "405 Method Not Allowed", "this proxy supports only CONNECT")
        elif not _is_slack(target):
            await _send_error(
                writer, "403 Forbidden", f"this proxy connects only to slack.com, not to {target}"
            )
        else:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.start_tls(self.authority.server)
            await self._tunnel(reader, writer)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(LOOPBACK, self._target)
        try:
            pumps = {
                asyncio.create_task(_pump(reader, inner_writer)),
                asyncio.create_task(_pump(inner_reader, writer)),
            }
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.wait(pumps)
        finally:
            inner_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies data until either side closes the connection."""
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()


async def _send_error(writer: asyncio.StreamWriter, status: str, reason: str) -> None:
    body = f"{reason}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
    await writer.drain()


def _is_slack(target: str) -> bool:
    host, _, port = target.lower().rpartition(":")
    return port == _TLS_PORT and (host == "slack.com" or host.endswith(".slack.com"))
