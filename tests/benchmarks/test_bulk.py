"""The benchmark of many files, on a few: everything is measured, in a process of its own."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from benchmarks import bulk as bench

from captioner.benchmarks.captioning import photograph
from captioner.captioning import bulk
from captioner.errors import ImageError


@pytest.fixture
def folder(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(photograph(number))
    return tmp_path


@pytest.mark.slow
def test_captioning_and_the_encoder_are_measured(tiny_run, folder, monkeypatch):
    monkeypatch.setattr(bench, "_ROUNDS", 2)
    monkeypatch.setattr(bench, "_WARM_UP", 4)
    monkeypatch.setattr(bulk, "MANY", 2)
    found = bench.measure(tiny_run, 9, folder)
    assert set(found) <= set(bench.FIGURES["bulk"]) and found["photographs"] == 9
    assert found["bulk_a_second"] > 0 < found["encoder_a_second"] and 0 <= found["bulk_growth_mb"] < 1000
    assert 0 < found["share_of_encoder"] < 2


def test_a_file_without_captions_ends_it(monkeypatch):
    monkeypatch.setattr(bulk, "entries", lambda *_: [{"image": "0.jpg", "error": "'0.jpg' is not a picture."}])
    with pytest.raises(ImageError, match="'0.jpg' is not a"):
        bench._caption(SimpleNamespace(encoder=SimpleNamespace(size=260)), ["0.jpg"], None)


def test_photographs_are_made_and_repeated(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "_DIFFERENT", 3)
    monkeypatch.setattr(bench, "run_apart", lambda *given: {"program": given[:-1], "places": bench._places(Path(given[-1]), 5)})
    found = bench.bulk_bench(tmp_path, 5)["bulk"]
    assert found["program"] == (str(Path(bench.__file__).resolve()), bench._MEASURE, str(tmp_path.resolve()), "5")
    assert len(set(found["places"])) == 3 and found["places"][0] == found["places"][3]
