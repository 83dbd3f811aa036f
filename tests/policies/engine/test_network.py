"""Requests of the gateway to services: stand-ins, injected faults, and the record of requests."""

import asyncio

import jwt
import pytest
from aiohttp import web

from apim.failure import SendError
from apim.http.network import Fault, HttpNetwork, Upstream
from tests.policies.engine.sockets import listening

HOST = "https://cosmos-x.documents.azure.com:443"


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    """Returns the host, the path with the query, and the names of the headers."""
    names = ",".join(sorted(name.lower() for name in request.headers))
    return web.Response(
        text=f"{request.headers['Host']} {request.path_qs} {names}", headers={"Connection": "close"}
    )


def send_all(
    *calls: tuple[str, dict[str, object]], fault: Fault | None = None
) -> tuple[list[object], HttpNetwork]:
    """Sends requests to a stand-in, one after the other; returns responses or errors."""

    async def scenario() -> tuple[list[object], HttpNetwork]:
        async with listening(echo) as url:
            network = HttpNetwork({"cosmos-x.documents.azure.com": Upstream(service="cosmos", base_url=url)})
            if fault:
                network.faults.add("cosmos", fault)
            answers: list[object] = []
            for path, options in calls:
                try:
                    reply = await network.send("GET", HOST + path, **{"headers": [], **options})  # ty: ignore[invalid-argument-type]
                    content = b"".join([chunk async for chunk in reply.chunks()]).decode()
                    reply.close()
                    answers.append((reply.status, content, dict(reply.headers)))
                except SendError as error:
                    answers.append(error)
            await network.close()
            return answers, network

    return asyncio.run(scenario())


def test_a_stand_in_receives_the_real_host_name_and_no_headers_of_the_connection() -> None:
    ((status, text, _headers),), _ = send_all(
        ("/dbs?a=%2F", {"headers": [("Te", "x"), ("Connection", "x-a"), ("X-A", "1")]})
    )  # ty: ignore[not-iterable]
    assert (status, text) == (200, "cosmos-x.documents.azure.com:443 /dbs?a=%2F host")


def test_a_fault_applies_to_the_given_number_of_requests() -> None:
    fault = Fault(status=429, headers={"x-ms-retry-after-ms": "5"}, body="slow", times=2)
    answers, network = send_all(*[("/", {})] * 3, fault=fault)
    assert [answer[0] for answer in answers] == [429, 429, 200]  # ty: ignore[not-subscriptable]
    assert answers[0][1:] == ("slow", {"x-ms-retry-after-ms": "5", "Content-Length": "4"})  # ty: ignore[not-subscriptable]
    assert [received.status for received in network.received] == [429, 429, 200]


def test_a_fault_can_be_a_broken_connection_or_a_delay_beyond_the_timeout() -> None:
    (broken,), _ = send_all(("/", {}), fault=Fault(error=True))
    (late,), _ = send_all(("/", {"timeout": 0.01}), fault=Fault(delay=60))
    assert isinstance(broken, SendError)
    assert not broken.timed_out
    assert isinstance(late, SendError)
    assert late.timed_out


def test_faults_can_be_cleared() -> None:
    network = HttpNetwork()
    network.faults.add("cosmos", Fault(status=500))
    network.faults.add("entra", Fault(status=500))
    network.faults.clear("cosmos")
    assert network.faults.take("cosmos") is None
    network.faults.clear()
    assert network.faults.take("entra") is None
    assert not network.faults


def test_recorded_requests_contain_no_secrets() -> None:
    token = jwt.encode({"iss": "i", "aud": "a", "secret": "s"}, "k" * 32)
    headers = [("Authorization", "Bearer " + token), ("Cookie", "session=abc"), ("Accept", "text/html")]
    _, network = send_all(("/x?code=123&n", {"headers": headers, "body": b"12345"}))
    (record,) = network.received
    assert (record.service, record.method, record.url) == ("cosmos", "GET", HOST + "/x?code=***&n=***")
    assert record.headers == [
        ("Authorization", f"Bearer *** ({len(token)} characters)"),
        ("Cookie", "*** (11 characters)"),
        ("Accept", "text/html"),
    ]
    assert (record.claims, record.body_size, record.status) == ({"iss": "i", "aud": "a"}, 5, 200)
    assert token not in repr(record)


def test_recorded_requests_to_cosmos_show_the_claims_of_the_token() -> None:
    token = jwt.encode({"aud": "https://cosmos.azure.com", "oid": "me"}, "k" * 32)
    _, network = send_all(("/", {"headers": [("Authorization", f"type%3daad%26ver%3d1.0%26sig%3d{token}")]}))
    (record,) = network.received
    assert record.claims == {"aud": "https://cosmos.azure.com", "oid": "me"}
    assert token not in repr(record)


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("x-functions-key", True),
        ("Ocp-Apim-Subscription-Key", True),
        ("X-Api-Token", True),
        ("x-ms-documentdb-partitionkey", False),
        ("Mcp-Session-Id", False),
    ],
)
def test_headers_with_credentials_are_masked(name: str, masked: bool) -> None:
    _, network = send_all(("/", {"headers": [(name, "value")]}))
    assert network.received[0].headers == [(name, "*** (5 characters)" if masked else "value")]


def test_the_number_of_recorded_requests_is_limited() -> None:
    async def scenario() -> HttpNetwork:
        network = HttpNetwork(remember=3)
        for number in range(5):
            network.faults.add("h", Fault(status=200, times=1))
            await network.send("GET", f"http://h/{number}", headers=[])
        return network

    assert [record.url for record in asyncio.run(scenario()).received] == [
        "http://h/2",
        "http://h/3",
        "http://h/4",
    ]


@pytest.mark.parametrize("url", ["ftp://h/", "/path", "http://"])
def test_only_http_urls_are_called(url: str) -> None:
    with pytest.raises(SendError, match="not an absolute"):
        asyncio.run(HttpNetwork().send("GET", url, headers=[]))
