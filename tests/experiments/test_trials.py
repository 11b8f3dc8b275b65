"""A whole small study from nothing: trained, scored, interrupted, gone on with and shipped, with real decoders."""

import json
import shutil
from dataclasses import replace

import pytest

from captioner.config import CONTROLS, FIRST, REWARD, VARIANTS, RewardConfig
from captioner.errors import TrainingError
from captioner.experiments.trial_records import Plan, Trial, records
from captioner.experiments.trials import Workshop
from captioner.model.checkpoints import load, load_all
from captioner.scoring.evaluation import Subjects, choose_beam, evaluate
from captioner.storage import exists, load_folder
from captioner.training.run import Run
from captioner.training.run_inputs import Sources
from support.standins import StubEncoder, small_dataset, small_preset

PLAN = Plan("tiny", 2, 1, 0)
HELD_AGAINST = tuple(Trial("tiny", FIRST, name, 1) for name in ("random", "word2vec-start"))


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "corpus.txt").write_text("a small red circle on a table\n" * 5)
    reward = RewardConfig(epochs=1, images_per_batch=4, views=1, maximum_words=7)
    preset = replace(small_preset(epochs=1), reward=reward)
    sources = Sources((folder / "corpus.txt",))
    return Workshop(small_dataset(), StubEncoder(), folder / "cache", preset, sources, folder / "runs", folder / "out")


@pytest.fixture(scope="module")
def carried_out(workshop):
    for trial in (*PLAN.trials(), *HELD_AGAINST):
        workshop.carry_out(trial)
    return records(workshop.out, PLAN)


def test_every_trial_has_a_record(workshop, carried_out):
    assert [record.trial for record in carried_out] == [*PLAN.trials(), *HELD_AGAINST]
    assert all(workshop.finished(trial) for trial in (*PLAN.trials(), *HELD_AGAINST))
    assert not workshop.finished(Trial("tiny", FIRST, "word2vec-captions", 1))


def test_a_record_says_what_the_decoder_does(workshop, carried_out):
    """Against the decoder's own folder, evaluated anew."""
    from captioner.captioning.captioner import Captioner

    for record in (carried_out[1], carried_out[4]):
        folder = workshop.runs / "tiny" / record.trial.place
        captioner = Captioner(workshop.encoder, {record.trial.variant: load(folder)})
        subjects = Subjects.of(workshop.dataset.split("test"), workshop._first.cache)
        found = evaluate(captioner, subjects, workshop._setting(record.trial))
        assert record.data["test"]["metrics"] == found.scores[record.trial.variant].metrics
        assert record.per_photograph("test") == pytest.approx(found.scores[record.trial.variant].cider, abs=1e-4)
        history = json.loads((folder / "history.json").read_text())
        assert record.data["dev"]["loss"] == pytest.approx(history["epochs"][history["best_epoch"] - 1]["dev_loss"], abs=0.01)


def test_strange_photographs_are_looked_at_apart(workshop, carried_out):
    for split, mask in workshop._strangest.items():
        assert len(mask) == len(workshop.dataset.split(split)) and mask.sum() == round(0.2 * len(mask))
    part = carried_out[0].data["dev"]
    mask, cider = workshop._strangest["dev"], carried_out[0].per_photograph("dev")
    assert part["strangest_cider"] == pytest.approx(cider[mask].mean(), abs=1e-4)
    assert part["others_cider"] == pytest.approx(cider[~mask].mean(), abs=1e-4)
    assert 0 <= part["wording"]["flawed"] <= 1 and sum(part["used"].values()) >= 4


def test_the_second_stage_goes_on_from_the_same_seed(workshop):
    folder = workshop.runs / "tiny" / Trial("tiny", REWARD, "word2vec", 1).place
    history = json.loads((folder / "history.json").read_text())
    assert history["earlier"] == 1 and [epoch["stage"] for epoch in history["epochs"]] == [FIRST, REWARD]


def test_controls_differ_in_their_vectors(workshop, carried_out):
    tables = {name: workshop._first.table(name, 1)[0] for name in (*VARIANTS, *CONTROLS)}
    assert (tables["word2vec-start"].vectors == tables["word2vec"].vectors).all()
    assert (tables["random"].vectors == tables["learned"].vectors).all()
    assert set(tables["random"].origins) == {"special", "missing"}
    assert (tables["word2vec-captions"].vectors != tables["word2vec"].vectors).any()
    started = load(workshop.runs / "tiny" / Trial("tiny", FIRST, "word2vec-start", 1).place)
    kept = load(workshop.runs / "tiny" / Trial("tiny", FIRST, "random", 1).place)
    assert (started.table.vectors != tables["word2vec-start"].vectors).any()  # Trained further.
    assert (kept.table.vectors == tables["random"].vectors.astype("float16")).all()


def test_nothing_is_done_twice(workshop, carried_out, monkeypatch):
    monkeypatch.setattr(Run, "execute", lambda *_: pytest.fail("trained again"))
    place = workshop.out / carried_out[0].trial.place / "scores.json"
    before = place.read_text()
    place.unlink()
    workshop.carry_out(carried_out[0].trial)  # Scored again, not trained again.
    assert place.read_text() == before


