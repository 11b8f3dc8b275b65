"""Runs that are interrupted, killed and gone on with end with the weights of an unbroken one, bit for bit."""

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
from safetensors.numpy import load as load_tensors

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
from support.fakes import StubEncoder, small_dataset, small_inputs, small_preset, stop_after_an_epoch

# Trains in a process of its own; with a number of epochs it kills itself as `kill -9` does, once they are put down.
CHILD = """
import os, signal, sys
from pathlib import Path
from captioner.runtime import start_tensorflow
start_tensorflow(repeatable=True)
from safetensors.numpy import save_file
from support.fakes import small_inputs
from captioner.training.run import Run

cache, out, epochs = sys.argv[1:]
run = Run(small_inputs(Path(cache)), "learned", 1, Path(out))
keep = run._keep
def keep_and_die(state, *rest):
    keep(state, *rest)
    if len(state.epochs) == int(epochs):
        os.kill(os.getpid(), signal.SIGKILL)
run._keep = keep_and_die
state = run.execute(resume=True)
save_file(state.variables, Path(out) / "variables.safetensors")
"""


def child(cache, out, epochs):
    paths = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run([sys.executable, "-c", CHILD, cache, out, str(epochs)], env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def unbroken(inputs, tmp_path_factory):
    """The folder of a run that nothing happened to, and all that it ended with."""
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, Run(inputs, "learned", 1, folder).execute()


def check_equal(one, other):
    assert set(one) == set(other)
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)


def history(folder):
    return json.loads((folder / "learned" / "history.json").read_bytes())


def losses(folder):
    """All that a history tells of its epochs, except how long they took."""
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


