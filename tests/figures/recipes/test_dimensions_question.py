"""The open question: its numbers, what its two claims take to be made, and that they hold for the records that ship."""

import pytest

from captioner.config import SHIPPED
from captioner.experiments.plans import RECIPES
from captioner.experiments.records import read_records
from captioner.figures.recipes import dimensions_question as question
from captioner.figures.recipes import question_charts
from support.recipe_factory import EPOCHS, dimensions, gave_up, record, write_recipes

QUESTION = RECIPES.trials(["question"])


def made(**figures):
    return [record(trial, **figures) for trial in QUESTION]


def with_ciders(ciders):
    return [record(one, width=0.8, cider=ciders[dimensions(one)] + 0.01 * (one.seed - 1.5)) for one in QUESTION]


def test_both_claims_hold_for_the_records_that_ship():
    said = " ".join(question.sentences(read_records(SHIPPED, RECIPES)))
    assert question.EXPLAINED in said and question.LOSS in said


def test_the_table_holds_the_means_of_the_question_alone(tmp_path):
    table = question.as_table(question.runs([*write_recipes(tmp_path), gave_up(RECIPES.trials()[1])]))
    assert list(table.index) == [
        *(f"Word2Vec, {width}" for width in (300, 100, 50, 10)),
        *(f"FastText, {width}" for width in (300, 100, 50, 10)),
        *(f"Random, {width}" for width in (300, 10)),
    ]
    assert table.loc["FastText, 10", f"training loss after {EPOCHS} epochs"] == "3.360"  # 2.5 + 0.8 + 0.05 + 0.01
    assert set(table.seeds) == {"2"} and table.loc["Random, 300", "test CIDEr"] == "0.500"


@pytest.mark.parametrize(
    ("figures", "parts", "explained"),
    [
        ({"width": 0.8, "embedding": 0.01}, "+0.800 goes with the dimensions and +0.010", True),
        ({"width": 0.9, "embedding": -0.1}, "+0.900 goes with the dimensions and −0.100", True),
        ({"width": 0.3, "embedding": 0.1}, "+0.300", False),  # The course's gap is larger.
        ({"width": 0.1, "embedding": 0.85}, "+0.100", False),  # It is the embedding.
        ({"width": 0.75, "embedding": 0.5}, "+0.750", False),  # It is both.
        ({"width": 0.1, "embedding": -0.75, "both": 1.45}, "+0.825 goes with the dimensions and −0.025", False),
        ({"width": 0.8, "embedding": 0.0, "seed": 0.9}, "+0.800", False),  # Chance may do it.
        ({"width": -0.4, "embedding": -0.5}, "−0.400", False),  # The gap is gone.
    ],
)
def test_the_dimensions_explain_a_gap_that_they_make_up(figures, parts, explained):
    said = question.sentences(made(**figures))[1]
    assert parts in said and (question.EXPLAINED in said) == explained


def test_the_answer_has_the_gap_and_the_courses():
    asked, said, *_ = question.sentences(made(width=0.8, embedding=0.01))
    assert "Word2Vec (300 dimensions)" in asked and "FastText (10)" in asked and "2.76, FastText only 3.63" in asked
    assert "10 dimensions ends at a training loss of 3.320, Word2Vec with 300 at 2.510" in said
    assert "gap of 0.810 is 93% of the course’s 0.870" in said


def test_runs_of_different_lengths_are_compared_where_all_have_been():
    records = made()
    records[0] = record(QUESTION[0], losses=records[0].losses[:2])
    assert "after 2 epochs" in " ".join(question.sentences(records))
    assert question.as_table(question.runs(records)).loc["Random, 10", "training loss after 2 epochs"] == "4.410"


@pytest.mark.parametrize(
    "kept",
    [lambda one: one.seed == 1, lambda one: (dimensions(one), one.seed) != (10, 2), lambda one: dimensions(one) in (50, 100),
     lambda one: False],
    ids=["one seed", "one seed at an end", "no ends", "nothing"],
)  # fmt: skip
def test_before_enough_was_trained_there_is_no_answer(kept):
    few = [record(one) for one in QUESTION if kept(one)]
    assert question.sentences(few)[1:] == [question.NOT_YET]
    assert question.title(question.runs(few)) == "An open question" != question.title(question.runs(made()))


def test_chance_is_measured_with_vectors_that_are_the_same_for_all_seeds():
    """Random rows are drawn anew for every seed, so they move a loss by more than the decoder's random numbers do."""
    records = [record(one, width=0.8, seed=0.07 if one.variant == "random" else 0.001) for one in QUESTION]
    assert "are up to 0.001 apart" in question.sentences(records)[2]


def test_runs_that_diverged_are_named():
    *_, said = question.sentences([*made()[1:], gave_up(QUESTION[0]), gave_up(RECIPES.trials(["notes"])[1])])
    assert said == "Runs that diverged: course, word2vec, first stage, seed 1, embedding_dimensions 10."


@pytest.mark.parametrize(
    ("at_50", "misleads"),
    [(0.47, False), (0.505, True), (0.6, False)],  # The loss is lowest at 300, where CIDEr is 0.5; seeds differ by 0.01.
)
def test_the_lowest_loss_misleads_where_fewer_dimensions_caption_a_little_better(at_50, misleads):
    *_, said = question.sentences(with_ciders({10: 0.4, 50: at_50, 100: 0.48, 300: 0.5}))
    assert "up to 0.010 in test CIDEr" in said and (question.LOSS in said) == misleads


def test_the_chart_has_a_line_for_every_table_and_width():
    found = question.runs(made(seed=0.02))
    rows = question_charts.rows(found)
    assert len(rows) == 10 * 2 * EPOCHS and set(rows.vectors) == {"Word2Vec", "FastText", "Random"}
    last = rows[(rows.vectors == "Word2Vec") & (rows.dimensions == 10) & (rows.epoch == EPOCHS)]
    assert list(last.loss) == pytest.approx([3.3, 3.32])
    bands, lines = (layer["encoding"] for layer in question_charts.chart(found).to_dict()["layer"])
    assert (bands["y"]["aggregate"], bands["y2"]["aggregate"], lines["y"]["aggregate"]) == ("min", "max", "mean")
    assert "Word2Vec, 10 3.310" in question_charts.summary(found)


def test_the_chart_of_the_ends_has_a_point_for_every_training():
    drawn = question_charts.end_chart(question.runs(made(seed=0.02))).to_dict()
    (rows,) = drawn["datasets"].values()
    ends = {(row["vectors"], row["dimensions"], row["seed"]): row["loss"] for row in rows}
    assert len(rows) == len(ends) == 20
    assert (ends["Word2Vec", 10, 1], ends["FastText", 10, 2]) == pytest.approx((3.3, 3.37))
    lines, points = drawn["layer"]
    assert lines["encoding"]["y"]["aggregate"] == "mean" and points["encoding"]["y"]["title"] == "training loss after 4 epochs"
