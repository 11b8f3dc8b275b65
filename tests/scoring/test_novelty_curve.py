"""The novelty curve against means and ranks by hand and by SciPy, on random data, and its file against damage."""

import doctest
import json
import shutil

import numpy as np
import pytest
from scipy import stats

from captioner.config import SHIPPED, VARIANTS
from captioner.errors import CheckpointError, FeatureError
from captioner.model.stage_folders import stages_in
from captioner.scoring import novelty_curve
from captioner.scoring.bootstrap import Estimate
from captioner.scoring.novelty_curve import (
    BETTER,
    CURVE,
    MEAN,
    USUAL,
    WORSE,
    load_curve,
    measure,
    novel_is_worse,
    spearman,
    to_json,
)
from captioner.storage import read_json, save_folder, write_json
from support.factories import summary, write_curve

COUNT = 203


@pytest.fixture(scope="module")
def falling():
    """CIDEr that is high, usual and low by thirds of the order of novelty, and a decoder that is a bit better."""
    random = np.random.default_rng(0)
    novelty = random.permutation(COUNT).astype(float)
    level = np.select([novelty < 60, novelty < 140], [0.9, 0.5], 0.1)
    learned = level + random.normal(0, 0.1, COUNT)
    return novelty, {"learned": learned, "fasttext": learned + 0.2}


def test_bins_are_of_equal_numbers_and_hold_their_means(falling):
    novelty, cider = falling
    curve = measure({"data": "x"}, novelty, cider)
    assert curve.of == {"data": "x"} and {one.photographs for one in curve.bins} == {20, 21}
    assert [one.start for one in curve.bins] + [100] == [0, *(one.end for one in curve.bins)]
    for one in curve.bins:
        inside = (100 * novelty / COUNT >= one.start - 1e-9) & (100 * novelty / COUNT < one.end - 1e-9)
        assert inside.sum() == one.photographs
        for name, values in cider.items():
            assert one.cider[name].value == pytest.approx(values[inside].mean())
        assert one.cider[MEAN].value == pytest.approx(one.cider["learned"].value + 0.1)
    assert curve.whole.cider["learned"].value == pytest.approx(cider["learned"].mean()) and curve.whole.photographs == COUNT


def test_intervals_and_rank_correlation_are_scipys(falling):
    random = np.random.default_rng(2)
    for first, second in ((random.normal(size=50), random.normal(size=50)), random.integers(0, 5, (2, 80))):
        assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    novelty, cider = falling
    curve = measure({}, novelty, cider)
    inside = cider["learned"][novelty < 20]
    other = stats.bootstrap([inside], np.mean, n_resamples=5000, method="percentile", rng=1).confidence_interval
    assert tuple(curve.bins[0].cider["learned"])[1:] == pytest.approx(tuple(other), abs=0.01)
    found = curve.correlation["learned"]
    other = stats.bootstrap(
        (novelty, cider["learned"]), spearman, paired=True, vectorized=False, n_resamples=1000, method="percentile", rng=1
    ).confidence_interval
    assert found.value == pytest.approx(stats.spearmanr(novelty, cider["learned"]).statistic)
    assert (found.low, found.high) == pytest.approx(tuple(other), abs=0.01)


def test_constant_values_predict_nothing():
    assert spearman(np.arange(5), np.ones(5)) == 0 and novel_is_worse(np.ones(5), np.arange(5)) == 0.5
    curve = measure({}, np.arange(12), {"learned": np.zeros(12)})
    assert curve.flat and curve.correlation[MEAN] == Estimate(0, 0, 0) and curve.novel_is_worse == 0.5


def test_pairs_by_kendalls_count():
    random = np.random.default_rng(3)
    novelty, cider = random.normal(size=60), random.normal(size=60)
    tau = stats.kendalltau(novelty, cider).statistic
    assert novel_is_worse(novelty, cider) == pytest.approx((1 - tau) / 2)
    assert novel_is_worse(np.array([1, 1, 2]), np.array([3, 9, 5])) == 1 / 2
    assert doctest.testmod(novelty_curve).failed == 0


