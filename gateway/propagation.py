"""Repeats requests that Azure refuses until a new role assignment has taken effect.

A role assignment takes effect within minutes of its creation, not immediately. API Management and Container
Apps read a secret when a resource refers to it, and refuse the resource until its identity may read it.
https://learn.microsoft.com/azure/role-based-access-control/troubleshooting

Most of that time passes while API Management is created. If Azure still refuses a request after that,
Pulumi calls an error hook, which waits and makes Pulumi repeat the creation or update. There is no wait if
Azure accepts the first request, in a preview, or for any other error.
https://www.pulumi.com/docs/iac/concepts/resources/options/hooks/
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable

import pulumi

FIRST_WAIT = 10.0
"""Seconds until the first repetition; each later one takes twice as long."""

_LONGEST_WAIT = 60.0
_TIMEOUT = 900.0  # seconds; Azure's documentation says ten minutes

# Errors of API Management, Container Apps and Key Vault while an identity cannot read a secret. Container
# Apps: https://github.com/microsoft/azure-container-apps/issues/1159. Key Vault:
# https://github.com/Azure/terraform-azurerm-avm-res-keyvault-vault/issues/78. API Management is known to
# return this error for certificates of host names; no source was found for named values.
_UNREADABLE = re.compile(
    r"Failed to access KeyVault secret|Unable to get value using Managed identity|ForbiddenByRbac",
    re.IGNORECASE,
)


class Propagation:
    """Waits until one resource is allowed to read its secrets.

    Args:
        sleep: waits for some seconds.
        now: returns the seconds of a monotonic clock.
        report: is called with each line of progress for the deployer.
    """

    def __init__(
        self,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
        report: Callable[[str], object] = pulumi.log.info,
    ) -> None:
        self._sleep = sleep
        self._now = now
        self._report = report
        self._deadline: float | None = None
        self._wait = FIRST_WAIT

    async def retry(self, failure: pulumi.ErrorHookArgs) -> bool:
        """Waits, and returns whether the failed step is to be repeated.

        Args:
            failure: the resource and the errors, newest first.
        """
        if failure.failed_operation == "delete" or not _UNREADABLE.search(failure.errors[0]):
            return False
        if self._deadline is None:
            self._deadline = self._now() + _TIMEOUT
        if self._now() + self._wait > self._deadline:
            self._report(
                f"{failure.name}: after {_TIMEOUT / 60:.0f} minutes its identity still cannot read the "
                "secret. Check that the identity has the role Key Vault Secrets User on the secret (az role "
                "assignment list --scope <resource id of the secret>) and that the vault's firewall, if it "
                "has one, admits trusted Microsoft services. Then run `pulumi up` again."
            )
            return False
        self._report(
            f"{failure.name}: its identity cannot read the secret yet; a new role assignment takes up to ten "
            f"minutes. Trying again in {self._wait:.0f} seconds."
        )
        await self._sleep(self._wait)
        self._wait = min(2 * self._wait, _LONGEST_WAIT)
        return True


def retries(name: str) -> pulumi.ResourceHookBinding:
    """The hook of a resource that Azure refuses while its identity cannot read a secret.

    Args:
        name: logical name of the resource, unique in the program.
    """
    return pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook(f"{name}-propagation", Propagation().retry)])
