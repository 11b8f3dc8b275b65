"""What the runs of a comparison say together, against NumPy and cases worked by hand."""

import json
import statistics

import numpy as np
import pytest

from captioner.config import CONTROLS, FIRST, REWARD, VARIANTS
from captioner.errors import CheckpointError
from captioner.experiments.study import (
    best_seed,
    changes,
    conclude,
    own_words,
    own_words_by_chance,
    pairs,
    seed_difference,
    summaries,
)
from captioner.experiments.trial_records import Plan, Record, Trial, read_record, records, save_record
from captioner.presets import PRESETS


def part(cider, loss):
    found = {"metrics": {"cider": float(np.mean(cider)), "bleu4": 0.2, "rouge_l": 0.4}, "loss": loss, "cider": list(cider)}
    return found | {"wording": {"distinct_captions": 7, "copied": None}}


def data(cider, dev=None, seconds=60.0, **changes):
    """Scores on test, and others on dev, so that nobody takes one for the other unseen."""
    splits = {"dev": part([0.9 - value for value in cider] if dev is None else dev, 2.75), "test": part(cider, 2.5)}
    return splits | {"seconds": seconds, "epochs": 3, "best_epoch": 2, "cores": 2} | changes


def record(variant, seed, cider, stage=FIRST, preset="tiny", dev=None):
    trial = Trial(preset, stage, variant, seed, preset != "tiny")
    names = {"preset": preset, "variant": variant, "stage": stage, "seed": seed}
    return Record(trial, names | data(cider, dev))


def test_the_plan_goes_through_whole_seeds_first():
    trials = Plan("tiny", 3, 2, 1).trials()
    assert [(trial.stage, trial.variant, trial.seed) for trial in trials] == [
        *((stage, name, seed) for seed in (1, 2) for stage in (FIRST, REWARD) for name in VARIANTS),
        *((FIRST, name, 3) for name in VARIANTS),
        *((FIRST, name, 1) for name in CONTROLS),
    ]
    assert len({trial.place for trial in trials}) == len(trials)
    assert {trial.start.stage for trial in trials} == {FIRST}
    assert Plan("tiny", 1, 5, 0).trials()[-1].seed == 1  # No second stage without a first.


def test_records_of_more_seeds_than_were_asked_for_are_not_forgotten(tmp_path):
    whole = Plan("triptych", 3, 2, 2, 1)
    for trial in whole.trials():
        save_record(tmp_path, trial, data([0.1, 0.3]), {"epochs": []})
    assert Plan("triptych", 1, 0, 0, 0).with_all_of(tmp_path) == whole
    assert Plan("triptych", 4, 0, 0, 0).with_all_of(tmp_path) == Plan("triptych", 4, 2, 2, 1)
    assert [record.trial for record in records(tmp_path, Plan("triptych", 1, 1, 0, 0))] == whole.trials()
    assert Plan("triptych", 1, 1, 0, 0).with_all_of(tmp_path / "nowhere") == Plan("triptych", 1, 1, 0, 0)


def test_a_record_comes_back(tmp_path):
    trial = Trial("tiny", REWARD, "fasttext", 4)
    assert read_record(tmp_path, trial) is None
    save_record(tmp_path, trial, data([0.1, 0.3]), {"epochs": []})
    found = read_record(tmp_path, trial)
    assert found.metric("test", "cider") == pytest.approx(0.2) and found.per_photograph("test").tolist() == [0.1, 0.3]
    assert found.row["stage"] == REWARD and found.row["seconds"] == 60 and found.row["dev"]["cider"] == pytest.approx(0.7)
    plan = Plan("tiny", 5, 5, 0)
    assert [one.trial for one in records(tmp_path, plan)] == [trial]
    assert json.loads((tmp_path / trial.place / "history.json").read_text()) == {"epochs": []}


