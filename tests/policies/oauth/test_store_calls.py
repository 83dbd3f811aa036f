"""The number of calls to Cosmos DB by each step, from which docs/scaling.md computes the costs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.policies.oauth.flow import Flow

PAGE = Path(__file__).resolve().parents[3] / "docs" / "scaling.md"


def registration(flow: Flow) -> None:
    flow.register()


def sign_in(flow: Flow) -> None:
    flow.token()


def refresh(flow: Flow) -> Callable[[], object]:
    token = flow.refresh_token()
    return lambda: flow.refresh(token)


def first_call(flow: Flow) -> Callable[[], object]:
    token = flow.token()
    flow.harness.gateway.services.cache.clear()
    return lambda: flow.call(token)


def next_call(flow: Flow) -> Callable[[], object]:
    token = flow.token()
    flow.call(token)
    return lambda: flow.call(token)


def revocation(flow: Flow) -> Callable[[], object]:
    token = flow.refresh_token()
    return lambda: flow.revoke(token)


def refused_call(flow: Flow) -> Callable[[], object]:
    return lambda: flow.call("not a token")


# A step is counted completely, or, if its function returns a function, only the call of that function.
STEPS: dict[str, Callable[[Flow], object]] = {
    "registration of a client": registration,
    "sign-in, from the authorization request to the tokens": sign_in,
    "refresh": refresh,
    "tool call, the first of a grant in 30 seconds": first_call,
    "tool call, every further one": next_call,
    "tool call with a bad token": refused_call,
    "revocation": revocation,
}


def counted(step: Callable[[Flow], object]) -> tuple[int, int]:
    """The numbers of reads and writes of one step, without those of the steps before it."""
    flow = Flow.new()
    prepared = step(flow)
    if callable(prepared):
        flow.store.calls.clear()
        prepared()
    reads = sum(method == "GET" for method, _container in flow.store.calls)
    return reads, len(flow.store.calls) - reads


def table() -> str:
    """The table of docs/scaling.md as Markdown."""
    rows = ("| {} | {} | {} |".format(name, *counted(step)) for name, step in STEPS.items())
    return "\n".join(["| step | reads | writes |", "|---|---:|---:|", *rows])


def test_the_table_has_the_calls_that_the_policies_make() -> None:
    computed = table()
    assert computed in PAGE.read_text(encoding="utf-8"), f"Write this table to docs/scaling.md:\n{computed}"


@pytest.mark.parametrize("step", ["tool call, every further one", "tool call with a bad token"])
def test_d6_the_most_frequent_requests_do_not_call_the_store(step: str) -> None:
    assert counted(STEPS[step]) == (0, 0)


def test_the_costs_of_the_page_follow_from_the_table() -> None:
    """The page assumes two request units for a read and ten for a write."""
    costs = {
        name: 2 * reads + 10 * writes
        for name, (reads, writes) in zip(STEPS, map(counted, STEPS.values()), strict=True)
    }
    _, sign_in_cost, refresh_cost, call_cost, *_ = costs.values()
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    formula = f"RU = users * ({sign_in_cost} * S + {refresh_cost} * R + {call_cost} * M)"
    assert formula in page
    per_user = sign_in_cost + refresh_cost * 1056 + call_cost * 2112
    assert f"{per_user:,} request units" in page
