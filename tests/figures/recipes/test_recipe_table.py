"""The table of older recipes and its chart, against sums worked by hand."""

from dataclasses import replace

import pytest

from captioner.config import VARIANTS
from captioner.experiments.plans import RECIPES
from captioner.figures.recipes import recipe_table
from captioner.figures.scores.published import PUBLISHED
from captioner.presets import OLDER_RECIPES, find_preset
from support.recipe_factory import gave_up, record, write_recipes

TABLE = RECIPES.trials(["table"])
STACKED, RELU, JOINED = RECIPES.trials(["notes"])


def test_a_row_for_every_recipe_and_embedding(tmp_path):
    rows = recipe_table.rows(write_recipes(tmp_path))
    assert [(row["recipe"], row["vectors"]) for row in rows] == [
        (preset, variant.title) for preset in OLDER_RECIPES for variant in VARIANTS.values()
    ]
    course = rows[1]
    assert course["test CIDEr"] == "0.500 (0.470 to 0.530)" and course["dev CIDEr"] == "0.500 (0.470 to 0.530)"
    scores = [f"{split} {title}" for split in ("test", "dev") for title in ("CIDEr", "BLEU-4", "ROUGE-L")]
    assert list(course)[2:8] == scores and list(course)[-1] == "published"
    assert course["words"] == "100"
    assert course["parameters"] == f"{5000 + 100 * 300:,}" and course["of them trained"] == "5,000"
    assert (course["seconds of the fastest epoch"], course["milliseconds a caption"]) == ("41", "12")
    assert course["published"] == "Merge, 2018: CIDEr 0.469" and rows[-1]["published"] == "Soft attention, 2015: BLEU-4 0.195"
    table = recipe_table.as_table(write_recipes(tmp_path))
    assert len(table) == 15 and "course, Word2Vec" in table.index


def test_the_chart_has_each_decoder_its_interval_and_what_was_published():
    records = [record(one, cider=0.4 + place / 100) for place, one in enumerate(TABLE)]
    drawn = recipe_table.chart(records).to_dict()
    bars, points, diamonds = drawn["layer"]
    assert [layer["mark"]["type"] for layer in drawn["layer"]] == ["rule", "point", "point"]
    rows, published = (drawn["datasets"][layer["data"]["name"]] for layer in (points, diamonds))
    assert len(rows) == 15 and rows[4]["recipe"] == "show-and-tell" and rows[4]["vectors"] == "Word2Vec"
    assert (rows[4]["cider"], rows[4]["low"], rows[4]["high"]) == pytest.approx((0.44, 0.41, 0.47))
    assert [(row["recipe"], round(row["cider"], 3)) for row in published] == [
        ("course", 0.469), ("show-and-tell", 0.481), ("resnet152-lstm", 0.469), ("stacked", 0.469)
    ]  # fmt: skip
    assert "show-and-tell with Word2Vec 0.440; " in recipe_table.summary(records)
    others = [record(TABLE[0], data="shapes")]
    assert recipe_table.rows(others)[0]["published"] == ""
    alone = recipe_table.chart(others).to_dict()
    assert alone["datasets"][alone["layer"][2]["data"]["name"]] == []


def test_every_recipe_has_a_published_relative():
    titles = {system.title: system for system in PUBLISHED}
    assert tuple(recipe_table.RECIPES) == OLDER_RECIPES
    assert {one.relative for one in recipe_table.RECIPES.values()} <= set(titles)
    known = {name: round(titles[recipe_table.RECIPES[name].relative].metrics["cider"], 3) for name in OLDER_RECIPES[:4]}
    assert known == {"course": 0.469, "show-and-tell": 0.481, "resnet152-lstm": 0.469, "stacked": 0.469}


def test_what_is_told_of_the_recipes_is_what_their_presets_hold():
    told = dict(recipe_table.recipes())
    assert tuple(told) == OLDER_RECIPES and not any(mark in text for text in told.values() for mark in "*`")
    course, show, resnet, stacked, attention = (find_preset(name) for name in OLDER_RECIPES)
    dropout = course.decoder.dropout
    assert dropout == course.decoder.feature_dropout and f"dropout {dropout} on photograph and words" in told["course"]
    assert f"to {course.decoder.image_units} units" in told["course"]
    assert f"LSTM of {course.decoder.units} units," in told["course"]
    assert show.decoder.units == show.decoder.embedding_dimensions and not show.decoder.hidden_units
    layers = f"embedding and LSTM of {show.decoder.units}, no hidden layer"
    assert f"{layers}, beam size {show.search.beam};" in told["show-and-tell"]
    assert resnet.search.beam == 1 and resnet.decoder.image_norm == "batch"
    words = f"words seen {resnet.training.minimum_count} times, greedy search, up to {resnet.search.maximum_words} words"
    assert f"LSTM of {resnet.decoder.units}, {words};" in told["resnet152-lstm"]
    lstms = f"{stacked.decoder.layers} stacked LSTMs, words seen {stacked.training.minimum_count} times;"
    assert lstms in told["stacked"] and f"LSTM of {attention.decoder.units};" in told["attention"]


def test_what_was_changed_or_given_up_is_not_in_the_table():
    records = [record(STACKED), record(RELU), record(JOINED), gave_up(TABLE[0])]
    assert [one.trial for one in recipe_table.table_records(records)] == [STACKED]
    assert recipe_table.rows([gave_up(TABLE[0])]) == []


def test_meteor_has_a_column_where_all_have_it():
    plain = record(TABLE[0]).scores["test"]
    score = replace(plain, metrics=plain.metrics | {"meteor": 0.19})
    with_it = record(TABLE[0], scores={"dev": score, "test": score})
    assert recipe_table.rows([with_it])[0]["test METEOR"] == "0.190"
    assert "test METEOR" not in recipe_table.rows([with_it, record(TABLE[1])])[0]
    without_dev = record(TABLE[0], scores={"dev": plain, "test": score})
    assert "test METEOR" not in recipe_table.rows([without_dev])[0]
