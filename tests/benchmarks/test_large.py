"""The benchmark of large data, made small: everything is measured on the right data, in processes of their own."""

from pathlib import Path

import pytest
from benchmarks import large

from captioner.benchmarks.memory import peak_megabytes, run_apart
from captioner.benchmarks.table import table
from captioner.training import batches
from support.synthetic import VIEW_NAMES, SilentEncoder, write_cache, write_coco


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name, value in (("_SMALL", 32), ("_ROUNDS", 2), ("_STEPS", 2), ("_WARM_UP", 1)):
        monkeypatch.setattr(large, name, value)


@pytest.mark.slow
def test_training_is_measured_on_both_caches(tmp_path, eager, monkeypatch):
    encoder = SilentEncoder(3, 3, 6)
    write_cache(tmp_path / "large", 200, encoder)
    write_cache(tmp_path / "small", 32, encoder)
    monkeypatch.setattr(batches, "MIXED_BYTES", 0)
    found = large.training(tmp_path, 200, "tiny", encoder)
    assert set(found) == set(large.FIGURES["large"]) and found["cache_photographs"] == 200
    assert found["cache_gb"] == pytest.approx(200 * len(VIEW_NAMES) * 9 * 6 * 2 / 1e9)
    assert found["epoch_read_gb"] == pytest.approx(found["cache_gb"] / len(VIEW_NAMES))  # one view of each photograph
    assert min(found[name] for name in ("prepare_s", "small_step_ms", "large_step_ms", "step_ratio")) > 0
    assert found["training_peak_gb"] * 1e9 / 2**20 == pytest.approx(peak_megabytes(), rel=0.05)


def test_reading_is_measured_in_a_process_of_its_own(tmp_path):
    write_coco(tmp_path, 60, 10)
    found = run_apart(large.__file__, large._READING, str(tmp_path))
    sizes = [path.stat().st_size for path in (tmp_path / "annotations").glob("*.json")]
    assert set(found) == set(large.FIGURES["coco"]) and found["captions"] == 5 * (60 + 10)
    assert found["file_mb"] == pytest.approx(sum(sizes) / 1e6) and found["read_s"] > 0 < found["vocabulary_s"]


def test_each_is_measured_in_a_process_of_its_own(monkeypatch):
    calls = []

    def apart(script, part, folder, *more):
        calls.append((Path(script).name, part, *more))
        held = sorted(path.relative_to(folder).parts[0] for path in Path(folder).rglob("*.json"))
        calls.append((sorted(set(held)), Path(folder)))
        return {"captions" if part == large._READING else "cache_gb": 3.0}

    monkeypatch.setattr(large, "run_apart", apart)
    monkeypatch.setattr(large, "_COCO", (20, 4))
    result = large.large_bench(0.1)
    photographs = round(0.1e9 / SilentEncoder().photograph_bytes)
    assert result == {"large": {"cache_gb": 3.0}, "coco": {"captions": 3.0}}
    assert calls[0] == ("large.py", large._TRAINING, str(photographs)) and calls[1][0] == ["large", "small"]
    assert calls[2] == ("large.py", large._READING) and calls[3][0] == ["annotations"]
    assert not calls[1][1].exists() and not calls[3][1].exists()  # Nothing is left behind.
    assert table(result, large.FIGURES).splitlines()[0].endswith("3 GB")
