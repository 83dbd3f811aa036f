"""The command line of the host.

The app settings are environment variables of this process, as in Azure.
"""

import gc
import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from twin.builtin_auth import BuiltInAuth, TokenCheck
from twin.clock import Clock
from twin.functions.app import FunctionsApp
from twin.functions.client_state import ClientState
from twin.functions.host import functions_host
from twin.functions.settings import HostError
from twin.ports import LOOPBACK
from twin.shared_readings import SharedReadings

STATE_KEY = "WEBSITE_AUTH_ENCRYPTION_KEY"
"""The app setting, as in App Service, with the key that encrypts session ids: 64 hexadecimal digits."""


def run(
    *,
    port: Annotated[int, typer.Option(help="Port on which the host listens.")],
    app: Annotated[Path, typer.Option(help="Folder with function_app.py and host.json.")],
    host: Annotated[str, typer.Option(help="IP address at which the host listens.")] = LOOPBACK,
    issuer: Annotated[str, typer.Option(help="`iss` of the tokens that are accepted.")] = "",
    jwks_url: Annotated[str, typer.Option(help="URL of the issuer's keys.")] = "",
    audience: Annotated[list[str] | None, typer.Option(help="Allowed `aud`; can be repeated.")] = None,
    allowed_identity: Annotated[
        list[str] | None, typer.Option(help="Allowed `oid`; can be repeated.")
    ] = None,
    allowed_application: Annotated[
        list[str] | None, typer.Option(help="Allowed `azp`; can be repeated. By default any.")
    ] = None,
    without_auth: Annotated[
        bool, typer.Option(help="Admit every caller, as a stack without built-in authentication does.")
    ] = False,
    clock: Annotated[
        Path | None, typer.Option(help="File of the clock that the twin's processes share.")
    ] = None,
    readings: Annotated[
        Path | None, typer.Option(help="File of the readings that the twin's processes share.")
    ] = None,
) -> None:
    """Serves a function app's MCP tools on this machine."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for name in ("azure", "mcp", "sse_starlette"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        check = None
        if not without_auth:
            auth = BuiltInAuth(
                issuer=issuer,
                jwks_url=jwks_url,
                audiences=frozenset(audience or ()),
                identities=frozenset(allowed_identity or ()),
                applications=frozenset(allowed_application or ()),
            )
            check = TokenCheck(auth, clock=Clock(clock))
        loaded = FunctionsApp.load(app)
    except (HostError, ValueError) as error:
        sys.exit(f"error: {error}")
    key = os.environ.get(STATE_KEY)
    application = functions_host(
        loaded,
        check=check,
        state=ClientState(bytes.fromhex(key)) if key else ClientState(),
        readings=SharedReadings(readings),
    )
    gc.freeze()
    gc.enable()
    uvicorn.run(
        application,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        # The largest size of the headers. The default of h11, 16 KiB, is less than what the gateway may send.
        h11_max_incomplete_event_size=64 * 1024,
        # Event streams do not end by themselves.
        timeout_graceful_shutdown=1,
    )
