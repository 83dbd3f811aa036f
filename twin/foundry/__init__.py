"""A stand-in for the agent service of Microsoft Foundry: a project with agents, connections and responses.

It implements the wire protocol that `azure-ai-projects` and `openai` use, and calls MCP tools itself, as
Foundry does. It has no model: a few rules choose the tools, and every response states this.
"""

from collections.abc import Mapping

from twin.foundry.project import PATH, project_id
from twin.stand_in import HostedArgs, HostedRegistration, HostedStandIn


def _create(args: HostedArgs) -> HostedStandIn:
    from twin.foundry.service import FoundryStandIn  # noqa: PLC0415 -- only a twin that runs it needs it

    return FoundryStandIn(args)


def _settings(url: str, subscription: str) -> Mapping[str, str]:
    return {"foundryProject": project_id(subscription), "foundryEndpoint": f"{url}{PATH}"}


STAND_IN = HostedRegistration(
    service="foundry",
    title="Foundry",
    settings=_settings,
    create=_create,
)
