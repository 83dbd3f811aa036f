"""The diagnostic that a stack deploys with a template of Azure Resource Manager."""

from typing import Any

from twin.stack import Stack


def deployed_diagnostic(stack: Stack) -> dict[str, Any]:
    """The properties of the diagnostic `azuremonitor`."""
    template = stack.one("resources:Deployment").inputs["properties"]["template"]
    (diagnostic,) = (
        resource
        for resource in template["resources"]
        if resource["type"] == "Microsoft.ApiManagement/service/diagnostics"
    )
    return dict(diagnostic["properties"])
