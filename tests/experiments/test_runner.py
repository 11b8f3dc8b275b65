"""Whole small experiments from nothing: trained, scored, interrupted, resumed and shipped, with real decoders."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from captioner.captioning.captioner import Captioner
from captioner.config import CONTROLS, FIRST, JOINED, REWARD, VARIANTS, RewardConfig, SearchConfig
from captioner.data.images import read
from captioner.data.labels import Labelled, mark
from captioner.errors import TrainingError
from captioner.experiments import object_naming, withheld
from captioner.experiments.plans import Plan, Trial, repeated_seeds
from captioner.experiments.records import read_records
from captioner.experiments.runner import ExperimentRunner
from captioner.experiments.withheld import Unseen
from captioner.model.checkpoints import load, load_all
from captioner.presets import PRESETS
from captioner.scoring.evaluation import Subjects, choose_beam, evaluate
from captioner.storage import exists, load_folder
from captioner.training import trainer
from captioner.training.run import Run
from captioner.training.run_inputs import Sources
from captioner.vision.feature_cache import FeatureCache
from support.fakes import Recogniser, StubEncoder, small_dataset, small_preset, two_datasets
from support.study_factory import scores, trial_record

pytestmark = pytest.mark.slow
REWARDED = RewardConfig(epochs=1, images_per_batch=4, views=1, maximum_words=7)
TINY = replace(small_preset(epochs=1), reward=REWARDED)
SMALL = replace(small_preset(epochs=2), name="small", search=SearchConfig(beam=2, maximum_words=5))
PLAN = repeated_seeds("tiny", 2, 1, 0)
FIRST_ONE = Trial("tiny", "learned")
CONTROLLED = tuple(Trial("tiny", name) for name in ("random", "word2vec-start"))
SLOTTED = Trial("small", "word2vec", overrides=(("decoder.word_slots", 2),))
NARROW = Trial("small", "word2vec", overrides=(("decoder.embedding_dimensions", 4),))
RECIPES = Plan("recipes", {"mine": {NARROW: 1, Trial("small", "random", splits=JOINED): 1, Trial("small", "random"): 1}})


@pytest.fixture(scope="module", autouse=True)
def presets(eager):
    """Two small presets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "tiny", TINY)
        patch.setitem(PRESETS, "small", SMALL)
        yield


def altered(runner, **changes):
    """The same runner but for these, with nothing remembered."""
    return replace(runner, **changes)


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "corpus.txt").write_text("a small red circle on a table\n" * 5)
    encoder, sources = StubEncoder(), Sources((folder / "corpus.txt",))
    return ExperimentRunner(
        PLAN, small_dataset(), lambda _name: encoder, folder / "cache", sources, folder / "runs", folder / "out"
    )


@pytest.fixture(scope="module")
def records(runner):
    for trial in (*PLAN.trials(), *CONTROLLED):
        runner.run(trial)
    return read_records(runner.out, PLAN)


