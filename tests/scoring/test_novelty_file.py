"""The curve on disk: read back as it was written, bound to what it was measured with, and a sentence when it is damaged."""

import json
import shutil

import pytest

from captioner.config import SHIPPED
from captioner.errors import CheckpointError
from captioner.model.checkpoints import stages_in
from captioner.scoring.novelty_curve import MEAN
from captioner.scoring.novelty_file import CURVE, load_curve, to_json
from captioner.storage import read_json, write_json
from support.written_gauge import summary, write_curve


@pytest.fixture
def folder(tiny_run, tmp_path):
    folder = shutil.copytree(tiny_run, tmp_path / "run")
    summary().save(folder)
    return folder


def test_it_is_read_back_as_it_was_written(folder):
    curve = write_curve(folder)
    again = load_curve(folder)
    assert vars(again) == vars(curve) and again.zone(95) == curve.zone(95)
    assert set(again.whole.cider) == {"learned", "word2vec", "fasttext", MEAN}
    assert to_json(again) == read_json(folder / CURVE)


@pytest.mark.parametrize("stage", stages_in(SHIPPED))
def test_every_stage_that_ships_has_its_curve(stage):
    assert load_curve(SHIPPED / stage)


def test_where_nothing_was_measured_there_is_none(folder):
    assert load_curve(folder) is None


@pytest.mark.parametrize("change", ["manifest", "summary", "setting", "decoder"])
def test_of_anything_else_it_says_nothing(folder, change):
    write_curve(folder)
    if change == "manifest":
        (folder / "learned" / "manifest.json").write_text("{}")
    elif change == "summary":
        path = folder / "familiarity.safetensors"
        path.write_bytes(path.read_bytes() + b" ")
    elif change == "setting":
        write_json(folder / "search.json", {"beam": 2, "length_preference": 0.7})
    else:
        shutil.rmtree(folder / "fasttext")
    with pytest.raises(CheckpointError, match="of other decoders, another summary or another search setting"):
        load_curve(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.pop("bins"),
        lambda data: data["bins"].pop(3),
        lambda data: data["bins"].reverse(),
        lambda data: data["zones"].clear(),
        lambda data: data["whole"].update(photographs="100"),
        lambda data: data["whole"]["cider"].pop("learned"),
        lambda data: data["bins"][0]["cider"]["mean"].update(value=float("nan")),
        lambda data: data["correlation"].update(transformer=data["correlation"]["mean"]),
        lambda data: data["decoders"].update(transformer="1f"),
        lambda data: data.update(stranger_is_worse=None),
    ],
)
def test_a_damaged_file_is_a_sentence(folder, damage):
    write_curve(folder)
    data = read_json(folder / CURVE)
    damage(data)
    (folder / CURVE).write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match="familiarity.json is damaged"):
        load_curve(folder)
    (folder / CURVE).write_text("[]")
    with pytest.raises(CheckpointError, match="familiarity.json is damaged"):
        load_curve(folder)
