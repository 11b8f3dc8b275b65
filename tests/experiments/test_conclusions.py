"""What the records of a comparison say together, against NumPy and cases worked by hand."""

import json
import statistics

import numpy as np
import pytest

from captioner.config import FIRST, REWARD, VARIANTS
from captioner.errors import CheckpointError
from captioner.experiments.conclusions import (
    conclude,
    pairs,
    read_studies,
    read_study,
    save_study,
    seed_difference,
)
from captioner.experiments.plans import FLICKR8K, PLANS, SEEDS
from support.study_factory import scores, trial_record, wide_record, write_study, write_wide_study

PLAN = PLANS[SEEDS]


def record(variant, seed, cider, stage=FIRST, preset="triptych", dev=None, **test):
    """Scores on test, and others on dev, so that nobody takes one for the other unseen."""
    parts = {"dev": scores([0.9 - value for value in cider] if dev is None else dev, 2.75), "test": scores(cider, 2.5, **test)}
    return trial_record(variant, seed, parts, stage, preset)


def test_the_two_encoders_are_compared_variant_by_variant():
    finished = [record(name, 1, [value, 0.2]) for name, value in (("learned", 0.4), ("word2vec", 0.6))]
    finished += [record(name, 1, [0.3, 0.2], preset="triptych-frozen") for name in ("learned", "word2vec")]
    found = [(pair.groups, round(pair.cider.value, 3)) for pair in pairs(finished, "triptych")]
    assert found == [
        ((("learned", False), ("word2vec", False)), -0.1),
        ((("learned", False), ("learned", True)), 0.05),
        ((("word2vec", False), ("word2vec", True)), 0.15),
        ((("learned", True), ("word2vec", True)), 0.0),
    ]
    assert [group.on_original_encoder for group in conclude(finished, PLAN).groups] == [False] * 2 + [True] * 2


def test_what_the_second_stage_changed_is_told_of_the_same_seeds():
    first = [record("learned", seed, [value]) for seed, value in ((1, 0.1), (2, 0.3), (3, 0.9))]
    second = [record("learned", seed, [value], REWARD) for seed, value in ((1, 0.4), (2, 0.5))]
    finished = [*first, *second, record("word2vec", 1, [0.5]), record("learned", 1, [9.0], preset="triptych-frozen")]
    found = conclude(finished, PLAN).moves
    assert list(found) == ["learned"] and found["learned"].seeds == (1, 2)
    numbers = found["learned"].numbers
    assert numbers["test"]["cider"] == pytest.approx((0.2, 0.45)) and numbers["dev"]["cider"] == pytest.approx((0.7, 0.45))
    assert numbers["dev"]["loss"][0] == 2.75 and numbers["test"]["loss"][0] == 2.5


def test_means_and_deviations_over_seeds():
    values = [[0.1, 0.5], [0.4, 0.6], [0.5, 0.9]]
    learned = [record("learned", seed, cider) for seed, cider in enumerate(values, 1)]
    one, other = conclude([*learned, record("random", 1, [0.2, 0.2])], PLAN).groups
    means = [np.mean(row) for row in values]
    assert one.numbers["test"]["cider"] == pytest.approx((np.mean(means), statistics.stdev(means)))
    assert one.seeds == (1, 2, 3) and one.numbers["own"]["seconds"] == (300, 0) and one.runs["cider"] == pytest.approx(means)
    assert one.numbers["test"]["wording_distinct_captions"] == (7, 0) and "wording_copied" not in one.numbers["test"]
    assert other.name == "random" and other.numbers["test"]["cider"] == (pytest.approx(0.2), None)


def test_a_difference_draws_seeds_and_photographs():
    """Against one plain loop over resamples, and against the interval that photographs alone would give."""
    random = np.random.default_rng(0)
    offsets = np.array([[0.05], [-0.02], [0.06]])
    first, second = random.random((3, 200)) * 0.1 + 0.5 + offsets, random.random((3, 200)) * 0.1 + 0.5
    found = seed_difference(first, second, resamples=4000)
    means = []
    for _ in range(4000):
        seeds, photographs = random.integers(3, size=3), random.integers(200, size=200)
        means.append(first[np.ix_(seeds, photographs)].mean() - second[np.ix_(seeds, photographs)].mean())
    assert found.value == pytest.approx((first - second).mean())
    assert (found.low, found.high) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.004)
    alone = seed_difference(first.mean(axis=0, keepdims=True), second.mean(axis=0, keepdims=True))
    assert alone.high - alone.low < 0.5 * (found.high - found.low)


