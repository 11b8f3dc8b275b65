"""The answer to the open question: what records of known make must make it say."""

import pytest

from captioner.experiments.plans import RECIPES
from captioner.figures.curves.course_project import read_course
from captioner.figures.recipes import dimensions_question
from support.written_recipes import EPOCHS, MEANINGLESS, dimensions, gave_up, record, write_recipes

QUESTION = RECIPES.trials(["question"])


def made(**figures):
    return [record(trial, **figures) for trial in QUESTION]


def effects(**figures):
    return dimensions_question.measure(dimensions_question.groups(made(**figures)))


def test_groups_hold_the_seeds_of_the_question_alone(tmp_path):
    found = dimensions_question.groups([*write_recipes(tmp_path), gave_up(RECIPES.trials()[1])])
    assert [group.name for group in found] == [
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
    assert found.meaningless == pytest.approx(MEANINGLESS + 0.025)
    lowest = {curve.variant.name: curve.best for curve in read_course()}
    assert found.course == pytest.approx(lowest["fasttext"] - lowest["word2vec"]) and round(found.course, 2) == 0.87


@pytest.mark.parametrize(("width", "embedding", "both"), [(0.6, 0.1, 0.0), (0.6, 0.1, 0.3), (0.5, -0.2, 0.4)])
def test_the_two_parts_make_up_the_gap(width, embedding, both):
    """What comes of both together is divided evenly."""
    found = effects(width=width, embedding=embedding, both=both)
    assert found.gap == pytest.approx(found.losses["fasttext", 10] - found.losses["word2vec", 300])
    assert found.gap == pytest.approx(width + embedding + both)
    assert (found.by_dimensions, found.by_embedding) == (pytest.approx(width + both / 2), pytest.approx(embedding + both / 2))


DIMENSIONS, EMBEDDING = "It was the dimensions. ", "It was the embedding. "
RATHER_DIMENSIONS, NOTHING = "More than anything it was the dimensions. ", "The gap did not come back. "
BOTH = "Neither dimensions nor embedding explain it by themselves"


@pytest.mark.parametrize(
    ("figures", "begins", "holds"),
    [
        (
            {"width": 0.8, "embedding": 0.01},
            DIMENSIONS,
            "+0.800 goes with the dimensions and +0.010 with the embedding, which chance can explain (each averaged",
        ),
        (
            {"width": 0.8, "embedding": 0.01},
            DIMENSIONS,
            "ends at a loss of 3.320, Word2Vec with 300 at 2.510: they lie 0.810 apart, 93% of the 0.870 between",
        ),
        (
            {"width": 0.3, "embedding": 0.1},
            RATHER_DIMENSIONS,
            "they lie 0.400 apart, 46% of the 0.870 between the course’s two. The rest has",
        ),
        ({"width": 0.2, "embedding": 0.0}, RATHER_DIMENSIONS, "The rest has a cause that was not repeated here."),
        ({"width": 0.5, "embedding": 0.36}, RATHER_DIMENSIONS, "and +0.360 with the embedding (each averaged over the other)."),
        ({"width": 0.9, "embedding": -0.1}, DIMENSIONS, "−0.100 with the embedding, which works the other way (each averaged"),
        ({"width": 0.1, "embedding": 0.85}, EMBEDDING, "+0.850 goes with the embedding and +0.100 with the dimensions (each"),
        ({"width": 0.01, "embedding": 0.01, "seed": 0.05}, NOTHING, "chance alone moves a loss by up to 0.050"),
        ({"width": -0.4, "embedding": -0.5}, NOTHING, "ends at a loss of 1.610, Word2Vec with 300 at 2.510, and"),
        ({"width": 0.1, "embedding": -0.75, "both": 1.45}, BOTH, "what the other does"),
        ({"width": -0.3, "embedding": 0.3, "both": 1.2}, BOTH, "what the other does"),
    ],
)
def test_the_verdict_follows_from_the_figures(figures, begins, holds):
    said = dimensions_question.verdict(effects(**figures))
    assert said.startswith(begins) and holds in said


def test_the_rest_is_not_spoken_of_where_the_whole_gap_came_back():
    assert "The rest" not in dimensions_question.verdict(effects(width=0.5, embedding=0.36))


def test_trainings_of_different_lengths_are_compared_where_all_have_been():
    records = made()
    short = records[0].losses[:2]
    records[0] = record(QUESTION[0], losses=short)
    found = dimensions_question.groups(records)
    assert dimensions_question.measure(found).epochs == 2 and dimensions_question.reached(found) == 2
    told = dimensions_question.told(dimensions_question.measure(found))
    assert "compared after 2 epochs" in told and "+0.800 with Word2Vec, +0.800 with FastText and +0.800 with Random" in told
    assert "FastText in place of Word2Vec changes it by +0.050 at 10, +0.050 at 50, +0.050 at 100 and +0.050 at 300" in told


def test_before_enough_was_trained_there_is_no_answer():
    one_seed = [one for one in made() if one.seed == 1]
    assert dimensions_question.measure(dimensions_question.groups(one_seed)) is None
    one_seed_at_an_end = [one for one in made() if (dimensions(one.trial), one.seed) != (10, 2)]
    assert dimensions_question.measure(dimensions_question.groups(one_seed_at_an_end)) is None
    no_ends = [one for one in made() if dimensions(one.trial) in (50, 100)]
    assert dimensions_question.measure(dimensions_question.groups(no_ends)) is None
    assert dimensions_question.sentences(one_seed) == dimensions_question.sentences([]) == [dimensions_question.asked(), dimensions_question.NOT_YET]
    assert dimensions_question.title(one_seed) == "An open question" != dimensions_question.title(made()) == "An open question, answered"


def test_chance_is_measured_with_vectors_that_are_the_same_for_all_seeds():
    """Random rows are drawn anew for every seed, so they move a loss by more than the decoder's random numbers do."""
    records = [record(one, width=0.8, seed=0.07 if one.variant == "random" else 0.001) for one in QUESTION]
    found = dimensions_question.measure(dimensions_question.groups(records))
    assert found.chance == pytest.approx(0.001) and found.seeds == 2
    assert dimensions_question.verdict(found).endswith("and +0.050 with the embedding (each averaged over the other).")


def test_sizes_of_gaps_are_not_compared_without_a_word_of_caution():
    assert "compared only roughly" in dimensions_question.verdict(effects(width=0.8, embedding=0.01))


def test_what_was_given_up_is_told():
    records = [*made()[1:], gave_up(QUESTION[0]), gave_up(RECIPES.trials(["notes"])[1])]
    *_, told = dimensions_question.sentences(records)
    assert told == "Given up, as the loss ran away: course, word2vec, first stage, seed 1, embedding_dimensions 10."


def test_what_it_means_for_captions_is_told():
    ciders = {10: 0.4, 50: 0.47, 100: 0.48, 300: 0.5}
    records = [record(one, cider=ciders[dimensions(one)] + 0.01 * (one.seed - 1.5)) for one in QUESTION]
    *_, told = dimensions_question.sentences(records)
    assert "Word2Vec 0.500 at 300, 0.480 at 100, 0.470 at 50 and 0.400 at 10; FastText 0.500 at 300" in told
    assert told.endswith("; Random 0.500 at 300 and 0.400 at 10. Seeds of one setting lie up to 0.010 apart.")


@pytest.mark.parametrize(("at_50", "ends"), [(0.508, "at 50, though by no more than seeds lie apart."), (0.6, "FastText at 50.")])
def test_captions_that_are_best_elsewhere_than_the_loss_are_told(at_50, ends):
    ciders = {10: 0.4, 50: at_50, 100: 0.48, 300: 0.5}
    records = [record(one, cider=ciders[dimensions(one)] + 0.01 * (one.seed - 1.5)) for one in QUESTION]
    *_, told = dimensions_question.sentences(records)
    assert "does not make the best captions: best is Word2Vec at 50 and FastText at 50" in told and told.endswith(ends)


def test_the_question_is_asked_with_the_projects_own_figures():
    assert "training loss of 2.76, the second no further than 3.63" in dimensions_question.asked()
    assert "Its Word2Vec had 300 dimensions (numbers a word), its FastText 10." in dimensions_question.asked()
