"""Declares the product of an MCP server that accepts subscription keys, and its one subscription."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_random as random
from pulumi_azure_native import apimanagement

from gateway.api import Product
from gateway.api_management import ApiManagementRef

_KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductWithKeyArgs:
    """Arguments of `ProductWithKey`.

    Attributes:
        service: the API Management service.
        product: the product as planned.
        after: the resources that must exist before the key is valid: the API with its policy.
        key_version: version of the key, counted from 1; the previous version stays valid.
        protect: whether Pulumi refuses to delete or replace the key.
    """

    service: ApiManagementRef
    product: Product
    after: Sequence[pulumi.Resource]
    key_version: int
    protect: bool


class ProductWithKey(pulumi.ComponentResource):
    """A product of one API, and a subscription to it.

    The product is not published, so users cannot subscribe to it in a developer portal.

    Attributes:
        key: the subscription's primary key, a secret.
    """

    key: pulumi.Output[str]

    def __init__(
        self, name: str, args: ProductWithKeyArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("mcp:gateway:ProductWithKey", name, None, opts)
        service, planned = args.service, args.product
        product = apimanagement.Product(
            f"{name}-product",
            apimanagement.ProductArgs(
                resource_group_name=service.resource_group_name,
                service_name=service.service_name,
                product_id=planned.id,
                display_name=planned.title,
                description=planned.description,
                state=apimanagement.ProductState.NOT_PUBLISHED,
                subscription_required=True,
                approval_required=True,
            ),
            opts=service.child(self),
        )
        apimanagement.ProductApi(
            f"{name}-api",
            apimanagement.ProductApiArgs(
                resource_group_name=service.resource_group_name,
                service_name=service.service_name,
                product_id=product.name,
                api_id=planned.api,
            ),
            opts=service.child(self, args.after),
        )
        # ignore_changes: an edited length must not replace a key that callers have. Every version remains
        # declared, so a rotation only adds a key.
        kept = pulumi.ResourceOptions(parent=self, protect=args.protect, ignore_changes=["length", "keepers"])
        keys = [
            random.RandomBytes(
                f"{name}-key" if version == 1 else f"{name}-key-v{version}",
                random.RandomBytesArgs(length=_KEY_BYTES),
                opts=kept,
            )
            for version in range(1, args.key_version + 1)
        ]
        previous = pulumi.Output.secret(keys[-2].hex) if len(keys) > 1 else None
        self.key = pulumi.Output.secret(keys[-1].hex)
        apimanagement.Subscription(
            f"{name}-subscription",
            apimanagement.SubscriptionArgs(
                resource_group_name=service.resource_group_name,
                service_name=service.service_name,
                sid=planned.id,
                display_name=planned.title,
                scope=product.id,
                state=apimanagement.SubscriptionState.ACTIVE,
                # One request sets both keys, so at any time at least one of them is valid. Without a
                # previous key, API Management generates a secondary one, which no caller receives.
                primary_key=self.key,
                secondary_key=previous,
                allow_tracing=False,
            ),
            opts=service.child(self),
        )
        self.register_outputs({})
