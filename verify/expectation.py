"""Derives the expected state of a stack from the plan that the deployment declares."""

from gateway.backend import Backend
from gateway.plan import Plan
from gateway.policy import issuer_path
from settings import Settings
from verify.target import Api, Expectation, Server


def expectation(settings: Settings, plan: Plan) -> Expectation:
    """The expected state of a stack.

    Args:
        settings: the stack's settings.
        plan: the plan of its gateway.
    """
    return Expectation(
        servers=tuple(_server(backend) for backend in plan.backends),
        audience=settings.audience,
        require_resource=settings.require_resource,
        allowed_origins=settings.allowed_origins,
        local=settings.local,
        apis={
            api.id: Api(
                path=api.path,
                operations={
                    operation.id: (operation.method, operation.template) for operation in api.operations
                },
            )
            for api in plan.apis
        },
        documents=_documents(plan),
        named_values={value.name: value.secret for value in plan.named_values},
        issuer_path=issuer_path(settings.path_prefix),
        shared=settings.existing.api_management is not None,
        tool_lock=settings.tool_lock,
    )


def _server(backend: Backend) -> Server:
    return Server(
        name=backend.name,
        title=backend.title,
        path=backend.path,
        streamable_http=backend.has_streamable_http,
        event_streams=backend.event_stream_paths,
        operations=tuple((route.method, route.template) for route in backend.routes),
        root_messages=tuple(dict.fromkeys(route.template for route in backend.root_messages)),
        upstream_paths=tuple(dict.fromkeys(route.upstream for route in backend.routes)),
        scopes=backend.scopes,
        admits_users=backend.admits_users,
        permissions={tool: backend.permissions(tool) for tool in backend.tools},
    )


def _documents(plan: Plan) -> dict[str, str]:
    """The rendered documents by their ids below the service."""
    documents = {}
    for api in plan.apis:
        documents[f"apis/{api.id}/policies/policy"] = api.policy
        documents |= {
            f"apis/{api.id}/operations/{operation.id}/policies/policy": operation.policy
            for operation in api.operations
            if operation.policy is not None
        }
    return documents | {f"policyFragments/{fragment.id}": fragment.policy for fragment in plan.fragments}
