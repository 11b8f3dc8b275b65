"""The rows of the benchmarks, from what the commands print."""

import json

import pytest

from captioner.config import SHIPPED
from captioner.figures.bench_results import BULK, CAPTION, LARGE, TEMPLATES, WORKERS, by_processes, by_stage, rows


def test_every_file_that_ships_has_its_rows():
    found = rows(SHIPPED)
    assert len(found) == sum(map(len, TEMPLATES.values())) and not any("{" in text for row in found for text in row)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        (
            LARGE,
            {"large": {"cache_gb": 60.2, "training_peak_gb": 1.234, "step_ratio": 1.031},
             "coco": {"captions": 625_000, "read_s": 4.56, "read_peak_gb": 0.789}},
            ["1.23 GB", "1.03 times", "4.6 s, 0.79 GB"],
        ),
        (
            BULK,
            {"bulk": {"photographs": 8000, "bulk_a_second": 41.6, "share_of_encoder": 0.714, "bulk_growth_mb": 1.26}},
            ["71% of its speed (42 photographs per second)", "1.3 MB more"],
        ),
    ],
)  # fmt: skip
def test_every_figure_is_the_files(tmp_path, name, data, expected):
    assert rows(tmp_path) == []
    (tmp_path / name).write_text(json.dumps(data))
    assert [result for _, result in rows(tmp_path)] == expected


def test_a_step_by_number_of_processes(tmp_path):
    workers = {"cores": 2, "parameters": 4022780, "gradient_ms": {"1": 122.5, "2": 68.4}, "move_ms": 18.2}
    (tmp_path / WORKERS).write_text(json.dumps({"workers": workers | {"all_reduce_ms": {"2": 42.6}}}))
    heads, one, two = by_processes(tmp_path)
    assert "summing 4.0 million numbers" in heads
    assert one == ("1", "122 ms", "0 ms", "18 ms") and two == ("2", "68 ms", "43 ms", "18 ms")


def test_the_stages_of_captioning_are_shares_of_the_encoders_time(tmp_path):
    stages = {"decode": 0.1, "resize": 0.051, "encode": 0.6, "learned": 0.25, "search": 0.125, "together": 1.5}
    (tmp_path / CAPTION).write_text(json.dumps({"one": stages, "many": stages | {"together": 0.904}}))
    heads, one, many = by_stage(tmp_path)
    assert heads[1:] == ("decode", "resize", "CNN", "Learned decoder", "search", "together")
    assert one == ("one photograph", "0.10", "0.05", "0.60", "0.25", "0.12", "1.50") and many[-1] == "0.90"
