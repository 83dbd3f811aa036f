"""The credentials of the demo: those of its user for Foundry, and those of an agent for the gateway."""

import os
from collections.abc import Mapping

from azure.core.credentials import TokenCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    ChainedTokenCredential,
    CredentialUnavailableError,
    DefaultAzureCredential,
    EnvironmentCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from agent_demo.error import AgentError

_NO_AGENT = (
    "The demo has no agent identity. The gateway's servers accept managed identities and service "
    "principals, not your own account. Run the demo on Azure with a managed identity, or set "
    "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET of a service principal in .env. Add the "
    "identity to the stack's setting `agents`; docs/agents.md shows how."
)


def sign_in(environment: Mapping[str, str]) -> tuple[TokenCredential, "AgentIdentity"]:
    """The credentials for Foundry and for the gateway.

    Args:
        environment: variables with which `azure-identity` signs in.
    """
    # azure-identity reads only the environment of the process.
    os.environ.update(environment)
    return DefaultAzureCredential(), AgentIdentity(_agent_credential(environment))


def _agent_credential(environment: Mapping[str, str]) -> TokenCredential:
    """The credential of a service principal in the environment, a workload identity or a managed identity.

    A user's credential is never used, because the gateway does not accept users as agents.
    """
    chain: list[TokenCredential] = [EnvironmentCredential()]
    if environment.get("AZURE_FEDERATED_TOKEN_FILE"):
        chain.append(WorkloadIdentityCredential())
    chain.append(ManagedIdentityCredential(client_id=environment.get("AZURE_CLIENT_ID")))
    return ChainedTokenCredential(*chain)


class AgentIdentity:
    """The identity with which the demo calls the gateway's servers.

    Args:
        credential: the credential of a managed identity or service principal.
    """

    def __init__(self, credential: TokenCredential) -> None:
        self._credential = credential

    def token(self, scope: str) -> str:
        """An access token for the gateway; `azure-identity` caches it until it expires.

        Raises:
            AgentError: the demo has no agent identity, or Entra issues no token.
        """
        try:
            return self._credential.get_token(scope).token
        except CredentialUnavailableError:
            raise AgentError(_NO_AGENT) from None
        except ClientAuthenticationError as error:
            # The message begins with the reason. The results of each credential in the chain follow.
            reason = " ".join(error.message.split())[:400]
            raise AgentError(
                f"Entra issues no token for the gateway to the agent ({scope}): {reason}\nCheck the agent's "
                "credentials, and its roles in the setting `agents`."
            ) from None
