"""Ports that tests reserve for the processes they start, and the time limit for their responses."""

import itertools
import multiprocessing
from collections.abc import Callable
from multiprocessing.pool import Pool

import httpx
import pytest

from tests.children import free_port, free_port_block


def test_the_timeout_of_httpx_is_a_minute() -> None:
    with httpx.Client() as client:
        assert client.timeout == httpx.Timeout(60)


def reserved(reserve: Callable[[], int]) -> list[int]:
    return [reserve() for _ in range(10)]


@pytest.mark.parametrize("reserve", [free_port, free_port_block])
def test_no_two_processes_get_the_same_ports_before_anything_listens(reserve: Callable[[], int]) -> None:
    with Pool(2, context=multiprocessing.get_context("spawn")) as pool:
        ports_of_workers = pool.map(reserved, [reserve] * 2, chunksize=1)
        ports = [*reserved(reserve), *itertools.chain.from_iterable(ports_of_workers)]
        assert len(set(ports)) == len(ports) == 30
