"""Creates the stand-ins for the hosted services that a stack uses."""

import json

from twin.clock import Clock
from twin.entra import InvalidTokenError, SigningKeys, TokenVerifier
from twin.identity import Identity
from twin.plan import Plan
from twin.ports import Ports
from twin.stand_in import AgentService, HostedArgs, HostedStandIn
from twin.stand_ins import HOSTED_STAND_INS, hosted_port

_FOUNDRY = "https://ai.azure.com"
"""The audience of tokens for Foundry."""


def create_hosted(
    plan: Plan, ports: Ports, clock: Clock, keys: SigningKeys, agent: Identity
) -> dict[str, HostedStandIn]:
    """Creates the stand-ins that the stack's agents use, by service. It does not start them.

    Args:
        plan: the plan of the twin.
        ports: the ports of the twin.
        clock: the clock of the twin.
        keys: the signing keys of Entra.
        agent: requests tokens for the identity of the agents.
    """
    verifier = TokenVerifier(plan.directory, clock, keys)

    def admits(token: str) -> bool:
        try:
            verifier.verify(token, audience=_FOUNDRY)
        except InvalidTokenError:
            return False
        return True

    async def agent_token(audience: str) -> str:
        return await agent.token(resource=audience, client_id=None)

    identity = plan.agent_identity
    agents = AgentService(
        connections=plan.connections,
        identity=(identity.principal_id, identity.client_id),
        admits=admits,
        token=agent_token,
    )
    used = json.dumps(plan.stack.outputs.get("agentSettings"))
    created: dict[str, HostedStandIn] = {}
    for registration in HOSTED_STAND_INS:
        port = hosted_port(registration, ports)
        if f"http://localhost:{port}/" in used:
            args = HostedArgs(
                port=port, clock=clock, token=plan.tokens.get(registration.service, ""), agents=agents
            )
            created[registration.service] = registration.create(args)
    return created
