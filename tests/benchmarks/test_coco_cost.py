"""What COCO would cost against a case worked by hand, and the sentences and tables that tell it."""

import json
from dataclasses import replace

import pytest

from captioner.__main__ import main
from captioner.benchmarks import coco_table
from captioner.benchmarks.coco_cost import NETWORKS, VOCABULARY, Measured, cost, result
from captioner.config import DecoderConfig
from captioner.errors import CheckpointError
from captioner.presets import PRESETS
from captioner.reports import readme

# A decoder whose numbers are easy to count with, on captions of as many words as COCO is said to have: nothing is to scale.
PRESET = replace(
    PRESETS["tiny"],
    decoder=DecoderConfig("merge", embedding_dimensions=100, units=10, image_units=10, hidden_units=50),
    training=replace(PRESETS["tiny"].training, images_per_batch=10, views=2),
)
MEASURED = Measured(
    cores=2,
    photographs=1000,
    words_per_photograph=50.0,
    vocabulary=VOCABULARY,
    regions=81,
    channels=1280,
    parameters=10_000_000,
    gradient_ms={"1": 100.0, "2": 60.0, "4": 40.0},
    move_ms=20.0,
    all_reduce_ms={"2": 30.0, "4": 50.0},
    encode_ms=25.0,
    memory_mb=600.0,
    captions_mb=4.0,
)


def row(found, workers, speed):
    return next(row for row in found["rows"] if (row["workers"], row["gbit_per_second"]) == (workers, speed))


def test_the_cost_of_one_machine_is_that_of_its_steps():
    found = cost(MEASURED, PRESET)
    assert (found["photographs"], found["captions"]) == (118287, 5)
    assert found["parameters"] == 10_000_000 and found["times_the_gradients"] == 1
    # 118,287 photographs in two views and 5,000 in one, of 81 places with 1,280 channels of two bytes each.
    assert found["cache_gb"] == pytest.approx(241_574 * 207_360 / 1e9) == pytest.approx(50.09, abs=0.01)
    assert found["memory_gb"] == pytest.approx((600 + 4 * 117.287) * 1.048576e6 / 1e9)  # as systems count megabytes
    alone = row(found, 1, None)
    assert alone["hours_shared"] == alone["hours_whole"] == pytest.approx(11_829 * 0.120 / 3600)
    assert alone["hours_encoding"] == pytest.approx(241_574 * 0.025 / 3600) and alone["megabytes_a_step"] == 0


def test_several_machines_compute_less_each_and_send():
    """Around a ring of four each sends three quarters of the 40 MB twice: 60 MB, at 1 Gbit/s 0.48 s."""
    found = cost(MEASURED, PRESET)
    assert [(row["workers"], row["gbit_per_second"]) for row in found["rows"]] == [
        (1, None), *((count, speed) for count in (2, 4) for speed in NETWORKS),
    ]  # fmt: skip
    four = row(found, 4, 1.0)
    assert four["megabytes_a_step"] == pytest.approx(60)
    assert four["hours_shared"] == pytest.approx(11_829 * (0.040 + 0.020 + 0.050 + 0.480) / 3600)
    assert four["hours_whole"] == pytest.approx(2_958 * (0.100 + 0.020 + 0.050 + 0.480) / 3600)
    assert row(found, 2, 10.0)["hours_shared"] == pytest.approx(11_829 * (0.060 + 0.020 + 0.030 + 0.032) / 3600)
    assert four["hours_encoding"] == pytest.approx(row(found, 1, None)["hours_encoding"] / 4)


def test_a_larger_vocabulary_is_more_to_compute_and_to_send():
    """Each word more is a vector of 100, and 50 weights and a bias of its score."""
    found = cost(replace(MEASURED, vocabulary=2000), PRESET)
    assert found["parameters"] == 10_000_000 + (VOCABULARY - 2000) * 151
    assert 1 < found["times_the_gradients"] < VOCABULARY / 2000
    before = cost(MEASURED, PRESET)
    assert all(more["hours_shared"] > less["hours_shared"] for more, less in zip(found["rows"], before["rows"], strict=True))


def test_people_read_the_same_figures():
    found = json.loads(json.dumps(result(MEASURED, PRESET)))
    told, lines = coco_table.told(found), coco_table.table(found).splitlines()
    assert "118,287 training photographs with 5 captions each make 50 GB of features (2 views of each)" in told
    assert "takes 30 ms between 2 processes and 50 ms between 4 processes" in told
    assert f"a vocabulary of {VOCABULARY:,} words" in told and "Left out are the loss on dev" in told
    assert len(lines) == 1 + 5 and lines[0].startswith("workers  network")
    assert lines[1].split() == ["1", "none", "0.4", "0.4", "1.7"]
    assert lines[4].split() == ["4", "1", "Gbit/s", "1.9", "0.5", "0.4"]


def test_the_readme_has_a_table_once_it_was_measured(tmp_path):
    assert readme.workers(tmp_path) == "This has not been measured yet.\n"
    (tmp_path / readme.WORKERS).write_text(json.dumps(result(MEASURED, PRESET)))
    text = readme.workers(tmp_path)
    assert "| 4 | 1 Gbit/s | 1.9 | 0.5 | 0.4 |\n" in text and text.startswith("| workers | network |")
    assert max(map(len, text.splitlines())) <= 120
    (tmp_path / readme.WORKERS).write_text('{"workers": {}, "coco": []}')
    with pytest.raises(CheckpointError, match="not what its command prints"):
        readme.workers(tmp_path)


def test_the_command_needs_photographs_and_says_what_it_found(monkeypatch, capsys):
    from captioner.benchmarks import bench_workers

    assert main(["bench", "--workers"]) == 2
    assert "bench --workers needs photographs" in capsys.readouterr().err
    monkeypatch.setattr(bench_workers, "workers_bench", lambda *asked: result(MEASURED, PRESET) | {"asked": asked[0]})
    assert main(["bench", "--workers", "--data", "here", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["asked"] == "here"
    assert main(["bench", "--workers", "--data", "here"]) == 0
    assert "hours an epoch" in capsys.readouterr().out
