"""Runs that are interrupted or killed, and resumed, end with the weights of an unbroken run, bit for bit."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captioner.config import VARIANTS
from captioner.errors import CheckpointError, EmbeddingError, TrainingError
from captioner.figures.decoder.settings_in_words import read_parameters
from captioner.model.checkpoints import load
from captioner.storage import exists, load_folder, save_folder
from captioner.training import provenance
from captioner.training.provenance import Code
from captioner.training.run import Run, Start
from captioner.training.run_inputs import RunInputs, Sources
from captioner.training.worker_group import SingleWorker
from support.fakes import (
    StubEncoder,
    check_equal,
    interrupt_reading,
    small_dataset,
    small_inputs,
    small_preset,
    stop_after_an_epoch,
    uncompiled,
)

# Trains in a separate process, and kills itself as `kill -9` does once its first epoch has been saved.
CHILD = """
import os, signal, sys
from pathlib import Path
from captioner.runtime import start_tensorflow
start_tensorflow(repeatable=True)
from support.fakes import small_inputs
from captioner.training.run import Run

run = Run(small_inputs(Path(sys.argv[1])), "learned", 1, Path(sys.argv[2]))
keep = run._keep
run._keep = lambda *given: (keep(*given), os.kill(os.getpid(), signal.SIGKILL))
run.execute()
"""
pytestmark = pytest.mark.slow
TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def unbroken(inputs, tmp_path_factory):
    """The folder of an unbroken run, and its last state."""
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, Run(inputs, "learned", 1, folder).execute()


def history(folder):
    return json.loads((folder / "learned" / "history.json").read_bytes())


def losses(folder):
    """A history's epochs, except for their seconds."""
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in history(folder)["epochs"]]


def check_same_run(folder, unbroken, variables):
    reference, state = unbroken
    check_equal(variables, state.variables)
    assert losses(folder) == losses(reference) and history(folder)["best_epoch"] == history(reference)["best_epoch"]
    assert load_folder(folder / "learned") == load_folder(reference / "learned")
    assert history(folder)["state"] == "finished" and not (folder / ".resume" / "learned").exists()


def test_an_unbroken_run(unbroken):
    folder, state = unbroken
    assert history(folder)["state"] == "finished" and [epoch["epoch"] for epoch in history(folder)["epochs"]] == [1, 2, 3, 4]
    data, (code,) = history(folder)["data"], history(folder)["code"]
    assert data["name"] == "shapes" and data["photographs"] == {"train": 12, "dev": 4} and data["files"] == []
    assert code["source"] == provenance.code().source
    checkpoint = load(folder / "learned")
    for name, values in checkpoint.weights.items():
        np.testing.assert_array_equal(values, state.best[name].astype(np.float16))
    np.testing.assert_array_equal(checkpoint.table.vectors, state.best["decoder/table"].astype(np.float16))
    assert checkpoint.table.source.endswith("Trained with the decoder.") and set(checkpoint.table.origins) == {"learned"}


