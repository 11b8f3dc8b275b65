"""Which trainings the comparison of older recipes takes, and records that come back, or are refused with a reason."""

import json
from collections import Counter

import pytest

from captioner.config import FIRST, VARIANTS
from captioner.errors import CheckpointError
from captioner.experiments.ancestor_records import ANCESTORS_FILE, Ancestor, find_file, plan, read_records, save_records
from captioner.presets import ANCESTORS, PARTS, PRESETS
from support.written_ancestors import gave_up, record, write_ancestors

SCORES = record(plan()[0]).data["test"]


def test_the_plan_has_every_training_once():
    whole = plan()
    assert len(set(whole)) == len(whole) and set(whole) == {one for part in PARTS for one in plan([part])}
    table, question, notes = (plan([part]) for part in PARTS)
    assert [(one.preset, one.variant) for one in table] == [(preset, name) for preset in ANCESTORS for name in VARIANTS]
    assert all(one.settings == PRESETS[one.preset] for one in table)
    widths = Counter((one.variant, one.seed) for one in question)
    assert widths == {(name, seed): count for seed in (1, 2) for name, count in (("word2vec", 4), ("fasttext", 4), ("random", 2))}
    assert {one.dimensions for one in question if one.variant == "random"} == {10, 300}
    assert {(one.activation, one.splits) for one in notes} == {("tanh", "standard"), ("relu", "standard"), ("tanh", "7000-1000")}
    assert len({(one.place, one.variant) for one in whole}) == len(whole)  # No two are trained in one folder.


def test_a_training_changes_what_it_says_and_no_more():
    one = Ancestor("stacked", "word2vec", 50, activation="relu")
    assert (one.settings.decoder.embedding_dimensions, one.settings.decoder.activation) == (50, "relu")
    assert one.settings.training == PRESETS["stacked"].training and one.settings.decoder.layers == 4
    assert str(one) == "stacked, word2vec, 50 dimensions, seed 1, relu"


def test_records_come_back_in_the_order_of_the_plan(tmp_path):
    assert read_records(tmp_path) == []
    records = write_ancestors(tmp_path)
    save_records(tmp_path, list(reversed(records)))
    found = read_records(tmp_path)
    assert [one.ancestor for one in found] == plan() and found[0].losses[-1] == pytest.approx((2.5, 2.8))
    assert found[0].metric("test", "cider") == 0.5 and not found[-1].has("dev")
    save_records(tmp_path, [gave_up(plan(["notes"])[1])])
    (given_up,) = read_records(tmp_path)
    assert "became nan" in given_up.gave_up and given_up.losses == [(5.0, 4.5)]


def test_they_lie_beside_the_decoders_or_beside_their_stages(tmp_path):
    write_ancestors(tmp_path, ["table"])
    assert find_file(tmp_path) == find_file(tmp_path / FIRST) == tmp_path / ANCESTORS_FILE
    assert read_records(tmp_path / "elsewhere") == []


def test_records_of_other_settings_are_refused(tmp_path, monkeypatch):
    write_ancestors(tmp_path, ["table"])
    data = json.loads((tmp_path / ANCESTORS_FILE).read_text())
    data["trainings"][4]["settings"]["training"]["epochs"] += 1
    (tmp_path / ANCESTORS_FILE).write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match="record of show-and-tell, word2vec, .* with other settings than the preset’s"):
        read_records(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"losses": [[1.0]]},
        {"losses": [[1.0, float("nan")]]},
        {"losses": []},
        {"preset": "parrot"},
        {"variant": "glove"},
        {"fastest_epoch": None},
        {"trainable": "many"},
        {"test": {"metrics": {"cider": 1}, "intervals": {}}},
        {"test": SCORES | {"metrics": SCORES["metrics"] | {"meteor": "high"}}},
        {"dimensions": None},
        {"encoder": None},
        {"trained_on": "all"},
        {"words": None},
    ],
)
def test_damaged_records_are_refused(tmp_path, change):
    save_records(tmp_path, [record(plan()[0])])
    data = json.loads((tmp_path / ANCESTORS_FILE).read_text())
    data["trainings"][0] |= change
    (tmp_path / ANCESTORS_FILE).write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match="delete it, and python -m captioner ancestors --data DIR trains anew"):
        read_records(tmp_path)


def test_the_same_training_twice_is_refused(tmp_path):
    save_records(tmp_path, [record(plan()[0])] * 2)
    with pytest.raises(CheckpointError, match="is damaged"):
        read_records(tmp_path)


@pytest.mark.parametrize("text", ["[]", "{}", '{"trainings": 3}', "no"])
def test_what_is_no_list_of_records_is_refused(tmp_path, text):
    (tmp_path / ANCESTORS_FILE).write_text(text)
    with pytest.raises(CheckpointError):
        read_records(tmp_path)
