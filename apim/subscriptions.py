"""Subscription keys.

https://learn.microsoft.com/azure/api-management/api-management-subscriptions
"""

import hmac

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

    def concern(self, api: Api) -> bool:
        """Whether requests to an API must be checked: it requires a key or is part of a product."""
        return api.subscription_required or bool(self._products)

    def admit(self, api: Api, context: Context) -> str | None:
        """Checks the key of a request and returns the product of its subscription, if there is one.

        Raises:
            Failure: 401 with the documented message, if the key is missing or not valid for the API.
        """
        headers = context.request.headers
        query = decoded_values(context.request.original_url.query_string.removeprefix("?"))
        keys = headers.get(_HEADER) or query.get(_PARAMETER)
        if not keys:
            if not api.subscription_required or api.id in self._open:
                return self._open.get(api.id)
            raise _denied(
                "SubscriptionKeyNotFound",
                "Access denied due to missing subscription key. "
                "Make sure to include subscription key when making requests to this API.",
            )
        for subscription in self._subscriptions:
            if hmac.compare_digest(subscription.key.encode(), keys[0].encode()) and self._opens(
                subscription, api
            ):
                headers.delete(_HEADER)
                return subscription.product
        if not api.subscription_required:
            return None
        raise _denied(
            "SubscriptionKeyInvalid",
            "Access denied due to invalid subscription key. Make sure to provide a valid key for an active "
            "subscription.",
        )

    def _opens(self, subscription: Subscription, api: Api) -> bool:
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
