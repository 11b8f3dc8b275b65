"""The benchmark of many files, on a few: everything is measured, in a process of its own, on the files given."""

from pathlib import Path

import pytest
from benchmarks import bulk as bench

from captioner.benchmarks.captioning import photograph
from captioner.captioning import bulk
from captioner.errors import ImageError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "inner").mkdir()
    for number in range(3):
        (tmp_path / "inner" / f"{number}.jpg").write_bytes(photograph(number))
    (tmp_path / "captions.txt").write_text("no picture")
    return tmp_path


def test_captioning_and_the_encoder_are_measured(tiny_run, folder, monkeypatch):
    monkeypatch.setattr(bench, "_ROUNDS", 2)
    monkeypatch.setattr(bench, "_WARM_UP", 4)
    monkeypatch.setattr(bulk, "MANY", 2)
    found = bench.measure(tiny_run, 9, folder)
    assert set(found) <= set(bench.FIGURES["bulk"]) and found["photographs"] == 9
    assert found["bulk_a_second"] > 0 < found["encoder_a_second"] and 0 <= found["bulk_growth_mb"] < 1000
    assert 0 < found["share_of_encoder"] < 2


def test_files_are_taken_over_and_over(folder):
    places = bench._places(folder, 7)
    assert len(places) == 7 and len(set(places)) == 3 and places[0] == places[3] and not any("txt" in one for one in places)
    with pytest.raises(ImageError, match="contains no supported images"):
        bench._places(folder / "nowhere", 7)


def test_a_file_that_cannot_be_read_ends_it(tiny_run, folder):
    (folder / "0.jpg").write_bytes(b"no picture")
    with pytest.raises(ImageError, match="'0.jpg' is not a"):
        bench.measure(tiny_run, 9, folder)


def test_photographs_are_made_where_none_are_given(tmp_path, folder, monkeypatch):
    calls = []

    def apart(script, _measure, checkpoints, photographs, place, *weights):
        calls.append((Path(script).name, checkpoints, photographs, *weights))
        found = bench._places(Path(place), 100)
        return {"different": len(set(found)), "first": found[0]}

    monkeypatch.setattr(bench, "run_apart", apart)
    assert bench.bulk_bench(tmp_path, 5)["bulk"]["different"] == 5
    assert bench.bulk_bench(tmp_path, 5, folder) == {"bulk": {"different": 3, "first": str(folder / "inner" / "0.jpg")}}
    assert calls == [("bulk.py", str(tmp_path.resolve()), "5")] * 2
    bench.bulk_bench(tmp_path, 5, folder, Path("vgg16.h5"))
    assert calls[2][3:] == (str(Path.cwd() / "vgg16.h5"),)