def test_what_ships_is_the_best_on_dev(workshop, carried_out):
    shipped = workshop.ship(PLAN)
    assert set(shipped) == {FIRST, REWARD} and set(shipped[REWARD].values()) == {1}
    for stage in shipped:
        for name, checkpoint in load_all(workshop.out / stage).items():
            assert checkpoint.seed == shipped[stage][name]
            scores = {record.trial.seed: record.metric("dev", "cider") for record in carried_out
                      if (record.trial.stage, record.trial.variant) == (stage, name)}  # fmt: skip
            assert scores[checkpoint.seed] == max(scores.values())
    assert workshop.ship(Plan("tiny", 3, 1, 0)).keys() == {REWARD}  # A third seed is missing in the first stage.


def test_what_ships_is_whole_or_left_alone(workshop, carried_out, tmp_path):
    """What lies there already needs no runs; a broken copy is made anew from them, and without them left as it is."""
    one_seed = Plan("tiny", 1, 0, 0)
    workshop.ship(one_seed)
    place = workshop.out / FIRST / "learned"
    gone = replace(workshop, runs=tmp_path / "nowhere")
    before = load_folder(place)
    assert gone.ship(one_seed)[FIRST]["learned"] == 1 and load_folder(place) == before
    (place / "decoder.safetensors").unlink()
    with pytest.raises(TrainingError, match="The weights of first stage, learned, seed 1 are not in"):
        gone.ship(one_seed)
    workshop.ship(one_seed)
    assert load_folder(place) == before


def test_records_of_other_settings_are_refused(workshop, carried_out, tmp_path):
    trial = carried_out[0].trial
    softer = replace(workshop.preset.decoder, dropout=0.3)
    other = replace(workshop, preset=replace(workshop.preset, decoder=softer))
    with pytest.raises(TrainingError, match="made with other settings, data or another encoder"):
        other.finished(trial)
    refused = "had other settings, data, text or another encoder; train this study in another --runs"
    for elsewhere in (replace(other, out=tmp_path), replace(workshop, sources=Sources(), out=tmp_path)):
        with pytest.raises(TrainingError, match=refused):
            elsewhere.carry_out(trial)


def test_no_second_stage_goes_on_from_a_run_of_other_settings(workshop, carried_out, tmp_path):
    """Its own record would look right, since it is made of the new settings alone."""
    softer = replace(workshop.preset.training, label_smoothing=0.05)
    changed = replace(workshop, preset=replace(workshop.preset, training=softer), runs=tmp_path / "runs", out=tmp_path / "out")
    first = Trial("tiny", FIRST, "learned", 1)
    shutil.copytree(workshop.runs / "tiny" / first.place, changed.runs / "tiny" / first.place)
    with pytest.raises(TrainingError, match="had other settings, data, text or another encoder"):
        changed.carry_out(replace(first, stage=REWARD))
    assert not exists(changed.runs / "tiny" / replace(first, stage=REWARD).place)


def test_what_could_not_be_trained_is_not_tried_again(workshop, carried_out, tmp_path, monkeypatch):
    """Of a seed whose first stage diverges neither that nor the second is trained twice."""
    anew, tried = replace(workshop, runs=tmp_path / "runs", out=tmp_path / "out"), []

    def diverge(run, resume=False):
        tried.append(run.folder)
        raise TrainingError("The loss became nan in epoch 1; lower the learning rate and start again.")

    monkeypatch.setattr(Run, "execute", diverge)
    for stage in (FIRST, REWARD):
        with pytest.raises(TrainingError, match="The loss became nan"):
            anew.carry_out(Trial("tiny", stage, "learned", 3))
    assert len(tried) == 1


def test_a_setting_chosen_with_others_is_refused(workshop, carried_out, tmp_path):
    """As when the records were deleted and the setting was forgotten."""
    place = tmp_path / FIRST / "seeds" / "search.json"
    place.parent.mkdir(parents=True)
    stored = json.loads((workshop.out / FIRST / "seeds" / "search.json").read_text())
    place.write_text(json.dumps(stored | {"made_with": ["another"]}))
    with pytest.raises(TrainingError, match="search setting .* was chosen with decoders of other settings"):
        replace(workshop, out=tmp_path).carry_out(carried_out[0].trial)


def test_the_setting_is_chosen_once_per_stage_and_on_dev(workshop, carried_out, tmp_path, monkeypatch):
    given = []

    def choose(captioner, subjects, base):
        assert base is workshop.preset.search
        given.append((captioner.stage, [record.name for record in subjects.records]))
        return choose_beam(captioner, subjects, base)

    monkeypatch.setattr("captioner.experiments.trials.choose_beam", choose)
    again = replace(workshop, out=tmp_path)
    for trial in PLAN.trials():
        again.carry_out(trial)
    dev = [record.name for record in workshop.dataset.split("dev")]
    assert given == [(FIRST, dev), (REWARD, dev)]
    stored = [json.loads((workshop.out / stage / "seeds" / "search.json").read_text()) for stage in (FIRST, REWARD)]
    assert all(one["split"] == "dev" for one in stored)
    assert all(record.data["beam"] == stored[record.trial.stage == REWARD]["beam"] for record in carried_out)
