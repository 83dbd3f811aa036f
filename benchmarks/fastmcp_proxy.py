"""FastMCP's proxy in front of the same backend.

It imports nothing from this project and runs in its own environment: `uv run --no-project --with
fastmcp==... python benchmarks/fastmcp_proxy.py --port PORT --backend URL --key KEY`.
"""

import argparse

from fastmcp.server import create_proxy  # ty: ignore[import-not-found] -- in its own environment
from fastmcp.server.auth.providers.jwt import JWTVerifier  # ty: ignore[import-not-found] -- the same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--backend", required=True)
    parser.add_argument("--key", required=True)
    arguments = parser.parse_args()
    verifier = JWTVerifier(
        public_key=arguments.key,
        algorithm="HS256",
        issuer="http://localhost",
        audience="http://localhost/mcp",
    )
    create_proxy(arguments.backend, name="proxy", auth=verifier).run(
        transport="http",
        host="127.0.0.1",
        port=arguments.port,
        path="/mcp",
        stateless_http=True,
        json_response=True,
        show_banner=False,
        log_level="error",
        uvicorn_config={"access_log": False},
    )


if __name__ == "__main__":
    main()
