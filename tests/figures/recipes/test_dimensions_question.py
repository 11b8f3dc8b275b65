"""The open question: its numbers, what its two findings take to hold, and that they hold for the records that ship."""

import pytest

from captioner.config import SHIPPED
from captioner.experiments.plans import RECIPES
from captioner.experiments.records import read_records
from captioner.figures.curves.course_project import read_course
from captioner.figures.recipes import dimensions_question as question
from support.recipe_factory import EPOCHS, dimensions, gave_up, record, write_recipes

QUESTION = RECIPES.trials(["question"])


def made(**figures):
    return [record(trial, **figures) for trial in QUESTION]


def effects(**figures):
    return question.measure(question.groups(made(**figures)))


def with_ciders(ciders):
    return [record(one, width=0.8, cider=ciders[dimensions(one)] + 0.01 * (one.seed - 1.5)) for one in QUESTION]


def test_both_findings_hold_for_the_records_that_ship():
    found = question.groups(read_records(SHIPPED, RECIPES))
    assert question.measure(found).explained and question.loss_misleads(found)
    said = " ".join(question.sentences(read_records(SHIPPED, RECIPES)))
    assert question.EXPLAINED in said and question.LOSS in said


def test_groups_hold_the_seeds_of_the_question_alone(tmp_path):
    found = question.groups([*write_recipes(tmp_path), gave_up(RECIPES.trials()[1])])
    assert list(question.cells(found)) == [
        *(f"Word2Vec, {width}" for width in (300, 100, 50, 10)),
        *(f"FastText, {width}" for width in (300, 100, 50, 10)),
        *(f"Random, {width}" for width in (300, 10)),
    ]
    assert all([one.seed for one in group.records] == [1, 2] for group in found)


def test_effects_are_those_that_the_records_were_made_with():
    found = effects(width=0.6, embedding=-0.05, seed=0.02)
    assert [found.cost(name) for name in ("word2vec", "fasttext", "random")] == [pytest.approx(0.6)] * 3
    assert [found.apart(width) for width in (10, 50, 100, 300)] == [pytest.approx(-0.05)] * 4
    assert found.chance == pytest.approx(0.02) and found.epochs == EPOCHS
    lowest = {curve.variant.name: curve.best for curve in read_course()}
    assert found.course == pytest.approx(lowest["fasttext"] - lowest["word2vec"]) and round(found.course, 2) == 0.87


@pytest.mark.parametrize(("width", "embedding", "both"), [(0.6, 0.1, 0.0), (0.6, 0.1, 0.3), (0.5, -0.2, 0.4)])
def test_the_two_parts_make_up_the_gap(width, embedding, both):
    """An effect of both together is divided evenly."""
    found = effects(width=width, embedding=embedding, both=both)
    assert found.gap == pytest.approx(sum(found.parts)) == pytest.approx(width + embedding + both)
    assert found.parts == (pytest.approx(width + both / 2), pytest.approx(embedding + both / 2))


@pytest.mark.parametrize(
    ("figures", "explained"),
    [
        ({"width": 0.8, "embedding": 0.01}, True),
        ({"width": 0.9, "embedding": -0.1}, True),
        ({"width": 0.3, "embedding": 0.1}, False),  # The course's gap is larger.
        ({"width": 0.1, "embedding": 0.85}, False),  # It is the embedding.
        ({"width": 0.75, "embedding": 0.5}, False),  # It is both.
        ({"width": 0.1, "embedding": -0.75, "both": 1.45}, False),  # Only FastText needs its dimensions.
        ({"width": 0.8, "embedding": 0.0, "seed": 0.9}, False),  # Chance may do it.
        ({"width": -0.4, "embedding": -0.5}, False),  # The gap is gone.
    ],
)
def test_the_dimensions_explain_a_gap_that_they_make_up(figures, explained):
    found = effects(**figures)
    assert found.explained == explained == question.answered(found).startswith(question.EXPLAINED)


def test_the_answer_has_the_gap_and_its_parts():
    said = question.answered(effects(width=0.8, embedding=0.01))
    assert "10 dimensions ends at a training loss of 3.320, Word2Vec with 300 at 2.510" in said
    assert "gap of 0.810 is 93% of the course’s 0.870" in said and "+0.800 goes with the dimensions and +0.010" in said


def test_runs_of_different_lengths_are_compared_where_all_have_been():
    records = made()
    records[0] = record(QUESTION[0], losses=records[0].losses[:2])
    found = question.groups(records)
    assert question.measure(found).epochs == 2 and question.reached(found) == 2
    assert "after 2 epochs" in question.method(question.measure(found))
    assert question.cells(found)["Random, 10"]["training loss after 2 epochs"] == "4.410"


def test_before_enough_was_trained_there_is_no_answer():
    one_seed = [one for one in made() if one.seed == 1]
    one_seed_at_an_end = [one for one in made() if (dimensions(one.trial), one.seed) != (10, 2)]
    no_ends = [one for one in made() if dimensions(one.trial) in (50, 100)]
    assert all(question.measure(question.groups(few)) is None for few in (one_seed, one_seed_at_an_end, no_ends))
    assert question.sentences(one_seed) == question.sentences([]) == [question.asked(), question.NOT_YET]
    assert question.title(one_seed) == "An open question" != question.title(made()) == "An open question, answered"


def test_chance_is_measured_with_vectors_that_are_the_same_for_all_seeds():
    """Random rows are drawn anew for every seed, so they move a loss by more than the decoder's random numbers do."""
    records = [record(one, width=0.8, seed=0.07 if one.variant == "random" else 0.001) for one in QUESTION]
    found = question.measure(question.groups(records))
    assert found.chance == pytest.approx(0.001) and found.seeds == 2


def test_runs_that_diverged_are_named():
    *_, said = question.sentences([*made()[1:], gave_up(QUESTION[0]), gave_up(RECIPES.trials(["notes"])[1])])
    assert said == "Runs that diverged: course, word2vec, first stage, seed 1, embedding_dimensions 10."


@pytest.mark.parametrize(
    ("at_50", "misleads"),
    [(0.47, False), (0.505, True), (0.6, False)],  # The loss is lowest at 300, where CIDEr is 0.5; seeds differ by 0.01.
)
def test_the_lowest_loss_misleads_where_fewer_dimensions_caption_a_little_better(at_50, misleads):
    records = with_ciders({10: 0.4, 50: at_50, 100: 0.48, 300: 0.5})
    *_, said = question.sentences(records)
    assert "up to 0.010 in test CIDEr" in said
    assert question.loss_misleads(question.groups(records)) == misleads == (question.LOSS in said)


def test_the_question_is_asked_with_the_projects_own_figures():
    said = question.asked()
    assert "Word2Vec (300 dimensions)" in said and "FastText (10)" in said and "loss of 2.76, FastText only 3.63" in said
