"""The answer to the open question: what records of known make must make it say."""

import pytest
from written_ancestors import EPOCHS, MEANINGLESS, gave_up, record, write_ancestors

from captioner.ancestor_records import plan
from captioner.figures import open_question
from captioner.figures.course import read_course

QUESTION = plan(["question"])


def made(**figures):
    return [record(ancestor, **figures) for ancestor in QUESTION]


def effects(**figures):
    return open_question.measure(open_question.groups(made(**figures)))


def test_groups_hold_the_seeds_of_the_question_alone(tmp_path):
    found = open_question.groups([*write_ancestors(tmp_path), gave_up(plan()[1])])
    assert [group.name for group in found] == [
        *(f"Word2Vec, {width}" for width in (300, 100, 50, 10)),
        *(f"FastText, {width}" for width in (300, 100, 50, 10)),
        *(f"Random, {width}" for width in (300, 10)),
    ]
    assert all([one.ancestor.seed for one in group.records] == [1, 2] for group in found)


def test_effects_are_those_that_the_records_were_made_with():
    found = effects(width=0.6, embedding=-0.05, seed=0.02)
    assert found.dimensions == {name: pytest.approx(0.6) for name in ("word2vec", "fasttext", "random")}
    assert found.embedding == pytest.approx(-0.05) and found.chance == pytest.approx(0.02) and found.epochs == EPOCHS
    assert found.random == pytest.approx(MEANINGLESS + 0.025)
    lowest = {curve.variant.name: curve.best for curve in read_course()}
    assert found.course == pytest.approx(lowest["fasttext"] - lowest["word2vec"]) and round(found.course, 2) == 0.87


@pytest.mark.parametrize(
    ("figures", "begins", "holds"),
    [
        ({"width": 0.8, "embedding": 0.01}, "So it is the dimensions: +0.800;", "the embedding does, +0.010, chance can"),
        ({"width": 0.8, "embedding": 0.01}, "So it is the dimensions: +0.800;", "so it accounts for the gap"),
        ({"width": 0.3, "embedding": 0.1}, "So it is the dimensions: +0.300;", "+0.100, is less, if more than chance. That is"),
        ({"width": 0.3, "embedding": -0.7}, "So it is the dimensions: +0.300;", "so a part of the gap has another cause"),
        ({"width": 0.1, "embedding": 0.85}, "So it is the embedding: +0.850;", "what the dimensions do, +0.100, is less"),
        ({"width": 0.01, "embedding": 0.01, "seed": 0.05}, "Neither fewer dimensions nor FastText raises", "more than chance"),
        ({"width": -0.4, "embedding": -0.5}, "Neither fewer dimensions nor FastText raises", "neither explains the gap"),
    ],
)
def test_the_verdict_follows_from_the_figures(figures, begins, holds):
    said = open_question.verdict(effects(**figures))
    assert said.startswith(begins) and holds in said


def test_trainings_of_different_lengths_are_compared_where_all_have_been():
    records = made()
    short = records[0].data["losses"][:2]
    records[0] = record(QUESTION[0], losses=short)
    found = open_question.groups(records)
    assert open_question.measure(found).epochs == 2 and open_question.reached(found) == 2
    told = open_question.told(open_question.measure(found))
    assert "compared after 2 epochs" in told and "+0.600 with Word2Vec, +0.600 with FastText and +0.600 with Random" in told


def test_before_enough_was_trained_there_is_no_answer():
    one_seed = [one for one in made() if one.ancestor.seed == 1]
    assert open_question.measure(open_question.groups(one_seed)) is None
    no_ends = [one for one in made() if one.ancestor.dimensions in (50, 100)]
    assert open_question.measure(open_question.groups(no_ends)) is None
    assert open_question.sentences(one_seed) == open_question.sentences([]) == []


def test_the_question_is_asked_with_the_projects_own_figures():
    assert "training loss of 2.76, the second no further than 3.63" in open_question.asked()
    assert "Its Word2Vec had 300 numbers a word, its FastText 10." in open_question.asked()


def test_the_chart_has_a_line_for_every_table_and_width():
    found = open_question.groups(made(seed=0.02))
    rows = open_question.curve_rows(found)
    assert len(rows) == 10 * EPOCHS and set(rows.vectors) == {"Word2Vec", "FastText", "Random"}
    last = rows[(rows.vectors == "Word2Vec") & (rows.dimensions == 10) & (rows.epoch == EPOCHS)].iloc[0]
    assert (last.low, last.loss, last.high) == pytest.approx((3.1, 3.11, 3.12))
    drawn = open_question.chart(found).to_dict()
    assert [layer["mark"]["type"] for layer in drawn["layer"]] == ["area", "line"]
    assert "Word2Vec, 10 3.110" in open_question.summary(found)


def test_the_table_has_means_over_seeds():
    table = open_question.as_table(open_question.groups(made()), EPOCHS)
    assert table.loc["FastText, 10", f"training loss after {EPOCHS} epochs"] == pytest.approx(2.5 + 0.6 + 0.05 + 0.01)
    assert set(table.seeds) == {2} and table.loc["Random, 300", "test CIDEr"] == pytest.approx(0.5)
