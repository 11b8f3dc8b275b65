"""What one process measures of itself; that several are started as workers of one cluster, and their failure is told."""

import time

import pytest

from captioner.benchmarks import bench_workers
from captioner.benchmarks.bench_workers import free_ports, measure, places, run_workers, workers_bench
from captioner.benchmarks.coco_cost import Measured
from captioner.errors import TrainingError
from captioner.training.worker_group import SingleWorker, find_place
from captioner.vision import encoder as encoders
from support.standins import StubEncoder
from support.written_data import write_flickr8k

TELL_PLACE = """
import json
from captioner.training.worker_group import find_place
place = find_place()
print(json.dumps([place.number, place.addresses] if place else None))
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What a process alone tells of the preset tiny on 40 generated pictures."""
    folder = tmp_path_factory.mktemp("bench")
    data = write_flickr8k(folder / "data", 40, 4, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoders, "load_encoder", lambda name, **_: StubEncoder())
        return measure(SingleWorker(), str(data), folder / "cache", "tiny")


def test_ports_are_free_and_different():
    ports = free_ports(4)
    assert len(set(ports)) == 4 and all(0 < port < 65536 for port in ports)
    assert [find_place(place).number for place in places(3)] == [0, 1, 2]


def test_processes_know_their_places():
    (first, addresses), (second, same) = run_workers(["-c", TELL_PLACE], 2)
    assert (first, second) == (0, 1) and addresses == same and len(addresses) == 2
    assert run_workers(["-c", TELL_PLACE], 1) == [None]


def test_one_that_fails_is_not_waited_for_by_the_others():
    begun = time.monotonic()
    one_fails = f"{TELL_PLACE}\nimport sys, time\nsys.exit(3) if place.number else time.sleep(600)"
    with pytest.raises(TrainingError, match="Of the 2 processes that should train together one ended badly"):
        run_workers(["-c", one_fails], 2)
    assert time.monotonic() - begun < 300


def test_one_process_measures_itself(measured):
    found = Measured(**measured)
    assert (found.photographs, found.regions, found.channels) == (40, 9, 6)
    assert found.workers == [1, 2, 4] and min(found.gradient_ms.values()) > 0
    assert min(found.move_ms, found.encode_ms, found.memory_mb) > 0 and found.captions_mb >= 0
    # An LSTM of 32 units on words of 16, two heads over what the CNN says, 32 hidden units; and every word's vector and score.
    decoder = (6 + 1) * 32 + 2 * (32 + 1) * 32 + (16 + 32 + 1) * 4 * 32 + (32 + 1) * 32 + (32 + 32 + 1) * 32
    assert found.parameters == decoder + found.vocabulary * (16 + 32 + 1)


def test_the_bench_puts_together_what_each_number_of_processes_tells(measured, monkeypatch, tmp_path):
    asked = []

    def run(arguments, count):
        asked.append((arguments, count))
        return [measured | {"all_reduce_ms": 10.0 * count}] * count

    monkeypatch.setattr(bench_workers, "run_workers", run)
    found = workers_bench("here", tmp_path, "tiny")
    assert [count for _, count in asked] == [1, 2, 4]
    assert asked[0][0] == ["-m", "captioner.benchmarks.bench_workers", "here", str(tmp_path), "tiny"]
    assert found["workers"]["all_reduce_ms"] == {"2": 20.0, "4": 40.0} and found["workers"]["preset"] == "tiny"
    assert [row["workers"] for row in found["coco"]["rows"]] == [1, 2, 2, 4, 4]
