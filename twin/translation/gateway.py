"""Reads the API Management service of a stack, as the configuration of the policy engine."""

from collections.abc import Mapping
from typing import Any

from apim.service import (
    Api,
    BackendEntity,
    ManagedIdentity,
    NamedValue,
    Operation,
    PolicyDocument,
    PolicyFragment,
    Product,
    Service,
    Subscription,
)
from twin.azure.cloud import Cloud
from twin.gateway_plan import DeclaredSourceMap, PlannedDocuments
from twin.stack import Declared, Stack, StackError
from twin.translation.vault import UnreadableError, Vaults, vaults


def service(stack: Stack, cloud: Cloud) -> Service:
    """The API Management service of a stack, with its APIs, policies, named values and so on.

    Args:
        stack: the stack, not evaluated as a preview.
        cloud: the cloud of the evaluation; it generates the subscription keys that are not declared.

    Raises:
        StackError: there is not exactly one service, or it has something that the engine does not support.
    """
    declared = stack.of_type("apimanagement:ApiManagementService")
    if len(declared) != 1:
        raise StackError(f"The twin runs one API Management service; the stack declares {len(declared)}.")
    (service,) = declared
    planned = PlannedDocuments(stack.configuration)
    identities, stack_vaults = _identities(service), vaults(stack)
    return Service(
        name=service.outputs["name"],
        gateway_url=service.outputs["gatewayUrl"],
        sku=service.inputs["sku"]["name"] if not service.external else _configured_sku(stack),
        apis=tuple(_api(stack, api, planned) for api in stack.of_type("apimanagement:Api")),
        named_values=tuple(
            _named_value(value, stack_vaults, identities)
            for value in stack.of_type("apimanagement:NamedValue")
        ),
        fragments=tuple(
            _fragment(fragment, planned) for fragment in stack.of_type("apimanagement:PolicyFragment")
        ),
        identities=identities,
        products=tuple(
            _product(stack, product, planned) for product in stack.of_type("apimanagement:Product")
        ),
        subscriptions=tuple(
            _subscription(subscription, cloud) for subscription in stack.of_type("apimanagement:Subscription")
        ),
        backends=tuple(
            BackendEntity(id=backend.outputs["name"], url=backend.inputs["url"])
            for backend in stack.of_type("apimanagement:Backend")
        ),
    )


def _configured_sku(stack: Stack) -> str:
    """The tier of an existing service, from the settings of the stack."""
    if stack.configuration is None:
        raise StackError("The stack uses an existing API Management service whose tier is unknown.")
    return stack.configuration.values[f"{stack.configuration.project}:sku"]


def _api(stack: Stack, api: Declared, planned: PlannedDocuments) -> Api:
    api_id = api.outputs["name"]
    return Api(
        id=api_id,
        name=api.inputs.get("displayName") or api_id,
        path=api.inputs.get("path") or "",
        service_url=api.inputs.get("serviceUrl"),
        operations=tuple(
            _operation(stack, operation, planned)
            for operation in stack.of_type("apimanagement:ApiOperation")
            if operation.inputs["apiId"] == api_id
        ),
        policy=_policy(stack, "apimanagement:ApiPolicy", {"apiId": api_id}, f"API {api_id}", planned),
        subscription_required=bool(api.inputs.get("subscriptionRequired", True)),
    )


def _operation(stack: Stack, operation: Declared, planned: PlannedDocuments) -> Operation:
    ids = {"apiId": operation.inputs["apiId"], "operationId": operation.outputs["name"]}
    owner = f"API {ids['apiId']}, operation {ids['operationId']}"
    return Operation(
        id=ids["operationId"],
        name=operation.inputs["displayName"],
        method=operation.inputs["method"],
        url_template=operation.inputs["urlTemplate"],
        policy=_policy(stack, "apimanagement:ApiOperationPolicy", ids, owner, planned),
    )


def _policy(
    stack: Stack, type_: str, ids: Mapping[str, str], owner: str, planned: PlannedDocuments
) -> PolicyDocument | None:
    policies = [
        policy
        for policy in stack.of_type(type_)
        if all(policy.inputs[key] == value for key, value in ids.items())
    ]
    if len(policies) > 1:
        names = ", ".join(policy.name for policy in policies)
        raise StackError(f"More than one policy is declared for {owner}: {names}.")
    return _document(policies[0], owner, planned) if policies else None


