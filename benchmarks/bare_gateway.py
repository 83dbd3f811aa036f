"""The twin's gateway with a policy that does the work of the passthrough.

The policy verifies a JWT and forwards the request. The difference to the passthrough is the cost of the HTTP
server, the HTTP client and the policy engine; the difference to the twin is the cost of the policies of the
dev stack.

`python -m benchmarks.bare_gateway --port PORT --backend URL --key KEY`
"""

import argparse
import asyncio
import base64
import gc

import uvloop

from apim.gateway import Gateway
from apim.http.network import HttpNetwork
from apim.http.server import HttpServer
from apim.service import Api, Operation, PolicyDocument, Service
from benchmarks.passthrough import AUDIENCE, ISSUER
from twin.clock import Clock

_POLICY = """\
<policies>
  <inbound>
    <validate-jwt header-name="Authorization" require-scheme="Bearer">
      <issuer-signing-keys><key>{key}</key></issuer-signing-keys>
      <audiences><audience>{audience}</audience></audiences>
      <issuers><issuer>{issuer}</issuer></issuers>
    </validate-jwt>
    <set-header name="Authorization" exists-action="delete" />
  </inbound>
  <backend><forward-request /></backend>
  <outbound />
  <on-error />
</policies>
"""


class _NoIdentity:
    """The service has no managed identity."""

    async def token(self, *, resource: str, client_id: str | None) -> str:
        raise LookupError(f"there is no managed identity for {resource} ({client_id})")


def service(backend: str, key: str) -> Service:
    """An API at /mcp; tokens are signed with `key` (HS256)."""
    secret = base64.b64encode(key.encode()).decode()
    xml = _POLICY.format(key=secret, audience=AUDIENCE, issuer=ISSUER)
    operations = tuple(
        Operation(id=method.lower(), name=method, method=method, url_template="/")
        for method in ("GET", "POST")
    )
    api = Api(
        id="mcp",
        name="MCP",
        path="mcp",
        service_url=backend,
        operations=operations,
        policy=PolicyDocument(xml=xml, name="benchmark"),
    )
    return Service(name="benchmark", gateway_url="http://localhost", apis=(api,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--backend", required=True)
    parser.add_argument("--key", required=True)
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(service(arguments.backend, arguments.key), arguments.port))


async def _serve(served: Service, port: int) -> None:
    gateway = Gateway(served, network=HttpNetwork(), identity=_NoIdentity(), clock=Clock())
    await HttpServer(gateway).start(port)
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)  # as in the twin
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    main()
