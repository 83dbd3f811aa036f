"""Subscription keys.

https://learn.microsoft.com/azure/api-management/api-management-subscriptions
"""

import hmac

from apim.csharp import context as csharp
from apim.csharp.context import Context
from apim.failure import Failure
from apim.run import decoded_values
from apim.service import Api, Service, Subscription

_HEADER = "Ocp-Apim-Subscription-Key"
_PARAMETER = "subscription-key"


class Subscriptions:
    """Checks subscription keys."""

    def __init__(self, service: Service) -> None:
        self._subscriptions = service.subscriptions
        self._products = {product.id: product for product in service.products}
        self._open = {
            api: product.id
            for product in service.products
            if not product.subscription_required
            for api in product.apis
        }

    def admit(self, api: Api, context: Context) -> str | None:
        """Checks the key of a request and returns the product's id if access is given through a product.

        Sets `context.Product` and `context.Subscription`. A key that is sent must be valid even if the API
        requires none, unless the API is in an open product (one without a required subscription). The header
        with the key is not removed from the request.

        Raises:
            Failure: 401 with the documented message, if the key is missing or not valid for the API.
        """
        sent = self._sent_key(context)
        found = next(
            (
                subscription
                for subscription in self._subscriptions
                if sent is not None
                and any(
                    hmac.compare_digest(key.encode(), sent.encode())
                    for key in (subscription.key, subscription.secondary_key)
                    if key is not None
                )
                and self._gives_access(subscription, api)
            ),
            None,
        )
        if found is not None:
            context.subscription = csharp.Subscription(
                id=found.id,
                name=found.name,
                key=sent or "",
                primary_key=found.key,
                secondary_key=found.secondary_key or "",
            )
            return self._set_product(found.product, context)
        if api.id in self._open:
            return self._set_product(self._open[api.id], context)
        if sent is not None:
            raise _denied(
                "SubscriptionKeyInvalid",
                "Access denied due to invalid subscription key. Make sure to provide a valid key for an "
                "active subscription.",
            )
        if api.subscription_required:
            raise _denied(
                "SubscriptionKeyNotFound",
                "Access denied due to missing subscription key. "
                "Make sure to include subscription key when making requests to this API.",
            )
        return None

    @staticmethod
    def _sent_key(context: Context) -> str | None:
        """The key in the header, or in the query if there is no header; None without a key."""
        if keys := context.request.headers.get(_HEADER):
            return keys[0]
        query = context.request.original_url.query_string
        if _PARAMETER not in query:
            return None
        keys = decoded_values(query.removeprefix("?")).get(_PARAMETER)
        return keys[0] if keys else None

    def _set_product(self, product: str | None, context: Context) -> str | None:
        if product is not None:
            entered = self._products[product]
            context.product = csharp.Product(
                id=entered.id, name=entered.name, subscription_required=entered.subscription_required
            )
        return product

    def _gives_access(self, subscription: Subscription, api: Api) -> bool:
        if subscription.api is not None:
            return subscription.api == api.id
        if subscription.product is not None:
            product = self._products.get(subscription.product)
            return product is not None and api.id in product.apis
        return True


def _denied(reason: str, message: str) -> Failure:
    return Failure(
        source="authorization",
        reason=reason,
        message=message,
        status=401,
        public=message,
        headers={"WWW-Authenticate": f'AzureApiManagementKey realm="{_HEADER}"'},
    )
