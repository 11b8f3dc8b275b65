"""The rows of the stress tests, from what their commands write."""

import json

import pytest

from captioner.errors import CheckpointError
from captioner.figures.hardening_results import CRASHES, FILES, FUZZ, LOAD, SERVED, WORKERS, rows

DOOR = {"captioned": 500, "refused": 700, "longest_s": 1.234, "slowest": "a", "most_mb": 250, "largest": "b", "problems": []}
VISITORS = {"answers": 90, "a_second": 3.14159, "median_ms": 300, "p95_ms": 950, "errors": 0, "memory_mb_more": -3}
WRITTEN = {
    FILES: {"library": DOOR, "page": DOOR | {"problems": ["x took 3.00 s"]}},
    FUZZ: {"files_tried": 1234567, "seconds": 600, "places_reached": 9, "begun_with": 4, "broken_by": []},
    LOAD: {
        "visitors": {"1": VISITORS, "32": VISITORS | {"errors": 2, "memory_mb_more": 12}},
        "beside_a_batch_of_50": {"alone_median_ms": 400, "beside_median_ms": 800, "beside_longest_ms": 1500},
        "answers_held_against_the_library": 1800, "wrong_answers": 0, "seconds_each": 300,
    },
    CRASHES: {
        "kills": 50, "killed_while": {"saving": 12, "training a decoder": 38}, "trainings": 10,
        "unreadable_or_not_gone_on_with": 0, "ended_with_other_weights": 1, "temporary_files_left": 0,
    },
}  # fmt: skip


def test_nothing_measured_is_no_row(tmp_path):
    assert rows(tmp_path) == []


def test_every_figure_is_the_files(tmp_path):
    for name, data in WRITTEN.items():
        (tmp_path / name).write_text(json.dumps(data))
    found = dict(rows(tmp_path))
    assert len(found) == 2 + 1 + 4 + 1
    library, page = list(found.values())[:2]
    assert library == "500 captioned, 700 rejected, 0 problems; slowest 1.2 s, peak memory 250 MB" and "1 problems" in page
    assert found["1,234,567 files from a fuzzer in 10 minutes"] == "0 crashes"
    one, many = (found[f"Simultaneous visitors for 5 minutes: {visitors}"] for visitors in (1, 32))
    assert one == "3.1 photographs per second, 95% within 0.95 s, 0 errors, memory -3 MB" and "2 errors, memory +12 MB" in many
    assert found["One photograph while another visitor captions 50"] == "800 ms; alone 400 ms (medians)"
    killed = found["`kill -9` at 50 random moments of training (12 while saving, 38 while training a decoder)"]
    assert killed == "0 runs unreadable or lost, 1 with other final weights, 0 with temporary files left"


def test_differences_between_numbers_of_processes(tmp_path):
    parts = {"2": {"largest_difference": 1.2e-7}, "4": {"largest_difference": 3.4e-6}}
    single = {"processes": {"2": {"largest_difference": 0.21}}, "one_backward": {"largest_difference": 0.34}}
    (tmp_path / WORKERS).write_text(json.dumps({"steps": 200, "processes": parts, "in_single_precision": single}))
    (what, double), (_, rounded) = rows(tmp_path)
    assert what.startswith("200 training steps") and double.endswith("1e-07 with 2, 3e-06 with 4")
    assert rounded.startswith("0.2 with 2; 0.3 with one")


def test_the_service_under_load(tmp_path):
    one = {"answers": 300, "a_second": 12.34, "lost": 0, "p50_ms": 80, "p95_ms": 95, "p99_ms": 120}
    many = one | {"a_second": 43.21, "p50_ms": 1460, "p95_ms": 1710, "p99_ms": 1980}
    data = {"seconds": 60.0, "clients": 64, "one_at_a_time": [one, one], "together": many, "gain": 3.5}
    (tmp_path / SERVED).write_text(json.dumps(data | {"answers_held_against_the_library": 3192, "wrong_answers": 0}))
    (clients, speed), (answers, differ) = rows(tmp_path)
    assert clients.startswith("64 clients") and clients.endswith("for 60 s") and differ == "0 differ"
    assert speed.startswith("43 photographs per second, 3.5 times") and answers.startswith("3,192 of those answers")
    assert "50% within 1.5 s, 95% within 1.7 s, 99% within 2 s; 0 lost" in speed


def test_another_file_is_refused(tmp_path):
    (tmp_path / LOAD).write_text("[]")
    with pytest.raises(CheckpointError, match="survived-load.json is not the output"):
        rows(tmp_path)
