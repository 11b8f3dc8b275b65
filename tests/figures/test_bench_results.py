"""The rows of the benchmarks, from what the commands print."""

import json
import shutil

import pytest

from captioner.config import SHIPPED
from captioner.figures.bench_results import BULK, LARGE, TEMPLATES, WORKERS, by_processes, rows


@pytest.fixture
def folder(tmp_path):
    """Holds the two benchmarks that everybody runs."""
    for name in TEMPLATES.keys() - {LARGE, BULK}:
        shutil.copy(SHIPPED / name, tmp_path / name)
    return tmp_path


def test_every_file_that_ships_has_its_rows():
    found = rows(SHIPPED)
    assert len(found) == sum(map(len, TEMPLATES.values())) and not any("{" in text for row in found for text in row)


def test_the_bench_of_large_data_has_rows_once_it_was_kept(folder):
    without = rows(folder)
    large = {"cache_gb": 60.2, "training_peak_gb": 1.234, "step_ratio": 1.031}
    coco = {"captions": 625_000, "read_s": 4.56, "read_peak_gb": 0.789}
    (folder / LARGE).write_text(json.dumps({"large": large, "coco": coco}))
    new = [row for row in rows(folder) if row not in without]
    assert [result for _, result in new] == ["1.23 GB", "1.03 times", "4.6 s, 0.79 GB"]
    assert "60 GB cache (sparse files)" in new[0][0] and "625,000 captions" in new[2][0]


def test_the_bench_of_many_files_has_rows_once_it_was_kept(folder):
    speed = {"bulk_a_second": 41.6, "encoder_a_second": 58.2, "share_of_encoder": 0.714}
    (folder / BULK).write_text(json.dumps({"bulk": {"photographs": 8000, "bulk_growth_mb": 1.26} | speed}))
    found = dict(rows(folder))
    assert "71% of its speed (42 photographs per second)" in found.values() and "1.3 MB more" in found.values()
    assert any(what.startswith("8,000 files") for what in found)


def test_a_step_by_number_of_processes(tmp_path):
    workers = {"cores": 2, "parameters": 4022780, "gradient_ms": {"1": 122.5, "2": 68.4}, "move_ms": 18.2}
    (tmp_path / WORKERS).write_text(json.dumps({"workers": workers | {"all_reduce_ms": {"2": 42.6}}}))
    heads, one, two = by_processes(tmp_path)
    assert "summing 4.0 million numbers" in heads
    assert one == ("1", "122 ms", "0 ms", "18 ms") and two == ("2", "68 ms", "43 ms", "18 ms")
