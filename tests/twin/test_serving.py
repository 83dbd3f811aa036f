"""Servers in the twin's event loop."""

from starlette.applications import Starlette

from twin.serving import AsgiServer


def test_a_connection_is_kept_for_longer_than_programs_in_go_reuse_it() -> None:
    """Go's HTTP client reuses an idle connection for at most 90 seconds."""
    server = AsgiServer("stand-in", Starlette(), 0)
    assert server._server.config.timeout_keep_alive > 90
