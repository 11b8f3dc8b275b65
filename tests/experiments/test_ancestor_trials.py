"""Older recipes trained and scored for real, on a few generated pictures, and the command that does it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from captioner.__main__ import main
from captioner.config import JOINED, SearchConfig
from captioner.errors import TrainingError
from captioner.experiments import ancestor_records
from captioner.experiments.ancestor_records import ANCESTORS_FILE, Ancestor, read_records, save_records
from captioner.experiments.ancestor_trials import Workshop
from captioner.experiments.study import STUDY
from captioner.model.checkpoints import load
from captioner.presets import ANCESTORS, PRESETS
from captioner.training import trainer
from captioner.training.run_inputs import Sources
from support.standins import StubEncoder, small_dataset, small_preset
from support.written_ancestors import write_ancestors
from support.written_study import write_study

SMALL = replace(small_preset(epochs=2), name="small", search=SearchConfig(beam=2, maximum_words=5))


@pytest.fixture(scope="module", autouse=True)
def small_recipe():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "small", SMALL)
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("ancestors")


def workshop(place, dataset=None, runs="runs"):
    return Workshop(dataset or small_dataset(), StubEncoder(), place / "cache", Sources(), place / runs)


@pytest.fixture(scope="module")
def carried_out(place):
    ancestor = Ancestor("small", "word2vec", 4)
    return workshop(place).carry_out(ancestor)


def test_what_is_kept_of_a_training_is_what_its_files_say(place, carried_out):
    run = place / "runs" / carried_out.ancestor.place / "word2vec"
    checkpoint, history = load(run), json.loads((run / "history.json").read_text())
    data = carried_out.data
    assert checkpoint.table.dimensions == 4 and data["words"] == len(checkpoint.vocabulary)
    assert data["frozen"] == checkpoint.table.vectors.size
    assert data["trainable"] == sum(np.size(values) for values in checkpoint.weights.values())
    assert carried_out.losses == [(epoch["train_loss"], epoch["dev_loss"]) for epoch in history["epochs"]]
    assert len(data["losses"]) == 2
    assert data["test"]["beam"] == 2 and data["ms_per_caption"] > 0
    assert data["fastest_epoch"] == min(epoch["seconds"] for epoch in history["epochs"])
    assert data["dev"]["images"] == 4 and data["test"]["images"] == 1
    low, high = data["dev"]["intervals"]["cider"]
    assert low <= carried_out.metric("dev", "cider") <= high
    save_records(place, [carried_out])
    assert read_records(place)[0].data == json.loads(json.dumps(carried_out.data))


def test_what_is_trained_is_not_trained_again(place, carried_out, monkeypatch):
    monkeypatch.setattr("captioner.training.run.Run.execute", lambda *_: pytest.fail("it was there already"))
    again = workshop(place).carry_out(carried_out.ancestor)
    assert again.data["test"] == carried_out.data["test"] and again.losses == carried_out.losses


def test_stale_records_and_runs_are_refused(place, carried_out):
    workshop(place).check(carried_out)
    other = workshop(place, small_dataset(train=11))
    with pytest.raises(TrainingError, match="record of small, word2vec, 4 dimensions, seed 1 was made with other data"):
        other.check(carried_out)
    with pytest.raises(TrainingError, match="had other settings, data, text or another encoder"):
        other.carry_out(carried_out.ancestor)


def test_with_train_and_dev_joined_only_test_is_scored(place):
    found = workshop(place).carry_out(Ancestor("small", "random", 4, splits=JOINED))
    assert found.has("test") and not found.has("dev") and found.data["data"] == "shapes"


def test_a_loss_that_runs_away_is_a_result(place, monkeypatch):
    """In its second epoch; the first is told."""
    finite = trainer.finite
    monkeypatch.setattr(trainer, "finite", lambda loss, epoch: finite(loss if epoch == 1 else float("nan"), epoch))
    found = workshop(place, runs="away").carry_out(Ancestor("small", "random", 6))
    assert found.gave_up.startswith("The loss became nan in epoch 2") and len(found.losses) == 1
    save_records(place, [found])
    assert read_records(place)[0].gave_up == found.gave_up


def test_the_command_trains_what_is_missing_and_tells_it(tmp_path, monkeypatch, capsys):
    trials = [Ancestor("small", name, 6) for name in ("learned", "word2vec")]
    monkeypatch.setattr("captioner.figures.recipes.dimensions_question.plan", lambda _parts: [])
    monkeypatch.setattr(ancestor_records, "plan", lambda parts=(): trials)
    monkeypatch.setattr("captioner.data.datasets.load", lambda _data: small_dataset())
    monkeypatch.setattr("captioner.vision.encoder.load_encoder", lambda name, **_: StubEncoder())
    command = ["ancestors", "--checkpoints", str(tmp_path), "--cache", str(tmp_path / "cache"), "--json"]
    assert main(command) == 2 and "None of these recipes has been trained yet" in capsys.readouterr().err
    for given, names in (
        (["--part", "notes"], "--part"),
        (["--corpus", "more.txt", "--encoder", "VGG16"], "--corpus and --encoder"),
        (["--encoder-weights", "vgg16.h5"], "--encoder-weights"),
    ):
        assert main([*command, *given]) == 2
        assert f"Without --data nothing is trained; give it, or leave out {names}.\n" in capsys.readouterr().err
    assert main([*command, "--data", "shapes"]) == 0
    output, errors = capsys.readouterr()
    assert [row["variant"] for row in json.loads(output)] == ["learned", "word2vec"]
    assert "0 of 2 trainings are finished already." in errors and "Training 2 of 2: small, word2vec" in errors
    assert "2 of 2 done in" in errors and (tmp_path / "runs/ancestors/small-6-tanh-standard/seed1/card.md").is_file()
    before = (tmp_path / ANCESTORS_FILE).read_bytes()
    assert main([*command, "--data", "shapes"]) == 0 and "2 of 2 trainings are finished" in capsys.readouterr().err
    assert (tmp_path / ANCESTORS_FILE).read_bytes() == before
    assert main(command[:-1]) == 0 and "2 of 2 trainings" in capsys.readouterr().out


def test_the_command_tells_the_finished_ones_as_tables_and_sentences(tmp_path, capsys):
    write_ancestors(tmp_path)
    write_study(tmp_path)
    assert main(["ancestors", "--checkpoints", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "35 of 35 trainings" in told and all(f"\n{preset}\n" in told for preset in ANCESTORS)
    assert "0.500 (0.470 to 0.530)" in told and "seconds of the fastest epoch" in told
    assert "What they led to" in told and "It was the dimensions." in told
    (tmp_path / STUDY).write_text("{}")
    assert main(["ancestors", "--checkpoints", str(tmp_path)]) == 0
    without = capsys.readouterr()
    assert "What they led to" not in without.out and "It was the dimensions." in without.out
    assert "study.json is damaged" in without.err