def test_interrupted_in_an_epoch_and_gone_on_with(inputs, unbroken, tmp_path, monkeypatch):
    rows, batches = inputs.cache.rows, []

    def interrupt(*arguments):
        batches.append(arguments)
        if len(batches) == 10:  # Three batches and one look at dev make an epoch, so this is the third.
            raise KeyboardInterrupt
        return rows(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(inputs.cache, "rows", interrupt)
        Run(inputs, "learned", 1, tmp_path).execute()
    assert history(tmp_path)["state"] == "stopped" and len(history(tmp_path)["epochs"]) == 2
    assert not exists(tmp_path / "learned") and exists(tmp_path / ".resume" / "learned")
    with pytest.raises(TrainingError, match="already holds a run; .*--resume"):
        Run(inputs, "learned", 1, tmp_path).execute()
    check_same_run(tmp_path, unbroken, Run(inputs, "learned", 1, tmp_path).execute(resume=True).variables)


def test_killed_and_gone_on_with_in_other_processes(cache, unbroken, tmp_path):
    """Also shows that equal seeds give equal bits in different processes."""
    killed = child(cache, tmp_path, 2)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert history(tmp_path)["state"] == "running" and len(history(tmp_path)["epochs"]) == 2
    finished = child(cache, tmp_path, 0)
    assert finished.returncode == 0, finished.stderr
    check_same_run(tmp_path, unbroken, load_tensors((tmp_path / "variables.safetensors").read_bytes()))


@pytest.mark.parametrize("shape", [{"attention": "additive"}, {"image_norm": "batch"}], ids=str)
def test_older_recipes_are_gone_on_with_like_ours(cache, tmp_path, monkeypatch, shape):
    """Also what batch normalisation has counted so far, which is among the weights that are kept."""
    preset = small_preset(epochs=2)
    prepared = small_inputs(cache, replace(preset, decoder=replace(preset.decoder, **shape)))
    whole = tmp_path / "whole", Run(prepared, "learned", 1, tmp_path / "whole").execute()
    broken = Run(prepared, "learned", 1, tmp_path / "broken")
    with monkeypatch.context() as patch:
        stop_after_an_epoch(broken, patch)
    check_same_run(tmp_path / "broken", whole, Run(prepared, "learned", 1, tmp_path / "broken").execute(resume=True).variables)
    weights = load(tmp_path / "broken" / "learned").weights
    assert ("image_norm/mean" in weights) == ("image_norm" in shape)
    assert "image_norm" not in shape or abs(weights["image_norm/mean"]).max() > 0
    counted = read_parameters(tmp_path / "broken" / "learned")
    assert counted.frozen == (2 * len(weights["image_norm/mean"]) if "image_norm" in shape else 0)


def test_another_seed_ends_elsewhere(inputs, unbroken, tmp_path):
    shorter = small_inputs(inputs.cache.folder.parent, small_preset(epochs=1))
    other = Run(shorter, "learned", 2, tmp_path).execute()
    assert set(other.variables) == set(unbroken[1].variables)  # A second run of one process has no names of its own.
    assert other.epochs[0].train_loss != unbroken[1].epochs[0].train_loss
    assert any((other.variables[name] != values).any() for name, values in unbroken[1].variables.items())


def test_a_finished_run_is_left_alone(inputs, unbroken):
    with pytest.raises(TrainingError, match="is finished"):
        Run(inputs, "learned", 1, unbroken[0]).execute(resume=True)
    with pytest.raises(TrainingError, match="already holds a run"):
        Run(inputs, "learned", 1, unbroken[0]).execute()


def test_a_cut_after_the_checkpoint_was_saved(inputs, unbroken, tmp_path, monkeypatch):
    """What is left of it finishes at once, from what it had put down."""
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
def test_a_run_goes_on_with_its_own_settings_only(inputs, unbroken, cache, tmp_path, change):
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


def test_code_that_changed_between_the_parts_of_a_run_is_told(inputs, unbroken, tmp_path, monkeypatch):
    """And a part that an earlier version began, which put nothing down, is told as such."""
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


@pytest.fixture
def with_corpus(cache, tmp_path):
    (tmp_path / "corpus.txt").write_text("A dog, and a star!\n\n" * 4)
    return small_inputs(cache, sources=Sources(corpus=(tmp_path / "corpus.txt",)))


def test_workers_hold_the_text_itself_against_each_other(cache, tmp_path, monkeypatch):
    """Of equal size, under one name."""
    corpus, marks = tmp_path / "corpus.txt", set()

    def agree(self, mark, what):
        marks.add(mark)
        raise TrainingError("enough")

    monkeypatch.setattr(SingleWorker, "agree", agree)
    for text in ("a dog\n", "a cat\n", "a cat\n"):
        corpus.write_text(text)
        with pytest.raises(TrainingError, match="enough"):
            Run(small_inputs(cache, sources=Sources(corpus=(corpus,))), "word2vec", 1, tmp_path).execute()
    assert len(marks) == 2


def test_a_run_tells_of_the_files_that_its_vectors_are_made_of(with_corpus, tmp_path):
    names = (*VARIANTS, "word2vec-captions", "word2vec-start")
    made = {name: Run(with_corpus, name, 1, tmp_path)._data["files"] for name in names}
    (corpus,) = made["word2vec"]
    text = (tmp_path / "corpus.txt").read_bytes()
    digest = hashlib.sha256(text).hexdigest()
    assert corpus == {"role": "corpus", "name": "corpus.txt", "bytes": len(text), "sha256": digest}
    assert made["fasttext"] == made["word2vec-start"] == [corpus] and made["learned"] == made["word2vec-captions"] == []


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


def test_a_run_that_starts_from_another(inputs, unbroken, tmp_path, monkeypatch):
    """It begins with the other's weights and words, its history continues the other's, and it too can be interrupted."""
    start = Start.load(unbroken[0], "learned", inputs)
    whole = Run(inputs, "learned", 1, tmp_path / "whole", start).execute()
    earlier, later = history(unbroken[0])["epochs"], history(tmp_path / "whole")
    assert later["earlier"] == len(earlier) and later["epochs"][: len(earlier)] == earlier
    assert [epoch["epoch"] for epoch in later["epochs"]] == list(range(1, len(earlier) + len(whole.epochs) + 1))
    assert later["best_epoch"] == len(earlier) + whole.best_epoch
    assert later["epochs"][len(earlier)]["train_loss"] < earlier[0]["train_loss"]
    told = {name: history(unbroken[0])[name] for name in ("seed", "made_with", "data", "code")}
    assert later["started_from"] == {"stage": "first"} | told

    broken = Run(inputs, "learned", 1, tmp_path / "broken", start)
    stop_after_an_epoch(broken, monkeypatch)
    resumed = Run(inputs, "learned", 1, tmp_path / "broken", start).execute(resume=True)
    check_equal(resumed.variables, whole.variables)
    assert losses(tmp_path / "broken") == losses(tmp_path / "whole")


def test_a_start_of_other_words_is_refused(inputs, unbroken, tmp_path):
    dataset = replace(small_dataset(), splits=small_dataset().splits | {"train": small_dataset().split("train")[:2]})
    other = RunInputs(dataset, inputs.encoder, tmp_path, small_preset())
    with pytest.raises(TrainingError, match="learned cannot start from"):
        Start.load(unbroken[0], "learned", other)