def test_the_plan_ends_with_the_same_on_the_cnn_as_it_comes():
    plan = Plan("triptych", 1, 0, 0, 2)
    apart = [trial for trial in plan.trials() if trial.apart]
    assert plan.trials()[-6:] == apart and {trial.preset for trial in apart} == {"triptych-frozen"}
    assert PRESETS["triptych-frozen"].encoder == "efficientnet-lite2" and PRESETS["triptych"].encoder.endswith("-adapted")
    assert apart[0].place.parts == ("triptych-frozen", "first", "seeds", "1", "learned")
    assert apart[0].start == apart[0] and "triptych-frozen" in str(apart[0])
    assert not any(trial.apart for trial in Plan("tiny", 1, 0, 0, 2).trials())  # It has no such twin.


def test_the_two_encoders_are_compared_variant_by_variant():
    finished = [record(name, 1, [value, 0.2]) for name, value in (("learned", 0.4), ("word2vec", 0.6))]
    finished += [record(name, 1, [0.3, 0.2], preset="tiny-frozen") for name in ("learned", "word2vec")]
    found = [(pair["first"], pair["second"], pair["presets"], round(pair["cider"]["value"], 3)) for pair in pairs(finished)]
    own, other = ["tiny", "tiny"], ["tiny", "tiny-frozen"]
    assert found == [
        ("learned", "word2vec", own, -0.1),
        ("learned", "learned", other, 0.05),
        ("word2vec", "word2vec", other, 0.15),
        ("learned", "word2vec", ["tiny-frozen"] * 2, 0.0),
    ]
    assert [row["preset"] for row in summaries(finished)] == ["tiny"] * 2 + ["tiny-frozen"] * 2
    assert best_seed([record("learned", 2, [0.9], preset="tiny-frozen"), *finished], FIRST, "learned").trial.seed == 1


def test_what_the_second_stage_changed_is_told_of_the_same_seeds():
    first = [record("learned", seed, [value]) for seed, value in ((1, 0.1), (2, 0.3), (3, 0.9))]
    second = [record("learned", seed, [value], REWARD) for seed, value in ((1, 0.4), (2, 0.5))]
    (found,) = changes([*first, *second, record("word2vec", 1, [0.5]), record("learned", 1, [9.0], preset="tiny-frozen")])
    assert found["variant"] == "learned" and found["seeds"] == [1, 2]
    assert found["test"]["cider"] == {"before": pytest.approx(0.2), "after": pytest.approx(0.45)}
    assert found["dev"]["cider"] == {"before": pytest.approx(0.7), "after": pytest.approx(0.45)}
    assert found["dev"]["loss"]["before"] == 2.75 and found["test"]["loss"]["before"] == 2.5


@pytest.mark.parametrize(
    "change",
    [
        {"cores": None},
        {"seconds": float("nan")},
        {"dev": 7},
        {"dev": {}},
        {"seed": 9},
        {"variant": None},
        {"test": {"metrics": {}, "cider": [1]}},
        {"test": {"metrics": {"cider": 1, "bleu4": 1, "rouge_l": 1}, "loss": 1, "cider": ["x"]}},
        {"test": {"metrics": {"cider": 1, "bleu4": 1, "rouge_l": 1}, "cider": [1]}},
    ],
)
def test_a_record_that_is_damaged_or_of_another_run_is_refused(tmp_path, change):
    trial = Trial("tiny", FIRST, "learned", 1)
    save_record(tmp_path, trial, data([0.1]), {})
    path = tmp_path / trial.place / "scores.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CheckpointError, match="delete it, and the study scores that run again"):
        read_record(tmp_path, trial)


