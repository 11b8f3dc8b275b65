"""The table of what was tried, from run files written here by hand."""

import json
from dataclasses import replace

import pytest

from captioner.config_io import to_json
from captioner.errors import CheckpointError
from captioner.presets import PRESETS
from captioner.reports.tried import differences, keep, table

SCORES = {"beam": 5, "length_preference": 1.0, "metrics": {"cider": 0.51234, "bleu4": 0.2, "rouge_l": 0.4}}


def write_run(folder, preset, variant="learned", **history):
    place = folder / variant
    place.mkdir(parents=True)
    config = {"preset": to_json(preset), "variant": variant, "encoder": {"name": preset.encoder}, "seed": 1}
    epochs = [{"epoch": 1, "dev_loss": 9.0, "seconds": 600}, {"epoch": 2, "dev_loss": 2.5, "seconds": 60, "stage": "reward"}]
    epochs.append({"epoch": 3, "dev_loss": 2.75, "seconds": 120, "stage": "reward"})
    for epoch in epochs[1:]:
        epoch["cores"] = 2
    (place / "config.json").write_text(json.dumps(config))
    (place / "history.json").write_text(json.dumps({"epochs": epochs, "earlier": 1} | history))
    (place / "decoder.safetensors").write_bytes(b"large")
    return folder


def test_a_row_for_every_run(tmp_path):
    preset = PRESETS["triptych"]
    softer = replace(preset, decoder=replace(preset.decoder, dropout=0.25), training=replace(preset.training, epochs=3))
    keep(write_run(tmp_path / "one", preset), tmp_path, "b-as-it-is", {"learned": SCORES})
    keep(write_run(tmp_path / "two", softer, "fasttext", earlier=0), tmp_path, "a-softer", {"fasttext": SCORES})
    assert not list(tmp_path.glob("tried/**/*.safetensors"))
    lines, scored = table(tmp_path).splitlines(), "beam 5, 1 | 0.5123 | 0.2000 | 0.4000"
    assert lines[0].startswith("| run | setting | decoder | stage | epochs | best dev loss | search | dev CIDEr")
    assert lines[2:] == [
        f"| a-softer | triptych, but dropout 0.25, epochs 3 | FastText | reward | 3 | 2.500 | {scored} | 13 |  |",
        f"| b-as-it-is | triptych | Learned | reward | 2 | 2.500 | {scored} | 3 | 2 |",
        "",
        "Tried with FastText and Learned, seed 1; what was chosen may suit these a little better than others.",
    ]


def test_differences_name_their_part():
    preset = PRESETS["tiny"]
    other = replace(preset, embedding=replace(preset.embedding, window=7), reward=replace(preset.reward, temper=0.5))
    assert differences(other, "vgg16", "reward") == "tiny, but encoder vgg16, vectors' window 7, reward temper 0.5"
    assert differences(other, "efficientnet-lite2", "first") == "tiny, but vectors' window 7"


def test_a_run_that_is_not_whole(tmp_path):
    keep(write_run(tmp_path / "one", PRESETS["tiny"]), tmp_path, "one", {"learned": SCORES})
    path = tmp_path / "tried" / "one" / "learned" / "history.json"
    path.write_text('{"epochs": [], "earlier": 0}')
    with pytest.raises(CheckpointError, match="is not complete"):
        table(tmp_path)
