"""What familiarity foretells: against means and ranks made by hand or by another library, and against chance."""

import doctest

import numpy as np
import pytest
from scipy import stats

from captioner.errors import FeatureError
from captioner.scoring import novelty_curve
from captioner.scoring.novelty_curve import BETTER, MEAN, USUAL, WORSE, measure, spearman, stranger_is_worse

COUNT = 203


@pytest.fixture(scope="module")
def falling():
    """Captions that fit well, as usual and badly, by thirds of the order of strangeness, and a decoder that is a bit better."""
    random = np.random.default_rng(0)
    strangeness = random.permutation(COUNT).astype(float)
    level = np.select([strangeness < 60, strangeness < 140], [0.9, 0.5], 0.1)
    learned = level + random.normal(0, 0.1, COUNT)
    return strangeness, {"learned": learned, "fasttext": learned + 0.2}


def test_bins_are_of_equal_numbers_and_hold_their_means(falling):
    strangeness, cider = falling
    curve = measure({"data": "x"}, strangeness, cider)
    assert curve.of == {"data": "x"} and {one.photographs for one in curve.bins} == {20, 21}
    assert [one.start for one in curve.bins] + [100] == [0, *(one.end for one in curve.bins)]
    for one in curve.bins:
        inside = (100 * strangeness / COUNT >= one.start - 1e-9) & (100 * strangeness / COUNT < one.end - 1e-9)
        assert inside.sum() == one.photographs
        for name, values in cider.items():
            assert one.cider[name].value == pytest.approx(values[inside].mean())
        assert one.cider[MEAN].value == pytest.approx(one.cider["learned"].value + 0.1)
    assert curve.whole.cider["learned"].value == pytest.approx(cider["learned"].mean()) and curve.whole.photographs == COUNT


def test_intervals_are_those_of_another_bootstrap(falling):
    strangeness, cider = falling
    one = measure({}, strangeness, cider).bins[0]
    inside = cider["learned"][strangeness < 20]
    other = stats.bootstrap([inside], np.mean, n_resamples=5000, method="percentile", rng=1).confidence_interval
    assert one.cider["learned"][1:] == pytest.approx(tuple(other), abs=0.01)


def test_the_rank_correlation_is_scipys(falling):
    random = np.random.default_rng(2)
    for first, second in ((random.normal(size=50), random.normal(size=50)), random.integers(0, 5, (2, 80))):
        assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    strangeness, cider = falling
    found = measure({}, strangeness, cider).correlation["learned"]
    other = stats.bootstrap(
        (strangeness, cider["learned"]), spearman, paired=True, vectorized=False, n_resamples=1000, method="percentile", rng=1
    ).confidence_interval
    assert found[0] == pytest.approx(stats.spearmanr(strangeness, cider["learned"]).statistic)
    assert found[1:] == pytest.approx(tuple(other), abs=0.01)


def test_what_does_not_vary_foretells_nothing():
    assert spearman(np.arange(5), np.ones(5)) == 0 and stranger_is_worse(np.ones(5), np.arange(5)) == 0.5
    curve = measure({}, np.arange(12), {"learned": np.zeros(12)})
    assert curve.flat and curve.correlation[MEAN] == (0, 0, 0) and curve.stranger_is_worse == 0.5


def test_pairs_by_kendalls_count():
    random = np.random.default_rng(3)
    strangeness, cider = random.normal(size=60), random.normal(size=60)
    tau = stats.kendalltau(strangeness, cider).statistic
    assert stranger_is_worse(strangeness, cider) == pytest.approx((1 - tau) / 2)
    assert stranger_is_worse(np.array([1, 1, 2]), np.array([3, 9, 5])) == 1 / 2
    assert doctest.testmod(novelty_curve).failed == 0


def test_zones_reach_inwards_as_far_as_every_bin_is_beyond_chance(falling):
    curve = measure({}, *falling)
    assert list(curve.zones) == [BETTER, USUAL, WORSE] and not curve.flat
    assert curve.zones[BETTER].end == curve.bins[2].end and curve.zones[WORSE].start == curve.bins[7].start
    first = [one.cider["learned"].value * one.photographs for one in curve.bins[:3]]
    assert curve.zones[BETTER].cider["learned"].value * curve.zones[BETTER].photographs == pytest.approx(sum(first))
    low, high = curve.zones[BETTER].cider[MEAN][1:]
    assert low < curve.zones[BETTER].cider[MEAN].value < high and high - low < np.ptp(curve.bins[0].cider[MEAN][1:])
    places = [curve.zone(percentile) for percentile in (0, 29, 31, 68, 70, 100)]
    assert places == [BETTER, BETTER, USUAL, USUAL, WORSE, WORSE]


def test_a_good_stretch_in_the_middle_opens_no_zone():
    cider = np.full(100, 0.5)
    cider[40:50] = 5.0
    cider[::2] += 0.2
    assert list(measure({}, np.arange(100), {"learned": cider + (np.arange(100) < 5)}).zones) == [USUAL, WORSE]
    rising = measure({}, np.arange(100), {"learned": np.arange(100) / 100})
    assert rising.flat and rising.correlation[MEAN].value == pytest.approx(1)


def test_chance_seldom_opens_a_zone():
    random = np.random.default_rng(4)
    flat = [measure({}, np.arange(300), {"learned": random.exponential(size=300)}, bins=5).flat for _ in range(20)]
    assert sum(flat) >= 15


def test_few_photographs_make_few_bins_and_too_few_none():
    assert len(measure({}, np.arange(7), {"learned": np.arange(7.0)}).bins) == 3
    with pytest.raises(FeatureError, match="four held-out photographs, not 3"):
        measure({}, np.arange(3), {"learned": np.arange(3.0)})


def test_equal_seeds_give_equal_curves(falling):
    first, second, third = (measure({}, *falling, seed=seed) for seed in (1, 1, 2))
    assert vars(first) == vars(second) and first.bins != third.bins
