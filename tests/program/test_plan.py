"""The plan of a stack's gateway contains what the program declares."""

from dataclasses import replace
from operator import attrgetter

import pytest

from apim.service import Service
from tests.program.variants import SECRETS, VARIANTS, Case
from tests.stacks import FUNCTIONS_ONLY
from twin.azure.cloud import Cloud
from twin.gateway_plan import plan_stack
from twin.translation.gateway import service


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_plan_is_what_the_evaluated_stack_declares(variant: str) -> None:
    config = {**FUNCTIONS_ONLY, **VARIANTS[variant]}
    secrets = {key: config.pop(key) for key in SECRETS if key in config}
    declared = service(Case(variant, preview=False).stack, Cloud())
    plan = plan_stack(config, secrets)

    backends = {api.id: api.backend for api in plan.apis}
    urls = {name: api.service_url or "" for api in declared.apis if (name := backends[api.id])}
    planned = plan.service({value.name: value.value for value in declared.named_values}, urls)
    planned = replace(
        planned, name=declared.name, identities=declared.identities, subscriptions=declared.subscriptions
    )
    assert ordered(planned) == ordered(declared)


def ordered(service: Service) -> Service:
    """The service with its parts sorted: the order in which they are registered has no meaning."""
    apis = (
        replace(api, operations=tuple(sorted(api.operations, key=attrgetter("id")))) for api in service.apis
    )
    return replace(
        service,
        apis=tuple(sorted(apis, key=attrgetter("id"))),
        named_values=tuple(sorted(service.named_values, key=attrgetter("name"))),
        fragments=tuple(sorted(service.fragments, key=attrgetter("id"))),
    )