@pytest.mark.process
def test_killed_then_interrupted_within_an_epoch_and_resumed(inputs, cache, unbroken, tmp_path, monkeypatch):
    """The first epoch comes from another process, whose bits must be equal."""
    paths = {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
    child = subprocess.run([sys.executable, "-c", CHILD, cache, tmp_path], env=os.environ | paths, capture_output=True, text=True)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert history(tmp_path)["state"] == "running" and len(history(tmp_path)["epochs"]) == 1

    interrupt_reading(inputs.cache, 6, monkeypatch)  # An epoch reads three batches and dev, so this is within the third.
    with pytest.raises(KeyboardInterrupt):
        Run(inputs, "learned", 1, tmp_path).execute(resume=True)
    monkeypatch.undo()
    assert history(tmp_path)["state"] == "stopped" and len(history(tmp_path)["epochs"]) == 2
    assert not exists(tmp_path / "learned") and exists(tmp_path / ".resume" / "learned")
    with pytest.raises(TrainingError, match="already holds a run; .*--resume"):
        Run(inputs, "learned", 1, tmp_path).execute()
    check_same_run(tmp_path, unbroken, Run(inputs, "learned", 1, tmp_path).execute(resume=True).variables)


@uncompiled()
@pytest.mark.parametrize("shape", [{"attention": "additive"}, {"image_norm": "batch"}], ids=str)
def test_older_recipes_are_resumed_exactly(cache, tmp_path, monkeypatch, shape):
    """With the statistics of batch normalisation, which are among the saved weights."""
    preset = small_preset(epochs=2)
    prepared = small_inputs(cache, replace(preset, decoder=replace(preset.decoder, **shape)))
    whole = tmp_path / "whole", Run(prepared, "learned", 1, tmp_path / "whole").execute()
    stop_after_an_epoch(Run(prepared, "learned", 1, tmp_path / "broken"), monkeypatch)
    check_same_run(tmp_path / "broken", whole, Run(prepared, "learned", 1, tmp_path / "broken").execute(resume=True).variables)
    weights = load(tmp_path / "broken" / "learned").weights
    assert ("image_norm/mean" in weights) == ("image_norm" in shape)
    assert "image_norm" not in shape or abs(weights["image_norm/mean"]).max() > 0
    counted = read_parameters(tmp_path / "broken" / "learned")
    assert counted.frozen == (2 * len(weights["image_norm/mean"]) if "image_norm" in shape else 0)


@uncompiled()
def test_another_seed_ends_elsewhere(cache, unbroken, tmp_path):
    other = Run(small_inputs(cache, small_preset(epochs=1)), "learned", 2, tmp_path).execute()
    assert set(other.variables) == set(unbroken[1].variables)  # Names do not depend on earlier runs of the process.
    assert other.epochs[0].train_loss != unbroken[1].epochs[0].train_loss
    assert any((other.variables[name] != values).any() for name, values in unbroken[1].variables.items())


def test_a_finished_run_is_left_alone(inputs, unbroken):
    with pytest.raises(TrainingError, match="is finished"):
        Run(inputs, "learned", 1, unbroken[0]).execute(resume=True)
    with pytest.raises(TrainingError, match="already holds a run"):
        Run(inputs, "learned", 1, unbroken[0]).execute()


def test_an_interruption_after_the_checkpoint_was_saved(inputs, unbroken, tmp_path, monkeypatch):
    folder, state = unbroken
    run = Run(inputs, "learned", 1, tmp_path)
    table, extra = inputs.table("learned", 1)
    run._keep(state, table, extra)
    monkeypatch.setattr("captioner.training.run.remove_folder", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run.execute(resume=True)
    assert history(tmp_path)["state"] == "finished"
    monkeypatch.undo()
    check_same_run(tmp_path, unbroken, run.execute(resume=True).variables)


@pytest.mark.parametrize(
    "change",
    [
        lambda cache, corpus: (small_inputs(cache), "learned", 2),
        lambda cache, corpus: (small_inputs(cache), "word2vec", 1),
        lambda cache, corpus: (small_inputs(cache, small_preset(learning_rate=0.5)), "learned", 1),
        lambda cache, corpus: (small_inputs(cache, sources=Sources(corpus=(corpus,))), "learned", 1),
        lambda cache, corpus: (RunInputs(small_dataset(train=11), StubEncoder(), cache, small_preset()), "learned", 1),
    ],
    ids=["seed", "variant", "setting", "corpus", "photographs"],
)
def test_a_run_resumes_with_its_own_settings_only(inputs, unbroken, cache, tmp_path, change):
    (tmp_path / "corpus.txt").write_text("a dog\n")
    Run(inputs, "learned", 1, tmp_path)._keep(unbroken[1], *inputs.table("learned", 1))
    other, variant, seed = change(cache, tmp_path / "corpus.txt")
    run = Run(other, variant, seed, tmp_path)
    run.resume_folder = tmp_path / ".resume" / "learned"
    with pytest.raises(TrainingError, match="had other settings, another seed or other data"):
        run.execute(resume=True)


def test_a_run_of_another_version(inputs, tmp_path):
    run = Run(inputs, "learned", 1, tmp_path)
    for mark in ([], {}, {"fingerprint": run.fingerprint}, {"fingerprint": run.fingerprint, "epochs": [{"epoch": 1}]}):
        save_folder(run.resume_folder, {"run.json": json.dumps(mark).encode()})
        with pytest.raises(CheckpointError, match="another version of the program"):
            run.execute(resume=True)


def test_code_that_changed_between_the_parts_of_a_run_is_recorded(inputs, unbroken, tmp_path):
    """None is a part of an earlier version, which did not record its code."""
    now, old = provenance.code(), Code("old")
    for stored, expected in (([now], [now]), ([old], [old, now]), (None, [None, now])):
        run = Run(inputs, "learned", 1, tmp_path)
        run._code = stored or [now]
        run._keep(unbroken[1], *inputs.table("learned", 1))
        if stored is None:
            files = load_folder(run.resume_folder)
            mark = {name: value for name, value in json.loads(files["run.json"]).items() if name != "code"}
            save_folder(run.resume_folder, files | {"run.json": json.dumps(mark).encode()})
        again = Run(inputs, "learned", 1, tmp_path)
        again._resumed()
        assert again._code == expected


def test_workers_must_agree_on_the_text_itself(cache, tmp_path, monkeypatch):
    """Not only on its name and size."""
    corpus, marks = tmp_path / "corpus.txt", []
    monkeypatch.setattr(SingleWorker, "agree", lambda self, mark, what: marks.append(mark) or pytest.fail("enough"))
    for text in ("a dog\n", "a cat\n", "a cat\n"):
        corpus.write_text(text)
        with pytest.raises(pytest.fail.Exception):
            Run(small_inputs(cache, sources=Sources(corpus=(corpus,))), "word2vec", 1, tmp_path).execute()
    assert marks[0] != marks[1] == marks[2]


def test_a_run_records_the_files_of_its_vectors(cache, tmp_path):
    corpus, text = tmp_path / "corpus.txt", b"A dog, and a star!\n\n" * 4
    corpus.write_bytes(text)
    prepared = small_inputs(cache, sources=Sources(corpus=(corpus,)))
    names = (*VARIANTS, "word2vec-captions", "word2vec-start")
    made = {name: Run(prepared, name, 1, tmp_path)._data["files"] for name in names}
    file = {"role": "corpus", "name": "corpus.txt", "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    assert made["word2vec"] == made["fasttext"] == made["word2vec-start"] == [file]
    assert made["learned"] == made["word2vec-captions"] == []


def test_finished_vectors_bring_their_width(cache, inputs, tmp_path):
    words = inputs.vocabulary.words[4:]
    rows = [f"{word} {number} {number % 3} 1 0" for number, word in enumerate(words)]
    (tmp_path / "vectors.txt").write_text(f"{len(words)} 4\n" + "\n".join(rows) + "\n")
    prepared = small_inputs(cache, sources=Sources(word2vec=tmp_path / "vectors.txt"))
    table, _ = prepared.table("word2vec", 1)
    assert table.dimensions == 4 and set(table.origins[4:]) == {"trained"}
    assert Run(prepared, "word2vec", 1, tmp_path)._preset(table).decoder.embedding_dimensions == 4


def test_a_source_that_is_not_there(cache, tmp_path):
    prepared = small_inputs(cache, sources=Sources(corpus=(tmp_path / "missing.txt",)))
    with pytest.raises(EmbeddingError, match="no file .*missing.txt"):
        Run(prepared, "word2vec", 1, tmp_path)


@uncompiled()
def test_a_run_that_starts_from_another(inputs, unbroken, tmp_path, monkeypatch):
    """It begins with the other's weights and words, continues its history, and can be interrupted too."""
    start = Start.load(unbroken[0], "learned", inputs)
    whole = Run(inputs, "learned", 1, tmp_path / "whole", start).execute()
    earlier, later = history(unbroken[0])["epochs"], history(tmp_path / "whole")
    assert later["earlier"] == len(earlier) and later["epochs"][: len(earlier)] == earlier
    assert [epoch["epoch"] for epoch in later["epochs"]] == list(range(1, len(earlier) + len(whole.epochs) + 1))
    assert later["best_epoch"] == len(earlier) + whole.best_epoch
    assert later["epochs"][len(earlier)]["train_loss"] < earlier[0]["train_loss"]
    origin = {name: history(unbroken[0])[name] for name in ("seed", "made_with", "data", "code")}
    assert later["started_from"] == {"stage": "first"} | origin

    stop_after_an_epoch(Run(inputs, "learned", 1, tmp_path / "broken", start), monkeypatch)
    resumed = Run(inputs, "learned", 1, tmp_path / "broken", start).execute(resume=True)
    check_equal(resumed.variables, whole.variables)
    assert losses(tmp_path / "broken") == losses(tmp_path / "whole")


def test_a_start_of_other_words_is_refused(inputs, unbroken, tmp_path):
    dataset = replace(small_dataset(), splits=small_dataset().splits | {"train": small_dataset().split("train")[:2]})
    other = RunInputs(dataset, inputs.encoder, tmp_path, small_preset())
    with pytest.raises(TrainingError, match="learned cannot start from"):
        Start.load(unbroken[0], "learned", other)
