"""Bootstrap intervals against the normal approximation, and against resampling written as a plain loop."""

from functools import cache

import numpy as np
import pytest

from captioner.errors import DatasetError
from captioner.scoring import bootstrap
from captioner.scoring.bootstrap import Estimate, interval, mean_interval, paired_difference
from captioner.scoring.metrics import METRICS, ROUGE_L, Scorer, summarise


@cache
def systems(images=400, seed=0):
    """References, and two systems of which the first copies them more faithfully."""
    random = np.random.default_rng(seed)
    references = [[random.choice(list("abcdefgh"), size=8).tolist() for _ in range(3)] for _ in range(images)]

    def copy(faith):
        return [[word if random.random() < faith else "x" for word in image[0]] for image in references]

    scorer = Scorer(references)
    return scorer.score(copy(0.8)), scorer.score(copy(0.7))


def normal_approximation(values):
    error = values.std() / np.sqrt(len(values))
    return pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.15 * error)


def test_means_have_the_interval_of_the_normal_approximation():
    first, second = systems()
    found = interval(first, resamples=4000)
    assert found["cider"] == normal_approximation(first.cider)
    assert found["rouge_l"] == normal_approximation(first.table[:, ROUGE_L])
    both = mean_interval([first, second], resamples=4000)["cider"]  # The same images are drawn for both.
    assert both == normal_approximation((first.cider + second.cider) / 2)
    assert mean_interval([first]) == interval(first)
    assert mean_interval([first, first, first])["bleu4"] == pytest.approx(interval(first)["bleu4"])


def test_bleu_is_computed_anew_on_every_resample():
    scores, _ = systems(images=60)
    random = np.random.default_rng(5)
    drawn = [summarise(scores.table[random.integers(60, size=60)].sum(axis=0), 60)["bleu4"] for _ in range(3000)]
    low, high = interval(scores, resamples=3000)["bleu4"]
    assert (low, high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=0.2 * np.std(drawn))
    assert low < scores.metrics["bleu4"] < high


def test_every_metric_has_an_interval_that_the_seed_repeats():
    first, second = systems(images=50)
    assert tuple(interval(first)) == tuple(paired_difference(first, second)) == METRICS
    assert interval(first, seed=1) == interval(first, seed=1) != interval(first, seed=2)
    assert paired_difference(first, second) == paired_difference(first, second)


def test_a_difference_is_paired():
    first, second = systems()
    difference = paired_difference(first, second)["cider"]
    assert difference.value == pytest.approx(first.metrics["cider"] - second.metrics["cider"])
    error = (first.cider - second.cider).std() / np.sqrt(400)
    expected = (difference.value - 1.96 * error, difference.value + 1.96 * error)
    assert (difference.low, difference.high) == pytest.approx(expected, abs=0.3 * error)
    assert difference.low > 0
    other = paired_difference(second, first)["cider"]
    assert tuple(other) == pytest.approx((-difference.value, -difference.high, -difference.low))
    assert set(paired_difference(first, first).values()) == {Estimate(0.0, 0.0, 0.0)}


def test_small_blocks_change_nothing(monkeypatch):
    scores, _ = systems(images=50)
    whole = interval(scores)["cider"]
    monkeypatch.setattr(bootstrap, "_CELLS_AT_ONCE", 700)
    assert interval(scores)["cider"] == pytest.approx(whole, rel=0.02)
    counts = np.concatenate(list(bootstrap.draws(50, 33, seed=0)))
    assert counts.shape == (33, 50)
    assert (counts.sum(axis=1) == 50).all()


def test_systems_on_other_images_are_refused():
    first, other = systems(images=10)[0], systems(images=12)[0]
    with pytest.raises(DatasetError, match="on the same images, but these have 10 and 12"):
        paired_difference(first, other)
