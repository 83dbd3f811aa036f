"""Ports that tests reserve for the processes they start."""

import multiprocessing
from multiprocessing.pool import Pool

from tests.children import free_port_block


def blocks(count: int) -> list[int]:
    return [free_port_block() for _ in range(count)]


def test_no_two_processes_get_the_same_block_before_anything_listens() -> None:
    with Pool(2, context=multiprocessing.get_context("spawn")) as pool:
        given = pool.map(blocks, [10] * 2, chunksize=1)
        every = [*blocks(10), *(base for each in given for base in each)]
        assert len(set(every)) == len(every) == 30
