"""The certificate authorities that HTTP clients trust, read once for all clients of a test process.

Each client of httpx and httpx2 would read them again, which takes 30 to 40 ms. No test calls a server with
a certificate of a public authority; tests with their own authority pass it explicitly and use a separate
context.
"""

import functools
import os
import ssl
from typing import Any, cast

import certifi
import httpcore2


def read_once() -> None:
    """Lets all clients that trust the default authorities share one TLS context."""
    os.environ.setdefault("SSL_CERT_FILE", certifi.where())
    default = os.environ["SSL_CERT_FILE"]
    create = ssl.create_default_context
    shared = functools.cache(lambda: create(cafile=default))

    def create_default_context(
        purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH,
        *,
        cafile: str | None = None,
        capath: str | None = None,
        cadata: str | bytes | None = None,
    ) -> ssl.SSLContext:
        if purpose is ssl.Purpose.SERVER_AUTH and cafile == default and capath is None and cadata is None:
            return shared()
        return create(purpose, cafile=cafile, capath=capath, cadata=cadata)

    ssl.create_default_context = cast("Any", create_default_context)
    # Clients that ignore the environment; it creates its context without the function above.
    httpcore2.default_ssl_context = cast("Any", lambda **_options: shared())