def test_zones_reach_inwards_as_long_as_every_bin_is_significant(falling):
    curve = measure({}, *falling)
    assert list(curve.zones) == [BETTER, USUAL, WORSE] and not curve.flat
    assert curve.zones[BETTER].end == curve.bins[2].end and curve.zones[WORSE].start == curve.bins[7].start
    first = [one.cider["learned"].value * one.photographs for one in curve.bins[:3]]
    assert curve.zones[BETTER].cider["learned"].value * curve.zones[BETTER].photographs == pytest.approx(sum(first))
    value, low, high = curve.zones[BETTER].cider[MEAN]
    assert low < value < high and high - low < np.ptp(tuple(curve.bins[0].cider[MEAN])[1:])
    places = [curve.zone(percentile) for percentile in (0, 29, 31, 68, 70, 100)]
    assert places == [BETTER, BETTER, USUAL, USUAL, WORSE, WORSE]


def test_a_good_stretch_in_the_middle_opens_no_zone():
    cider = np.full(100, 0.5)
    cider[40:50] = 5.0
    cider[::2] += 0.2
    assert list(measure({}, np.arange(100), {"learned": cider + (np.arange(100) < 5)}).zones) == [USUAL, WORSE]
    rising = measure({}, np.arange(100), {"learned": np.arange(100) / 100})
    assert rising.flat and rising.correlation[MEAN].value == pytest.approx(1)


def test_chance_seldom_opens_a_zone(monkeypatch):
    monkeypatch.setattr(novelty_curve, "RESAMPLES", 300)
    random = np.random.default_rng(4)
    flat = [measure({}, np.arange(300), {"learned": random.exponential(size=300)}, bins=5).flat for _ in range(20)]
    assert sum(flat) >= 15


def test_few_photographs_make_few_bins_and_too_few_none():
    assert len(measure({}, np.arange(7), {"learned": np.arange(7.0)}).bins) == 3
    with pytest.raises(FeatureError, match="four held-out photographs, but got 3"):
        measure({}, np.arange(3), {"learned": np.arange(3.0)})


def test_equal_seeds_give_equal_curves(falling):
    first, second, third = (measure({}, *falling, seed=seed) for seed in (1, 1, 2))
    assert vars(first) == vars(second) and first.bins != third.bins


@pytest.fixture
def folder(tmp_path):
    for name in VARIANTS:
        save_folder(tmp_path / name, {"name": name.encode()})
    summary().save(tmp_path)
    return tmp_path


def test_it_is_read_back(folder):
    assert load_curve(folder) is None
    curve = write_curve(folder)
    again = load_curve(folder)
    assert vars(again) == vars(curve) and again.zone(95) == curve.zone(95)
    assert set(again.whole.cider) == {"learned", "word2vec", "fasttext", MEAN}
    assert json.loads(json.dumps(to_json(again))) == read_json(folder / CURVE)


@pytest.mark.parametrize("stage", stages_in(SHIPPED))
def test_every_stage_that_ships_has_its_curve(stage):
    assert load_curve(SHIPPED / stage)


@pytest.mark.parametrize("change", ["manifest", "summary", "setting", "decoder"])
def test_a_curve_of_anything_else_is_refused(folder, change):
    write_curve(folder)
    if change == "manifest":
        (folder / "learned" / "manifest.json").write_text("{}")
    elif change == "summary":
        path = folder / "familiarity.safetensors"
        path.write_bytes(path.read_bytes() + b" ")
    elif change == "setting":
        write_json(folder / "search.json", {"beam": 2, "length_preference": 0.7})
    else:
        shutil.rmtree(folder / "fasttext")
    with pytest.raises(CheckpointError, match="of other decoders, another summary or another search setting"):
        load_curve(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.pop("bins"),
        lambda data: data["bins"].pop(3),
        lambda data: data["bins"].reverse(),
        lambda data: data["zones"].clear(),
        lambda data: data["whole"]["cider"].pop("learned"),
        lambda data: data["bins"][0]["cider"]["mean"].update(value=float("nan")),
        lambda data: data["correlation"].update(transformer=data["correlation"]["mean"]),
        lambda data: data["decoders"].update(transformer="1f"),
        lambda data: data.update(stranger_is_worse=None),
    ],
)
def test_a_damaged_file_is_refused(folder, damage):
    write_curve(folder)
    data = read_json(folder / CURVE)
    damage(data)
    (folder / CURVE).write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match="familiarity.json"):
        load_curve(folder)
    (folder / CURVE).write_text("[]")
    with pytest.raises(CheckpointError, match="familiarity.json"):
        load_curve(folder)