@pytest.fixture(scope="module")
def recipes(runner, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipes")
    return altered(runner, plan=RECIPES, sources=Sources(), runs=folder / "runs", out=folder / "out")


@pytest.fixture(scope="module")
def narrow(recipes):
    return recipes.run(NARROW)


def folder_of(runner, trial):
    return runner.runs / trial.label / trial.place


def test_every_trial_has_a_record(runner, records):
    assert [record.trial for record in records] == [*PLAN.trials(), *CONTROLLED]
    for record in records:
        runner.check(record)
        assert exists(folder_of(runner, record.trial).parent / "encoder")  # It does not ship.


def test_histories_lie_beside_what_ships_or_below_their_plan(runner):
    other = altered(runner, plan=replace(PLAN, name="other"))
    assert runner._kept(FIRST_ONE) == runner.out / "first/seeds/1/learned"
    assert other._kept(FIRST_ONE) == runner.out / "other/first/seeds/1/learned"
    assert other._kept(Trial("small", "learned")) == runner.out / "other/small/first/seeds/1/learned"


def test_a_record_says_what_the_decoder_does(runner, records):
    """Against the decoder's own folder, evaluated anew."""
    for record in (records[1], records[4]):
        folder = folder_of(runner, record.trial)
        checkpoint, part = load(folder), record.scores["test"]
        captioner = Captioner(runner.encoder_of(""), {record.variant: checkpoint})
        subjects = Subjects.of(runner.dataset.split("test"), FeatureCache(runner.cache, runner.encoder_of("")))
        search = replace(TINY.search, beam=part.beam, length_preference=part.length_preference)
        found = evaluate(captioner, subjects, search).scores[record.variant]
        assert part.metrics == found.metrics
        assert part.cider == pytest.approx(found.cider, abs=1e-4)
        history = json.loads((folder / "history.json").read_text())
        dev_loss = history["epochs"][history["best_epoch"] - 1]["dev_loss"]
        assert record.scores["dev"].loss == pytest.approx(dev_loss, abs=0.01)
        assert json.loads((runner.out / record.trial.place / "history.json").read_text()) == history


def test_a_decoder_with_word_slots_is_examined_with_them(runner, tmp_path):
    """The word "zebra" has a row in the frozen table alone."""
    plan = Plan("slots", {"own": {SLOTTED: 1}})
    (tmp_path / "corpus.txt").write_text("a zebra on a table\n" * 5)
    sources, folders = Sources((tmp_path / "corpus.txt",)), {name: tmp_path / name for name in ("cache", "runs", "out")}
    labelled = tuple(Labelled(one.name, (), one.source, "own", "circle") for one in runner.dataset.split("train"))
    mine = altered(runner, plan=plan, encoder_of=lambda _name: Recogniser(), sources=sources, labelled=labelled, **folders)
    record = mine.run(SLOTTED)
    assert record.scores["dev"].loss == pytest.approx(record.losses[record.best_epoch - 1][1], abs=0.01)
    checkpoint = load(folder_of(mine, SLOTTED))
    captioner = Captioner(Recogniser(), {"word2vec": checkpoint})
    captions = captioner.caption([read(one.read()) for one in labelled], SMALL.search)
    assert record.named == sum("circle" in found["word2vec"][0].words for found in captions) / 12
    assert "zebra" in checkpoint.table.words and record.labels == mark(labelled)
    mine.check(record)
    for other in (labelled[:-1], (*labelled[:-1], replace(labelled[-1], label="star")), ()):
        with pytest.raises(TrainingError, match="was made with other data, labels, text"):
            altered(mine, labelled=other).check(record)


def test_a_part_of_the_photographs_is_learned_from_and_withheld_objects_are_looked_for(runner, tmp_path, monkeypatch):
    """Circles stand for an object; the extra text and the captions of the photographs left out still teach vectors."""
    circle = (Unseen("circle", "zebra", frozenset({"circle"})),)
    monkeypatch.setattr(withheld, "OBJECTS", circle)
    monkeypatch.setattr(withheld, "WORDS", frozenset({"circle"}))
    monkeypatch.setattr(object_naming, "OBJECTS", circle)
    unseen, six = replace(SLOTTED, part="unseen"), replace(SLOTTED, part="6")
    folders = {name: tmp_path / name for name in ("cache", "runs", "out")}
    mine = altered(runner, plan=Plan("parts", {"own": {unseen: 1, six: 1}}), encoder_of=lambda _name: Recogniser(), **folders)
    record, few = mine.run(unseen), mine.run(six)
    kept = [one for one in runner.dataset.split("train") if not any("circle" in text.split() for text in one.captions)]
    assert record.trained_on == len(kept) < 12 and few.trained_on == 6 and record.trial == unseen
    checkpoint = load(folder_of(mine, unseen))
    assert "circle" not in checkpoint.vocabulary and not few.objects
    assert {(row["search"], row["object"]) for row in record.objects} == {("free", "circle"), ("forced", "circle")}
    assert "circle" in {word for line in mine._inputs(unseen).text() for word in line}
    assert [one.trial for one in read_records(mine.out, mine.plan)] == [unseen, six]
    mine.check(record)


def test_what_is_kept_of_a_training_is_what_its_files_say(recipes, narrow):
    folder = folder_of(recipes, NARROW)
    checkpoint, history = load(folder), json.loads((folder / "history.json").read_text())
    assert checkpoint.table.dimensions == 4 and narrow.words == len(checkpoint.vocabulary)
    assert narrow.frozen == checkpoint.table.vectors.size
    assert narrow.trainable == sum(np.size(values) for values in checkpoint.weights.values())
    assert narrow.losses == tuple((epoch["train_loss"], epoch["dev_loss"]) for epoch in history["epochs"])
    assert narrow.epochs == 2 and narrow.scores["test"].beam == 2 and narrow.ms_per_caption > 0
    assert narrow.fastest_epoch == min(epoch["seconds"] for epoch in history["epochs"]) < narrow.seconds
    assert narrow.scores["dev"].images == 4 and narrow.scores["test"].images == 1
    low, high = narrow.scores["dev"].intervals["cider"]
    assert low <= narrow.metric("dev", "cider") <= high
    assert read_records(recipes.out, RECIPES)[0].row == narrow.row | {"losses": narrow.losses}


def test_unfamiliar_photographs_are_scored_apart(runner, records):
    examiner = runner._examiner(FIRST_ONE)
    for split, mask in examiner.unfamiliar.items():
        assert len(mask) == len(runner.dataset.split(split)) and mask.sum() == round(0.2 * len(mask))
    part, mask = records[0].scores["dev"], examiner.unfamiliar["dev"]
    cider = np.array(part.cider)
    assert part.strangest_cider == pytest.approx(cider[mask].mean(), abs=1e-4)
    assert part.others_cider == pytest.approx(cider[~mask].mean(), abs=1e-4)
    assert 0 <= part.wording["flawed"] <= 1 and sum(part.used.values()) >= 4


def test_the_second_stage_goes_on_from_the_same_seed(runner, records):
    history = json.loads((folder_of(runner, Trial("tiny", "word2vec", REWARD)) / "history.json").read_text())
    assert history["earlier"] == 1 and [epoch["stage"] for epoch in history["epochs"]] == [FIRST, REWARD]


def test_controls_differ_in_their_vectors(runner, records):
    tables = {name: runner._inputs(FIRST_ONE).table(name, 1)[0] for name in (*VARIANTS, *CONTROLS)}
    assert (tables["word2vec-start"].vectors == tables["word2vec"].vectors).all()
    assert (tables["random"].vectors == tables["learned"].vectors).all()
    assert set(tables["random"].origins) == {"special", "missing"}
    assert (tables["word2vec-captions"].vectors != tables["word2vec"].vectors).any()
    kept, started = (load(folder_of(runner, trial)) for trial in CONTROLLED)
    assert (started.table.vectors != tables["word2vec-start"].vectors).any()  # Trained further.
    assert (kept.table.vectors == tables["random"].vectors.astype("float16")).all()


def test_nothing_is_done_twice(runner, records, monkeypatch):
    """Without its record a trial is scored again, not trained again."""
    monkeypatch.setattr(Run, "execute", lambda *_: pytest.fail("trained again"))
    again = runner.run(records[0].trial)
    assert again.row | {"ms_per_caption": 0} == records[0].row | {"ms_per_caption": 0}
    assert [record.trial for record in read_records(runner.out, PLAN)] == [*PLAN.trials(), *CONTROLLED]


def test_what_ships_is_the_best_on_dev(runner, records):
    shipped = runner.ship(records)
    assert set(shipped) == {FIRST, REWARD} and set(shipped[REWARD].values()) == {1}
    for stage in shipped:
        for name, checkpoint in load_all(runner.out / stage).items():
            assert checkpoint.seed == shipped[stage][name]
            scores = {one.seed: one.metric("dev", "cider") for one in records if (one.stage, one.variant) == (stage, name)}
            assert scores[checkpoint.seed] == max(scores.values())
    assert altered(runner, plan=repeated_seeds("tiny", 3, 1, 0)).ship(records).keys() == {REWARD}  # A third seed is missing.


def test_the_best_is_the_one_on_dev(runner):
    """Whatever they reach on test, which nothing is chosen by."""
    three = [trial_record("learned", seed, {"dev": scores([cider]), "test": scores([1 - cider])}, preset="tiny")
             for seed, cider in ((1, 0.2), (2, 0.9), (3, 0.5))]  # fmt: skip
    original = trial_record("learned", 4, {"dev": scores([1.0])}, preset="small")
    assert runner._best([*three, original], FIRST, "learned").seed == 2


def test_what_ships_is_whole_or_left_alone(runner, records, tmp_path):
    """What lies there already needs no runs; a broken copy is made anew from them, and without them left as it is."""
    one_seed = altered(runner, plan=repeated_seeds("tiny", 1, 0, 0))
    records = [record for record in records if record.seed == 1]
    one_seed.ship(records)
    place = runner.out / FIRST / "learned"
    gone = altered(one_seed, runs=tmp_path / "nowhere")
    before = load_folder(place)
    assert gone.ship(records)[FIRST]["learned"] == 1 and load_folder(place) == before
    (place / "decoder.safetensors").unlink()
    with pytest.raises(TrainingError, match="The weights of tiny, learned, first stage, seed 1 are not in"):
        gone.ship(records)
    one_seed.ship(records)
    assert load_folder(place) == before


def softer(monkeypatch, **training):
    """A preset whose settings have changed since."""
    changed = replace(TINY, training=replace(TINY.training, **training))
    monkeypatch.setitem(PRESETS, "tiny", changed)
    return changed


def test_records_and_runs_of_other_data_are_refused(runner, records, recipes, narrow, tmp_path):
    refused = "had other settings, data, text or another encoder"
    for one, record in ((runner, records[0]), (recipes, narrow)):
        other = altered(one, dataset=small_dataset(train=11))
        with pytest.raises(TrainingError, match=f"record of {record.trial} was made with other data"):
            other.check(record)
        with pytest.raises(TrainingError, match=refused):
            other.run(record.trial)
    with pytest.raises(TrainingError, match=refused):
        altered(runner, sources=Sources(), out=tmp_path).run(records[1].trial)


def test_runs_of_other_settings_are_refused(runner, records, tmp_path, monkeypatch):
    """Nor does a second stage start from one, though its own record would look right, being made of the new settings alone."""
    softer(monkeypatch, label_smoothing=0.05)
    changed = altered(runner, runs=tmp_path / "runs", out=tmp_path / "out")
    with pytest.raises(TrainingError, match="had other settings"):
        altered(changed, runs=runner.runs).run(FIRST_ONE)
    reward = replace(FIRST_ONE, stage=REWARD)
    shutil.copytree(folder_of(runner, FIRST_ONE), folder_of(changed, FIRST_ONE))
    with pytest.raises(TrainingError, match="had other settings, data, text or another encoder"):
        changed.run(reward)
    assert not exists(folder_of(changed, reward))


def test_with_train_and_dev_joined_only_test_is_scored(recipes):
    found = recipes.run(Trial("small", "random", splits=JOINED))
    assert set(found.scores) == {"test"} and found.data == "shapes" and found.trained_on == 16


def diverging(monkeypatch, when):
    finite = trainer.finite
    monkeypatch.setattr(trainer, "finite", lambda loss, epoch: finite(loss if epoch < when else float("nan"), epoch))


def test_a_loss_that_diverges_is_a_result_among_recipes(recipes, tmp_path, monkeypatch):
    """In its second epoch; the first is kept."""
    diverging(monkeypatch, 2)
    away = altered(recipes, runs=tmp_path / "runs", out=tmp_path / "out")
    found = away.run(Trial("small", "random"))
    assert found.gave_up.startswith("The loss became nan in epoch 2") and found.epochs == 1
    assert read_records(away.out, RECIPES)[0].gave_up == found.gave_up


def test_what_could_not_be_trained_is_not_tried_again(runner, records, tmp_path, monkeypatch):
    """Of a seed whose first stage diverges neither that nor the second is trained twice, and no record says that it is done."""
    anew, tried = altered(runner, runs=tmp_path / "runs", out=tmp_path / "out"), []
    execute = Run.execute
    monkeypatch.setattr(Run, "execute", lambda run, resume=False: tried.append(run.folder) or execute(run, resume))
    diverging(monkeypatch, 1)
    for stage in (FIRST, REWARD):
        with pytest.raises(TrainingError, match="The loss became nan"):
            anew.run(Trial("tiny", "learned", stage, seed=3))
    assert len(tried) == 1 and read_records(anew.out, PLAN) == []


def test_a_setting_chosen_with_others_is_refused(runner, records, tmp_path):
    """As when the records were deleted and the setting was forgotten."""
    place = tmp_path / FIRST / "seeds" / "search.json"
    place.parent.mkdir(parents=True)
    stored = json.loads((runner.out / FIRST / "seeds" / "search.json").read_text())
    place.write_text(json.dumps(stored | {"made_with": ["another"]}))
    with pytest.raises(TrainingError, match="search setting .* was chosen with decoders of other settings"):
        altered(runner, out=tmp_path).run(FIRST_ONE)


def test_several_data_sets(runner, tmp_path):
    """Scores of each, and the best seed by the mean of their dev CIDEr."""
    both = altered(runner, dataset=two_datasets(), runs=tmp_path / "runs", out=tmp_path / "out")
    record = both.run(FIRST_ONE)
    assert {name: scores.images for name, scores in record.scores.items()} == {"dev": 4, "more dev": 2, "test": 1, "more test": 1}
    assert record.dev_cider == pytest.approx((record.metric("dev", "cider") + record.metric("more dev", "cider")) / 2)
    assert json.loads((both.out / FIRST / "seeds" / "search.json").read_text())["data"] == record.data == "shapes+more"
    both.check(read_records(both.out, PLAN)[0])
    with pytest.raises(TrainingError, match="made with other data"):
        altered(both, dataset=small_dataset()).check(record)


def test_the_setting_is_chosen_once_per_stage_and_on_dev(runner, records, tmp_path, monkeypatch):
    given = []

    def choose(captioner, subjects, base):
        assert base == TINY.search
        given.append((captioner.stage, [record.name for own in subjects for record in own.records]))
        return choose_beam(captioner, subjects, base)

    monkeypatch.setattr("captioner.experiments.runner.choose_beam", choose)
    again = altered(runner, out=tmp_path)
    for trial in PLAN.trials():
        again.run(trial)
    dev = [record.name for record in runner.dataset.split("dev")]
    assert given == [(FIRST, dev), (REWARD, dev)]
    stored = {stage: json.loads((runner.out / stage / "seeds" / "search.json").read_text()) for stage in (FIRST, REWARD)}
    assert all(one["split"] == "dev" for one in stored.values())
    assert all(record.scores["dev"].beam == record.scores["test"].beam == stored[record.stage]["beam"] for record in records)
