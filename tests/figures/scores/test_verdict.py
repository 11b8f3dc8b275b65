"""The sentence on the best decoder, and the gaps behind it."""

from itertools import combinations

import pytest

from captioner.config import VARIANTS
from captioner.figures.scores.scoreboard import Board, Entry
from captioner.figures.scores.verdict import Gap, by_other_metrics, gaps, leader, training_runs, verdict
from captioner.scoring.baselines import ScoreSummary
from captioner.scoring.bootstrap import Estimate
from captioner.scoring.comparison import Comparison

SCORES = {"learned": 0.50, "word2vec": 0.53, "fasttext": 0.57}
NARROW, WIDE = 0.02, 0.09  # half an interval: smaller and larger than every gap


def board(half=NARROW, split="test", scores=SCORES, compared=True, others=None) -> Board:
    """Decoders with a CIDEr each and intervals of this half width; `others` holds further metrics of the first pair."""
    setting = {"data": "flickr8k", "images": 1000, "beam": 5, "length_preference": 1.0}
    more = dict.fromkeys(("bleu4", "rouge_l"), 0.3) if others else {}
    entries = [Entry(VARIANTS[name], ScoreSummary({"cider": value} | more, {}), setting) for name, value in scores.items()]
    differences = {}
    for first, second in combinations(scores, 2):
        value = scores[first] - scores[second]
        same = dict.fromkeys(more, Estimate(0.0, -0.01, 0.01))
        differences[first, second] = {"cider": Estimate(value, value - half, value + half)} | same
    if others:
        differences["learned", "word2vec"] |= others
    return Board(split, tuple(entries), Comparison({}, differences, {}, {}, {}) if compared else None)


@pytest.mark.parametrize(
    ("scores", "half", "lead"),
    [
        ((0.50, 0.53, 0.57), NARROW, "Word2Vec by 0.040"),
        ((0.50, 0.53, 0.57), WIDE, "Word2Vec by 0.040"),
        ((0.6, 0.5, 0.4), NARROW, "Word2Vec by 0.100"),
        ((0.6, 0.4, 0.5), NARROW, "FastText by 0.100"),
    ],
)
def test_the_best_decoder_its_lead_over_the_second_and_whether_that_is_significant(scores, half, lead):
    said = verdict(board(half, scores=dict(zip(SCORES, scores, strict=True))))
    assert said.startswith("On 1,000 test photographs, ") and f"scores highest (CIDEr {max(scores):.3f})" in said
    assert f"ahead of {lead} (" in said and said.endswith("The lead is significant." if half == NARROW else "not significant.")


def test_one_decoder_and_decoders_without_a_comparison():
    assert verdict(board(scores={"learned": 0.5}, split="dev")) == "On 1,000 dev photographs, Learned scores CIDEr 0.500."
    lonely = board(compared=False)
    assert "Word2Vec 0.530; whether the lead is significant was not computed" in verdict(lonely)
    assert gaps(lonely, "cider") == [] and by_other_metrics(lonely) == ""


def test_a_gap_is_told_from_the_better_one():
    first, *_ = gaps(board(), "cider")
    assert (first.better, first.worse, first.significant) == ("Word2Vec", "Learned", True)
    assert (first.value, first.low, first.high) == pytest.approx((0.03, 0.01, 0.05))
    assert gaps(board(), "meteor") == []


def test_an_interval_that_ends_at_zero_is_not_significant():
    assert not Gap.of("a", "b", 0.0, 0.0, 0.0).significant and not Gap.of("a", "b", -0.1, -0.2, 0.0).significant
    assert leader({"a": 0.5, "b": 0.5}, [Gap.of("a", "b", 0.0, 0.0, 0.0)]).endswith("not significant.")


def test_what_other_metrics_find():
    others = {"bleu4": Estimate(-0.02, -0.03, -0.01), "rouge_l": Estimate(-0.02, -0.03, -0.01)}
    assert "Of 6 differences by the other metrics, 2 are significant" in by_other_metrics(board(others=others))
    none = {"bleu4": Estimate(-0.02, -0.03, 0.01), "rouge_l": Estimate(-0.02, -0.03, 0.01)}
    assert "6 differences by the other metrics, 0 are" in by_other_metrics(board(others=none))


def test_the_seeds_are_named_once():
    assert "(seed 3)" in training_runs([3, 3, 3]) and "(seeds 1 and 2)" in training_runs([1, 2, 1])
