"""Records that come back as they were saved, or are refused with a reason."""

import json
from dataclasses import replace

import pytest

from captioner.config import FIRST, REWARD, SHIPPED, STAGES
from captioner.errors import CheckpointError
from captioner.experiments.plans import FLICKR8K, RECIPES, repeated_seeds
from captioner.experiments.records import keep, read_kept, read_records, save_record, stored
from support.recipe_factory import gave_up, record, write_recipes
from support.study_factory import record as seed_record
from support.study_factory import scores, trial_record

ONE = record(RECIPES.trials()[0])
TEST = stored(ONE)["scores"]["test"]


def test_records_come_back_in_the_order_of_the_plan(tmp_path):
    assert read_records(tmp_path, RECIPES) == []
    trials = [RECIPES.trials()[number] for number in (0, 1, 17, 33, 34)]
    for trial in reversed(trials):
        save_record(tmp_path, RECIPES, record(trial))
    found = read_records(tmp_path, RECIPES)
    assert [one.trial for one in found] == trials and found[0].losses[-1] == pytest.approx((2.5, 2.8))
    assert found[0].metric("test", "cider") == 0.5 and "dev" not in found[-1].scores
    save_record(tmp_path, RECIPES, gave_up(trials[3]))  # In place of the one that is there.
    found = read_records(tmp_path, RECIPES)
    assert len(found) == 5 and "became nan" in found[3].gave_up and found[3].losses == ((5.0, 4.5),)


def test_the_records_on_flickr8k_are_those_of_their_plan():
    """Whatever becomes of the preset that ships."""
    assert [one.trial for one in read_records(SHIPPED, FLICKR8K)] == FLICKR8K.trials()


def test_more_seeds_than_were_asked_for_are_not_forgotten(tmp_path):
    for stage, name, seed in ((FIRST, "learned", 1), (REWARD, "word2vec", 7), (FIRST, "random", 3)):
        save_record(tmp_path, FLICKR8K, seed_record(stage, name, seed))
    found = read_records(tmp_path, replace(FLICKR8K, parts=repeated_seeds("flickr8k", 1, 0, 0).parts))
    assert [(one.stage, one.variant, one.seed) for one in found] == [
        (FIRST, "learned", 1), (REWARD, "word2vec", 7), (FIRST, "random", 3)]  # fmt: skip


def test_what_the_command_prints_of_a_record():
    row = seed_record(REWARD, "fasttext", 4).row
    assert (row["preset"], row["stage"], row["variant"], row["seed"]) == ("flickr8k", REWARD, "fasttext", 4)
    assert (row["seconds"], row["epochs"], row["best_epoch"], row["overrides"]) == (300, 4, 3, {})
    assert row["dev"]["loss"] == 2.7 and row["dev"]["wording"]["flawed"] == 0.02
    assert row["dev"]["cider"] == pytest.approx(0.24, abs=0.1)
    assert not {"settings", "scores"} & set(row) and "used" not in row["dev"]
    assert record(RECIPES.trials(["notes"])[1]).row["overrides"] == {"decoder.activation": "relu"}


def test_they_lie_beside_the_decoders_or_beside_their_stages(tmp_path):
    write_recipes(tmp_path, ["notes"])
    assert len(read_records(tmp_path / FIRST, RECIPES)) == len(read_records(tmp_path, RECIPES)) == 3
    assert read_records(tmp_path / "elsewhere", RECIPES) == []


def changed(folder, change, plan=RECIPES):
    """The only record on disk with some of its entries changed."""
    path = folder / "trials" / f"{plan.name}.json"
    data = json.loads(path.read_text())
    for name, value in change.items():
        *inside, last = name.split(".")
        owner = data["trials"][0]
        for part in inside:
            owner = owner[part]
        owner[last] = value
    path.write_text(json.dumps(data))


