"""`python -m twin restart`: restarts an MCP server of a running twin."""

import http.client
import json
from urllib.parse import quote

from twin.ports import LOOPBACK, Ports

_TIMEOUT = 120.0
"""The timeout in seconds; a server may take up to a minute to become ready."""


class NotRestartedError(Exception):
    """The server was not restarted, or is not ready; the message has the reason and the remedy."""


def restart(name: str, port: int) -> None:
    """Restarts a server, waits until it is ready, and prints this.

    Args:
        name: name of the server or of its backend.
        port: port of the twin's gateway.

    Raises:
        NotRestartedError: the server was not restarted, or is not ready.
    """
    connection = http.client.HTTPConnection(LOOPBACK, Ports(port).control, timeout=_TIMEOUT)
    try:
        connection.request("POST", f"/servers/{quote(name, safe='')}/restart")
        answer = connection.getresponse()
        content = json.loads(answer.read())
    except ConnectionRefusedError:
        raise NotRestartedError(
            f"No twin is running on port {port}. Start it with `make up`, or pass the port of the running "
            f"twin: python -m twin restart {name} --port 9000"
        ) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise NotRestartedError(f"The twin on port {port} did not respond: {error}") from None
    finally:
        connection.close()
    if "error" in content:
        raise NotRestartedError(content["error"])
    failed = [server for server in content["servers"] if server["state"] != "ready"]
    for server in content["servers"]:
        if server not in failed:
            print(f"{server['name']} is ready.")  # noqa: T201 - the command's output
    if failed:
        reasons = "\n".join(server.get("problem") or f"{server['name']} is not ready" for server in failed)
        raise NotRestartedError(f"{reasons}\nThe twin's console shows the last lines of its output.")
