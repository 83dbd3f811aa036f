"""The limit of reading R4, derived from the duration of requests."""

from functools import cache

import pytest

from verify.durations import LongRequest, observe
from verify.session import Durations, Session
from verify.stack import Options, find_target
from verify.target import Server, Target


@cache
def target() -> Target:
    return find_target(Options(url="http://localhost:8000", stack="dev", servers=("functions",)))


def server() -> Server:
    (expected_server,) = target().expected.servers
    return expected_server


def observed(*requests: tuple[str, float, str]) -> str | None:
    session = Session(target=target(), durations=Durations(), open_browser=None)
    for kind, seconds, problem in requests:
        observe(session, [LongRequest(server(), seconds, problem)], kind)
    return session.observations["R4"].option if "R4" in session.observations else None


@pytest.mark.parametrize(
    ("requests", "option"),
    [
        ([("stream", 60.1, ""), ("slow call", 45.2, "")], "none"),
        ([("stream", 60.1, "")], "none"),
        ([("stream", 30.4, "the stream was closed")], "30s"),
        ([("stream", 30.4, "the stream was closed"), ("slow call", 41.0, "ReadError")], "30s"),
        # One request lasted longer than 30 seconds and the other was ended at 30 seconds: the limit exists.
        ([("stream", 60.1, ""), ("slow call", 30.9, "ReadError")], "30s"),
        ([("stream", 30.2, "RemoteProtocolError"), ("slow call", 45.2, "")], "30s"),
        # The requests were too short, or ended for another reason.
        ([("stream", 20.0, ""), ("slow call", 10.0, "")], None),
        ([("stream", 3.0, "the stream was closed")], None),
        ([("slow call", 41.0, "ReadError")], None),
    ],
)
def test_the_limit_is_derived_from_the_duration_of_requests(
    requests: list[tuple[str, float, str]], option: str | None
) -> None:
    assert observed(*requests) == option


def test_the_evidence_names_both_requests() -> None:
    session = Session(target=target(), durations=Durations(), open_browser=None)
    observe(session, [LongRequest(server(), 60.0)], "stream")
    observe(session, [LongRequest(server(), 45.0)], "slow call")
    assert session.observations["R4"].evidence == "a stream lasted 60 s, a slow call lasted 45 s"