DAMAGES = [
    {"losses": [[1.0]]},
    {"losses": [[1.0, float("nan")]]},
    {"losses": []},
    {"settings.name": "parrot"},
    {"settings.decoder.units": "many"},
    {"settings.training.epochs": 99},  # Of a recipe that is no longer this one.
    {"variant": "glove"},
    {"stage": "last"},
    {"stage": REWARD},
    {"splits": "7000-1000"},
    {"fastest_epoch": None},
    {"trainable": "many"},
    {"scores": {}},
    {"scores.test": {"metrics": {"cider": 1}, "intervals": {}}},
    {"scores.test": TEST | {"metrics": TEST["metrics"] | {"meteor": "high"}}},
    {"scores.test": TEST | {"intervals": {}}},
    {"scores": {"dev": TEST}},
    {"encoder": None},
    {"trained_on": "all"},
    {"words": None},
]
DAMAGES_OF_SEEDS = [
    {"cores": None},
    {"seconds": float("nan")},
    {"scores.dev": 7},
    {"settings.name": "tiny"},
    {"variant": None},
    {"scores.test.cider": ["x"]},
    {"scores.test.cider": []},
    {"scores.test.loss": None},
]


@pytest.mark.parametrize(
    ("plan", "change"), [*((RECIPES, change) for change in DAMAGES), *((FLICKR8K, change) for change in DAMAGES_OF_SEEDS)]
)
def test_damaged_records_are_refused(tmp_path, plan, change):
    save_record(tmp_path, plan, ONE if plan is RECIPES else seed_record(FIRST, "learned", 1))
    changed(tmp_path, change, plan)
    with pytest.raises(CheckpointError, match=rf"{plan.name}.json.*delete it, and .* study --plan {plan.name} --data DIR"):
        read_records(tmp_path, plan)


def test_the_same_trial_twice_is_refused(tmp_path):
    write_recipes(tmp_path, ["notes"])
    path = tmp_path / "trials" / "recipes.json"
    path.write_text(json.dumps({"trials": [stored(ONE)] * 2}))
    with pytest.raises(CheckpointError, match="damaged.*twice"):
        read_records(tmp_path, RECIPES)


@pytest.mark.parametrize("text", ["[]", "{}", '{"trials": 3}', "no"])
def test_what_is_no_list_of_records_is_refused(tmp_path, text):
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / "recipes.json").write_text(text)
    with pytest.raises(CheckpointError):
        read_records(tmp_path, RECIPES)


def test_a_run_of_no_plan_is_kept_under_its_name(tmp_path):
    """With its own epochs, not those of the stage before, and its settings as they differ from the preset."""
    one = trial_record("word2vec", 1, {"dev": scores([0.5])}, REWARD)
    settings = one.settings | {"decoder": one.settings["decoder"] | {"dropout": 0.25}}
    config = {"preset": settings, "variant": "word2vec", "encoder": {"name": "VGG16"}, "seed": 2, "stage": REWARD}
    losses = [(9.0, 9.0), (2.0, 2.5), (1.9, 2.75)]
    epochs = [{"train_loss": train, "dev_loss": dev, "seconds": 60, "learning_rate": 0, "stage": stage}
              for (train, dev), stage in zip(losses, (FIRST, REWARD, REWARD), strict=True)]  # fmt: skip
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text(json.dumps(config))
    summary = {name: value for name, value in TEST.items() if name != "intervals"}
    for name, cores in (("b", None), ("a", 2)):
        for epoch in epochs[1:]:
            epoch |= {"cores": cores} if cores else {}
        (run / "history.json").write_text(json.dumps({"epochs": epochs, "earlier": 1, "best_epoch": 2}))
        keep(tmp_path, name, run, "flickr8k", {"dev": summary})
    first, second = read_kept(tmp_path)
    assert (first.name, first.cores, second.name, second.cores) == ("a", 2, "b", None)
    assert first.losses == tuple(losses[1:]) and first.seconds == 120 and first.best_epoch == 1
    assert first.trial.overrides == (("encoder", "VGG16"), ("decoder.dropout", 0.25)) and first.seed == 2
    assert first.metric("dev", "cider") == 0.5 and STAGES[first.stage]
