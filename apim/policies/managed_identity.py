"""https://learn.microsoft.com/azure/api-management/authentication-managed-identity-policy."""

from collections.abc import Awaitable, Callable

from apim.failure import Failure
from apim.identity import IdentityError
from apim.node import Node
from apim.policies.message_policy import Message
from apim.policy import INBOUND, Policy
from apim.run import Run
from apim.shape import Attribute, Kind, Shape
from apim.statements import Action

Authenticate = Callable[[Run, Message], Awaitable[None] | None]


def authenticate(node: Node) -> Authenticate:
    """A function that writes a token of the identity into a message or a variable."""
    resource_of, client_id = node.string("resource"), node.constant("client-id") or None
    variable, ignore_error = node.constant("output-token-variable-name"), node.flag("ignore-error")
    known = node.settings.identities
    if all(identity.client_id != client_id for identity in known):
        which = f"with the client id {client_id}" if client_id else "that is system-assigned"
        node.fail(f"the service has no identity {which}", "client-id")

    def give(run: Run, message: Message, token: str) -> None:
        if variable:
            run.context.variables[variable] = token
        else:
            message.headers.set("Authorization", [f"Bearer {token}"])

    async def fetch(run: Run, message: Message, resource: str) -> None:
        try:
            give(run, message, await run.services.tokens.fetch(resource, client_id))
        except IdentityError as error:
            if not ignore_error:
                raise Failure(reason="ManagedIdentityTokenNotObtained", message=str(error)) from error
            if variable and run.readings.failed_managed_identity == "null":
                run.context.variables[variable] = None

    def managed_identity(run: Run, message: Message) -> Awaitable[None] | None:
        resource = resource_of(run.context) or ""
        token = run.services.tokens.cached(resource, client_id)
        if token is None:
            return fetch(run, message, resource)
        return give(run, message, token)

    return managed_identity


def _compile(node: Node) -> Action:
    managed_identity = authenticate(node)
    return lambda run: managed_identity(run, run.context.request)


POLICY = Policy(
    name="authentication-managed-identity",
    sections=INBOUND,
    shape=Shape(
        (
            Attribute("resource", required=True),
            Attribute("client-id", expression=False),
            Attribute("output-token-variable-name", expression=False),
            Attribute("ignore-error", default="false", expression=False, kind=Kind.BOOLEAN),
        )
    ),
    compile=_compile,
)
