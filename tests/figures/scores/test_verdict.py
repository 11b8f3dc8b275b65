"""Every sentence that the paired differences can lead to."""

from itertools import combinations

import pytest

from captioner.config import VARIANTS
from captioner.figures.scores.scoreboard import Board, Entry
from captioner.figures.scores.verdict import agreement, by_other_metrics, gaps, training_runs, verdict
from captioner.scoring.baselines import Yardstick
from captioner.scoring.bootstrap import Difference
from captioner.scoring.comparison import Comparison

SURE, BLURRED = 0.02, 0.09  # half an interval: smaller than every gap here, and larger than every gap
LEARNED_WORD2VEC, LEARNED_FASTTEXT, WORD2VEC_FASTTEXT = ("learned", "word2vec"), ("learned", "fasttext"), ("word2vec", "fasttext")
ALL = (LEARNED_WORD2VEC, LEARNED_FASTTEXT, WORD2VEC_FASTTEXT)
SCORES = {"learned": 0.50, "word2vec": 0.53, "fasttext": 0.57}
IN_ORDER = "FastText scores 0.570, Word2Vec 0.530 and Learned 0.500 (CIDEr)"


def board(blurred=(), split="test", scores=SCORES, compared=True, others=None) -> Board:
    """Decoders with a CIDEr each; chance can explain the differences in `blurred`, and `others` holds further metrics."""
    setting = {"data": "flickr8k", "images": 1000, "beam": 5, "length_preference": 1.0}
    more = dict.fromkeys(("bleu4", "rouge_l"), 0.3) if others else {}
    entries = [Entry(VARIANTS[name], Yardstick({"cider": value} | more, {}), setting) for name, value in scores.items()]
    differences = {}
    for first, second in combinations(scores, 2):
        value, half = scores[first] - scores[second], BLURRED if (first, second) in blurred else SURE
        same = dict.fromkeys(more, Difference(0.0, -0.01, 0.01))
        differences[first, second] = {"cider": Difference(value, value - half, value + half)} | same
    for pair, metrics in (others or {}).items():
        differences[pair] |= metrics
    return Board(split, tuple(entries), Comparison({}, differences, {}, {}, {}) if compared else None)


@pytest.mark.parametrize(
    ("blurred", "sentence"),
    [
        (
            ALL,
            f"no decoder is better than another beyond what chance explains: {IN_ORDER}, and a difference of 0.070 "
            "(−0.020 to 0.160) can be chance.",
        ),
        (
            [LEARNED_WORD2VEC],
            f"FastText is better than both others: {IN_ORDER}, and the smaller lead, 0.040 (0.020 to 0.060), is more than chance "
            "explains. Which of Word2Vec and Learned is better stays open.",
        ),
        (
            [WORD2VEC_FASTTEXT],
            f"Learned is worse than both others: {IN_ORDER}, and the smaller gap, 0.030 (0.010 to 0.050), is more than chance "
            "explains. Which of FastText and Word2Vec is better stays open.",
        ),
        (
            [],
            f"FastText is better than Word2Vec, which is better than Learned: {IN_ORDER}, and the smallest lead, 0.030 (0.010 to "
            "0.050), is more than chance explains.",
        ),
        (
            [LEARNED_WORD2VEC, WORD2VEC_FASTTEXT],
            f"FastText is better than Learned by 0.070 (0.050 to 0.090), more than chance explains: {IN_ORDER}. The other "
            "differences can be chance.",
        ),
    ],
)
def test_the_verdict_on_three(blurred, sentence):
    assert verdict(board(blurred)) == f"On 1,000 test photographs {sentence}"


def test_the_verdict_on_two_and_on_one():
    two = board(split="dev", scores={"learned": 0.5, "fasttext": 0.4})
    assert verdict(two) == (
        "On 1,000 dev photographs Learned is better than FastText: Learned scores 0.500 and FastText 0.400 (CIDEr), and the "
        "smallest lead, 0.100 (0.080 to 0.120), is more than chance explains."
    )
    assert verdict(board(scores={"learned": 0.5})) == (
        "On 1,000 test photographs only one decoder has been scored: Learned scores 0.500 (CIDEr). A comparison takes two."
    )


def test_without_a_comparison_the_scores_stand_alone():
    lonely = board(compared=False)
    assert verdict(lonely) == f"On 1,000 test photographs {IN_ORDER}; whether that is more than chance has not been computed."
    assert gaps(lonely, "cider") == [] and by_other_metrics(lonely) == ""


def test_a_gap_is_told_from_the_better_one():
    first, *_ = gaps(board(), "cider")
    assert (first.better, first.worse, first.proven) == ("Word2Vec", "Learned", True)
    assert (first.value, first.low, first.high) == pytest.approx((0.03, 0.01, 0.05))
    assert gaps(board(), "meteor") == []


def test_equal_decoders_differ_by_nothing_that_is_proven():
    same = board(scores={"learned": 0.5, "word2vec": 0.5})
    same.comparison.differences["learned", "word2vec"]["cider"] = Difference(0.0, 0.0, 0.0)
    assert "no decoder is better" in verdict(same)


def test_the_other_split_agrees_or_does_not():
    dev = board(ALL, "dev")
    assert agreement(board(ALL), dev) == "The 1,000 dev photographs say the same."
    turned = board(ALL, "dev", {"learned": 0.55, "word2vec": 0.5, "fasttext": 0.52})
    assert agreement(board(ALL), turned) == (
        "The 1,000 dev photographs say the same, though in another order: there Learned scores highest, 0.550, as it happens "
        "where chance decides."
    )
    assert agreement(board([]), dev) == (
        "The 1,000 dev photographs say something else: there no difference is more than chance explains."
    )
    assert agreement(dev, board([LEARNED_WORD2VEC, WORD2VEC_FASTTEXT])) == (
        "The 1,000 test photographs say something else: there FastText is better than Learned, beyond chance."
    )


def test_a_split_that_was_not_compared_says_nothing():
    assert agreement(board(), None) == agreement(board(), board(split="dev", compared=False)) == ""


def test_what_other_metrics_find():
    others = {LEARNED_FASTTEXT: {"bleu4": Difference(-0.02, -0.03, -0.01), "rouge_l": Difference(-0.02, -0.03, -0.01)}}
    assert by_other_metrics(board(ALL, others=others)) == (
        "Other measures set some apart beyond chance: FastText is above Learned by BLEU-4 and ROUGE-L. Among 6 such comparisons, "
        "though, chance alone lets about one in twenty stand out."
    )
    nothing = {LEARNED_FASTTEXT: {}}
    assert by_other_metrics(board(ALL, others=nothing)) == (
        "By BLEU-4 and ROUGE-L, too, no difference is more than chance explains."
    )


def test_one_seed_is_said_to_be_one():
    assert training_runs([3, 3, 3]).startswith("Each decoder was trained only once (seed 3).")
    assert "(seeds 1 and 2)" in training_runs([1, 2, 1])

