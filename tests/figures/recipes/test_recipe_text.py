"""The notes on the older recipes, against numbers worked by hand."""

from dataclasses import replace
from statistics import fmean

import pytest

from captioner.config import SHIPPED, VARIANTS
from captioner.experiments.plans import RECIPES
from captioner.experiments.records import read_records
from captioner.figures.recipes import recipe_text
from captioner.presets import OLDER_RECIPES
from support.recipe_factory import gave_up, record
from support.study_factory import write_study

TABLE = RECIPES.trials(["table"])
STACKED, RELU, JOINED = RECIPES.trials(["notes"])


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path)


def test_all_notes_are_there_for_the_records_that_ship():
    notes = recipe_text.sentences(read_records(SHIPPED, RECIPES))
    assert len(notes) == 4 and all(name in notes[0] for name in OLDER_RECIPES)


def test_recipes_are_beside_their_relatives_by_their_means():
    ciders = {"course": (0.43, 0.44, 0.45), "show-and-tell": (0.44, 0.45, 0.46), "resnet152-lstm": (0.5, 0.6, 0.7)}
    records = [record(one, cider=ciders.get(one.preset, (0.4,) * 3)[list(VARIANTS).index(one.variant)]) for one in TABLE]
    said = recipe_text.compared(records)
    for part in ("course CIDEr 0.440 (Merge, 2018: 0.469)", "show-and-tell CIDEr 0.450 (Init-inject, 2018: 0.481)",
                 "resnet152-lstm CIDEr 0.600 (Pre-inject, 2018: 0.469)", "stacked CIDEr 0.400 (Merge, 2018: 0.469)",
                 "attention BLEU-4 0.200 (Soft attention, 2015: 0.195 by another"):  # fmt: skip
        assert part in said
    assert "only roughly comparable" in said


def test_other_photographs_have_no_relatives():
    records = [record(one, data="shapes") for one in TABLE]
    assert recipe_text.compared(records) == "" and "older CNNs" not in recipe_text.conditions(records)


def test_the_conditions_are_those_of_the_records():
    said = recipe_text.conditions([record(TABLE[0], cores=1), record(TABLE[1])])
    assert "Encoder: efficientnet-lite2." in said and "CPU cores: 1 to 2)" in said and "Merge, 2018 (VGG16, 3 runs)" in said
    assert "CPU cores: 1)" in recipe_text.conditions([record(TABLE[0], cores=1)])
    assert "Soft attention, 2015 (VGG19, 1 run)." in recipe_text.conditions([record(TABLE[-1])])


def test_this_projects_recipe_on_both_cnns(study):
    means = {(one.name, one.on_original_encoder): fmean(one.runs["cider"]) for one in study.stage("first")}
    said = recipe_text.ours([record(one) for one in TABLE], study)
    assert f"of Word2Vec {means['word2vec', True]:.3f} (seeds: 2) on the same CNN" in said and "Random" not in said
    assert f"FastText {means['fasttext', False]:.3f} (seeds: 2) on the fine-tuned one" in said
    assert "6 views of each photograph instead of 1" in said


def test_this_projects_recipe_needs_the_same_photographs_and_cnn(study):
    own = replace(study, groups=tuple(group for group in study.groups if not group.on_original_encoder))
    assert recipe_text.ours([record(STACKED)], study) and recipe_text.ours([record(STACKED)], own) == ""
    assert recipe_text.ours([record(STACKED)], None) == ""
    for changes in ({"data": "shapes"}, {"encoder": "VGG16"}):
        assert recipe_text.ours([record(STACKED), record(TABLE[0], **changes)], study) == ""


def test_what_relu_and_joined_splits_change():
    changed = record(RELU, cider=0.123, losses=((6.5, 6.25), (6.0, 5.75))), record(JOINED, cider=0.55, words=120)
    relu, joined = recipe_text.changed([record(STACKED), *changed])
    assert "dev loss 5.750 instead of 2.800" in relu and "first epoch 6.500 instead of 4.000" in relu
    assert "test CIDEr 0.123 (0.093 to 0.153) instead of 0.500 (0.470 to 0.530)" in relu
    assert "6,999 photographs and 120 words instead of 5,999 photographs and 100 words" in joined
    assert "test CIDEr 0.550 (0.520 to 0.580) instead of 0.500 (0.470 to 0.530)" in joined
    assert recipe_text.changed([record(STACKED), changed[1]]) == [joined]
    assert recipe_text.changed([record(STACKED), gave_up(RELU)]) == recipe_text.changed(changed) == []


def test_records_may_be_few():
    assert recipe_text.sentences([]) == []
    for preset in OLDER_RECIPES:
        assert recipe_text.sentences([record(one) for one in TABLE if one.preset == preset])