def _document(policy: Declared, owner: str, planned: PlannedDocuments) -> PolicyDocument:
    if policy.inputs.get("format") != "rawxml":
        raise StackError(
            f"The policy {policy.name} has the format {policy.inputs.get('format') or 'xml'}. "
            'Set format="rawxml": the twin supports only policies with unescaped C#.'
        )
    text = policy.inputs["value"]
    return PolicyDocument(xml=text, name=owner, source_map=DeclaredSourceMap(text, planned))


def _named_value(
    value: Declared, stack_vaults: Vaults, identities: tuple[ManagedIdentity, ...]
) -> NamedValue:
    reference = value.inputs.get("keyVault")
    return NamedValue(
        name=value.inputs["displayName"],
        value=_secret(reference, stack_vaults, identities) if reference else value.inputs["value"],
        secret=bool(value.inputs.get("secret")),
    )


def _secret(
    reference: Mapping[str, str], stack_vaults: Vaults, identities: tuple[ManagedIdentity, ...]
) -> str:
    """The value of the Key Vault secret of a named value, read with the identity in the reference.

    Raises:
        StackError: the service does not have the identity, or the identity cannot read the secret.
    """
    address, client_id = reference["secretIdentifier"], reference.get("identityClientId")
    identity = next((identity for identity in identities if identity.client_id == client_id), None)
    if identity is None:
        raise StackError(
            f"API Management has no {f'identity {client_id}' if client_id else 'system-assigned identity'}, "
            f"with which a named value reads {address}."
        )
    try:
        return stack_vaults.read(address, identity.principal_id)
    except UnreadableError as error:
        kind = "UserAssigned" if client_id else "SystemAssigned"
        raise StackError(
            f"Failed to access KeyVault secret {address} using Managed Service Identity of Api Management "
            f"service. Check if Managed Identity of Type: {kind}, ObjectId: {identity.principal_id} has GET "
            f"permissions on secrets. {error}"
        ) from None


def _fragment(fragment: Declared, planned: PlannedDocuments) -> PolicyFragment:
    name = fragment.outputs["name"]
    return PolicyFragment(id=name, document=_document(fragment, f"fragment {name}", planned))


def _identities(service: Declared) -> tuple[ManagedIdentity, ...]:
    """The managed identities of the service, from its outputs."""
    identity: Mapping[str, Any] = service.outputs.get("identity") or {}
    assigned = [
        ManagedIdentity(client_id=ids["clientId"], principal_id=ids["principalId"])
        for ids in (identity.get("userAssignedIdentities") or {}).values()
    ]
    if own := identity.get("principalId"):
        assigned.append(ManagedIdentity(client_id=None, principal_id=own))
    return tuple(assigned)


def _product(stack: Stack, product: Declared, planned: PlannedDocuments) -> Product:
    name = product.outputs["name"]
    return Product(
        id=name,
        name=product.inputs["displayName"],
        apis=tuple(
            link.inputs["apiId"]
            for link in stack.of_type("apimanagement:ProductApi")
            if link.inputs["productId"] == name
        ),
        policy=_policy(stack, "apimanagement:ProductPolicy", {"productId": name}, f"product {name}", planned),
        subscription_required=bool(product.inputs.get("subscriptionRequired", True)),
    )


def _subscription(subscription: Declared, cloud: Cloud) -> Subscription:
    scope = str(subscription.inputs["scope"])
    kind, _, name = scope.rstrip("/").rpartition("/")
    return Subscription(
        id=subscription.outputs["name"],
        name=subscription.inputs["displayName"],
        key=subscription.inputs.get("primaryKey") or cloud.seed.hexadecimal(f"{subscription.id}#primary", 32),
        secondary_key=subscription.inputs.get("secondaryKey")
        or cloud.seed.hexadecimal(f"{subscription.id}#secondary", 32),
        product=name if kind.endswith("/products") else None,
        api=name if kind.endswith("/apis") and name else None,
    )
