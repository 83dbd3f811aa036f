"""https://learn.microsoft.com/azure/api-management/set-backend-service-policy."""

from apim.failure import Failure
from apim.node import Node
from apim.policy import REQUEST, Policy
from apim.run import Run
from apim.shape import Attribute, Shape
from apim.statements import Action

_SERVICE_FABRIC = "the twin does not support Service Fabric"


def _compile(node: Node) -> Action:
    if node.has("base-url") == node.has("backend-id"):
        node.fail("<set-backend-service> needs either base-url or backend-id")
    if node.has("base-url"):
        base_of = node.string("base-url")
        return lambda run: run.set_base(base_of(run.context) or "")
    urls = {backend.id: backend.url for backend in node.settings.backends}
    fixed = node.literal("backend-id")
    if fixed is not None and fixed not in urls:
        node.fail(f"the backend {fixed} is not declared", "backend-id")
    id_of = node.string("backend-id")

    def set_backend_service(run: Run) -> None:
        backend = id_of(run.context) or ""
        if backend not in urls:
            raise Failure(reason="BackendNotFound", message=f"The backend {backend} is not declared.")
        run.set_base(urls[backend])

    return set_backend_service


POLICY = Policy(
    name="set-backend-service",
    sections=REQUEST,
    shape=Shape(
        (
            Attribute("base-url"),
            Attribute("backend-id"),
            *(
                Attribute(name, unsupported=_SERVICE_FABRIC)
                for name in (
                    "sf-resolve-condition",
                    "sf-service-instance-name",
                    "sf-partition-key",
                    "sf-replica-type",
                    "sf-listener-name",
                )
            ),
        )
    ),
    compile=_compile,
)
