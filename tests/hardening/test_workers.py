"""Processes that train together are started as workers of one cluster, and a failure of one ends the others."""

import time

import pytest

from captioner.training.worker_group import find_place
from support.workers import free_ports, places, run_workers

TELL_PLACE = """
import json
from captioner.training.worker_group import find_place
place = find_place()
print(json.dumps([place.number, place.addresses] if place else None))
"""


def test_ports_are_free_and_different():
    ports = free_ports(4)
    assert len(set(ports)) == 4 and all(0 < port < 65536 for port in ports)
    assert [find_place(place).number for place in places(3)] == [0, 1, 2]


def test_processes_know_their_places():
    (first, addresses), (second, same) = run_workers(["-c", TELL_PLACE], 2)
    assert (first, second) == (0, 1) and addresses == same and len(addresses) == 2
    assert run_workers(["-c", TELL_PLACE], 1) == [None]


def test_the_others_do_not_wait_for_one_that_fails():
    begun = time.monotonic()
    one_fails = f"{TELL_PLACE}\nimport sys, time\nsys.exit(3) if place.number else time.sleep(600)"
    with pytest.raises(RuntimeError, match="One of the 2 processes"):
        run_workers(["-c", one_fails], 2)
    assert time.monotonic() - begun < 300