def test_means_and_deviations_over_seeds():
    values = [[0.1, 0.5], [0.4, 0.6], [0.5, 0.9]]
    learned = [record("learned", seed, cider) for seed, cider in enumerate(values, 1)]
    found = summaries([*learned, record("random", 1, [0.2, 0.2])])
    means = [np.mean(row) for row in values]
    assert found[0]["test"]["cider"] == {"mean": pytest.approx(np.mean(means)), "sd": pytest.approx(statistics.stdev(means))}
    assert found[0]["seeds"] == [1, 2, 3] and found[0]["seconds"]["mean"] == 60
    assert found[0]["test"]["wording_distinct_captions"] == {"mean": 7, "sd": 0} and "wording_copied" not in found[0]["test"]
    assert found[1]["variant"] == "random" and found[1]["test"]["cider"] == {"mean": pytest.approx(0.2)}


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
    found = {(pair["first"], pair["second"]): pair for pair in pairs(finished)}
    assert set(found) == {("learned", "word2vec"), ("learned", "fasttext"), ("word2vec", "fasttext")}  # Of one stage only.
    assert found["learned", "word2vec"]["counts"] and found["learned", "word2vec"]["seeds"] == [1, 2]
    assert found["learned", "word2vec"]["cider"]["value"] == pytest.approx(0.2)
    assert not found["word2vec", "fasttext"]["counts"]
    alone = found["learned", "fasttext"]
    assert alone["cider"]["low"] > 0 and not alone["counts"]  # One seed proves nothing.


def test_only_the_same_photographs_are_compared():
    finished = [record("learned", 1, [0.1, 0.2]), record("word2vec", 1, [0.1, 0.2, 0.3])]
    with pytest.raises(CheckpointError, match="scored on different test photographs"):
        pairs(finished)
    finished = [record(name, 1, [0.1, 0.2]) for name in ("learned", "word2vec")]
    for one in finished:
        one.data["test"]["photographs"] = one.trial.variant
    with pytest.raises(CheckpointError, match="different test photographs"):
        conclude(finished, "tiny")


def test_the_best_on_dev_ships():
    """Whatever they reach on test, which nothing is chosen by."""
    finished = [record("learned", seed, [1 - cider], dev=[cider]) for seed, cider in ((1, 0.2), (2, 0.9), (3, 0.5))]
    assert best_seed(finished, FIRST, "learned").trial.seed == 2


def test_words_that_only_one_of_the_three_uses():
    used = {"learned": {"a": 3, "dog": 2}, "word2vec": {"a": 1, "puppy": 1}, "fasttext": {"a": 9, "dog": 1}}
    finished = [record(name, 1, [0.5]) for name in used] + [record("learned", 2, [0.5]), record("random", 1, [0.5])]
    for one in finished[:3]:
        one.data["test"]["used"] = used[one.trial.variant]
    found = own_words(finished)
    assert found == [{"stage": FIRST, "seed": 1, "learned": {}, "word2vec": {"puppy": 1}, "fasttext": {}}]


def test_words_that_luck_alone_gives_to_one_training():
    """Three trainings of the same vectors: of a, b, c, d the words c and d are one's alone, so 2 of 3 trainings have one."""
    finished = [record(name, seed, [0.5]) for name in VARIANTS for seed in (1, 2, 3)]
    used = {1: {"a": 1, "b": 1}, 2: {"a": 2, "b": 1, "c": 1}, 3: {"a": 1, "d": 5}}
    for one in finished:
        one.data["test"]["used"] = used[one.trial.seed] if one.trial.variant == "learned" else {"a": 1}
    assert own_words_by_chance(finished) == [{"stage": FIRST, "learned": pytest.approx(2 / 3), "word2vec": 0, "fasttext": 0}]
    assert own_words_by_chance(finished[:-1]) == []  # Of one there are but two.
    four = [*finished, *(record(name, 4, [0.5]) for name in VARIANTS)]
    for one in four[-3:]:
        one.data["test"]["used"] = {"a": 1, "d": 1}
    # Of the four threes: 1 2 3 has c and d; 1 2 4 c and d; 1 3 4 b; 2 3 4 b and c.
    assert own_words_by_chance(four)[0]["learned"] == pytest.approx((2 + 2 + 1 + 2) / 12)


def test_what_is_concluded_is_plain_data():
    finished = [record(name, seed, [0.1 * seed, 0.2]) for name in VARIANTS for seed in (1, 2)]
    whole = conclude(finished, "tiny")
    assert whole["preset"] == "tiny"
    assert json.loads(json.dumps(whole)) == whole and len(whole["runs"]) == 6 and len(whole["pairs"]) == 3
    assert "leaves out zero" in whole["rule"]