def test_a_difference_counts_when_its_interval_leaves_out_zero():
    random = np.random.default_rng(1)
    noise = [random.random(50) for _ in range(4)]
    finished = [
        *(record("learned", seed, noise[seed] + 0.2) for seed in (1, 2, 3)),
        *(record("word2vec", seed, noise[seed]) for seed in (1, 2)),
        record("fasttext", 1, noise[1] + random.normal(0, 0.1, 50)),
        record("fasttext", 1, noise[0], REWARD),
    ]
    found = {tuple(name for name, _ in pair.groups): pair for pair in pairs(finished, "triptych")}
    assert set(found) == {("learned", "word2vec"), ("learned", "fasttext"), ("word2vec", "fasttext")}  # Of one stage only.
    assert found["learned", "word2vec"].counts and found["learned", "word2vec"].seeds == 2
    assert found["learned", "word2vec"].cider.value == pytest.approx(0.2)
    assert not found["word2vec", "fasttext"].counts
    alone = found["learned", "fasttext"]
    assert alone.cider.low > 0 and not alone.counts  # One seed proves nothing.


def test_only_the_same_photographs_are_compared():
    finished = [record("learned", 1, [0.1, 0.2]), record("word2vec", 1, [0.1, 0.2, 0.3])]
    with pytest.raises(CheckpointError, match="scored on different test photographs"):
        conclude(finished, PLAN)
    finished = [record(name, 1, [0.1, 0.2], photographs=name) for name in ("learned", "word2vec")]
    with pytest.raises(CheckpointError, match="different test photographs"):
        conclude(finished, PLAN)


def test_the_study_comes_back(tmp_path):
    runs = [(name, seed, stage) for name in VARIANTS for seed in (1, 2) for stage in (FIRST, REWARD)]
    finished = [record(name, seed, [0.1 * seed, 0.2], stage) for name, seed, stage in runs]
    study = conclude(finished, PLAN)
    save_study(tmp_path, study, PLAN)
    assert read_study(tmp_path, PLAN) == study and study.finished == 12 and len(study.pairs) == 6
    assert study.planned == len(PLAN.trials()) == 18 and study.photographs == {"dev": 2, "test": 2}
    assert read_study(tmp_path / FIRST, PLAN) == study  # Above its stages, and only there.
    assert read_study(tmp_path / "mine", PLAN) is read_study(tmp_path, FLICKR8K) is None


def test_studies_come_back_with_the_latest_first(tmp_path):
    assert read_studies(tmp_path) == ()
    former = write_study(tmp_path)
    assert read_studies(tmp_path / FIRST) == (former,)
    latest = write_wide_study(tmp_path)
    assert read_studies(tmp_path) == (latest, former)


def test_a_further_data_set_has_numbers_of_its_own():
    """Only where all runs of a group were scored on it; pairs are of the first data set."""
    finished = [wide_record(stage, name, seed) for stage in (FIRST, REWARD) for name in VARIANTS for seed in (1, 2)]
    found = conclude(finished, PLAN)
    assert found.photographs == {"dev": 40, "test": 40, "wide dev": 5, "wide test": 5} and found.further_tests == {"wide test": 5}
    numbers = found.groups[0].numbers
    assert numbers["wide test"]["cider"] == pytest.approx((numbers["test"]["cider"][0] - 0.1, numbers["test"]["cider"][1]))
    before, after = found.moves["learned"].numbers["wide test"]["cider"]
    assert after - before == pytest.approx(0.1)
    mixed = conclude([*finished[1:], record("learned", 1, [0.5] * 40, preset="triptych")], PLAN)
    assert mixed.further_tests == {} and "wide test" not in mixed.groups[0].numbers
    assert mixed.groups[1].numbers.keys() == numbers.keys()


def test_a_study_keeps_its_groups_in_order(tmp_path):
    found = write_study(tmp_path)
    assert found.finished == 13 and found.planned == 14
    groups = [(group.stage, group.name, group.seeds) for group in found.groups]
    assert groups[:3] == [(FIRST, name, (1, 2)) for name in VARIANTS]
    assert [group.stage for group in found.groups[3:6]] == [REWARD] * 3 and found.groups[6].name == "random"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.update(groups=[]),
        lambda data: data.update(finished=3.5),
        lambda data: data.update(pairs=[{}]),
        lambda data: data.update(planned="many"),
        lambda data: data.update(planned=2),
        lambda data: data.update(planned=float("inf")),
        lambda data: data["moves"]["learned"]["numbers"].pop("dev"),
        lambda data: data["own_words"]["first"][0].pop("learned"),
        lambda data: data["own_words"].pop("first"),
        lambda data: data.pop("preset"),
        lambda data: data.update(own_words_by_chance={"first": {}}),
        lambda data: data["groups"][0].update(name="glove"),
        lambda data: data["groups"][0].update(stage="last"),
        lambda data: data["groups"][0]["seeds"].pop(),
        lambda data: data["groups"][0]["numbers"].pop("own"),
        lambda data: data["groups"][0]["numbers"]["test"].pop("cider"),
        lambda data: data["groups"][0]["runs"].pop("cider"),
        lambda data: data["pairs"][0].update(groups=[["glove", False], ["learned", False]]),
        lambda data: data["pairs"][0].update(cider=[0.1, float("nan"), 0.2]),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, damage):
    write_study(tmp_path)
    path = tmp_path / "flickr8k" / "study.json"
    data = json.loads(path.read_text())
    damage(data)
    path.write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match="study.json.*run python -m captioner study --plan flickr8k"):
        read_studies(tmp_path)
