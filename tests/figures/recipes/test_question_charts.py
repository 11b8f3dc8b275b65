"""The charts of the open question, against records of known make."""

import pytest

from captioner.experiments.plans import RECIPES
from captioner.figures.recipes import dimensions_question, question_charts
from support.recipe_factory import EPOCHS, record


def made(**figures):
    return [record(trial, **figures) for trial in RECIPES.trials(["question"])]


def test_the_chart_has_a_line_for_every_table_and_width():
    found = dimensions_question.groups(made(seed=0.02))
    rows = question_charts.rows(found)
    assert len(rows) == 10 * 2 * EPOCHS and set(rows.vectors) == {"Word2Vec", "FastText", "Random"}
    last = rows[(rows.vectors == "Word2Vec") & (rows.dimensions == 10) & (rows.epoch == EPOCHS)]
    assert list(last.loss) == pytest.approx([3.3, 3.32])
    drawn = question_charts.chart(found).to_dict()
    bands, lines = (layer["encoding"] for layer in drawn["layer"])
    assert (bands["y"]["aggregate"], bands["y2"]["aggregate"], lines["y"]["aggregate"]) == ("min", "max", "mean")
    assert "Word2Vec, 10 3.310" in question_charts.summary(found)


def test_the_chart_of_the_ends_has_a_point_for_every_training():
    drawn = question_charts.end_chart(dimensions_question.groups(made(seed=0.02))).to_dict()
    (rows,) = drawn["datasets"].values()
    ends = {(row["vectors"], row["dimensions"], row["seed"]): row["loss"] for row in rows}
    assert len(rows) == len(ends) == 20
    assert (ends["Word2Vec", 10, 1], ends["FastText", 10, 2]) == pytest.approx((3.3, 3.37))
    lines, points = drawn["layer"]
    assert lines["encoding"]["y"]["aggregate"] == "mean" and points["encoding"]["y"]["title"] == "training loss after 4 epochs"


def test_the_table_has_means_over_seeds():
    table = question_charts.as_table(dimensions_question.groups(made()))
    assert table.loc["FastText, 10", f"training loss after {EPOCHS} epochs"] == "3.360"  # 2.5 + 0.8 + 0.05 + 0.01
    assert set(table.seeds) == {"2"} and table.loc["Random, 300", "test CIDEr"] == "0.500"
