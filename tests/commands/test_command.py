"""`python -m captioner`: every command in this process on small generated data, its exit status, and what it prints where."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from captioner.__main__ import main
from captioner.captioning import captioner
from captioner.commands import serve
from captioner.config import VARIANTS, SearchConfig
from captioner.data.datasets import shapes
from captioner.data.images import read_file, resize
from captioner.errors import EncoderError, TrainingError
from captioner.experiments.records import read_kept
from captioner.model.checkpoints import load_all, save
from captioner.presets import PRESETS
from captioner.reports.doctor import CHECKS
from captioner.scoring import familiarity, novelty_curve
from captioner.training import run as runs
from captioner.vision import encoder as encoders
from support.event_files import points
from support.factories import write_flickr8k
from support.fakes import write_stages

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
METRICS = {"bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "cider"}
HEAVY = ("numpy", "tensorflow", "keras", "gensim", "fasttext", "streamlit")
BROKEN = "test-00001.png"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Generated pictures as a folder of Flickr8k; one test picture is damaged and one is not there."""
    root = write_flickr8k(tmp_path_factory.mktemp("data") / "flickr8k", 48, 16, 16)
    photographs = root / "Flicker8k_Dataset"
    (photographs / BROKEN).write_bytes(b"not a picture")
    (photographs / "test-00002.png").unlink()
    return root


@pytest.fixture
def run(encoder, monkeypatch, capsys):
    """The command line with the one encoder of the session; gives exit status, standard output and standard error."""
    for module in (captioner, encoders):
        monkeypatch.setattr(module, "load_encoder", lambda name, **_: encoder)

    def run(*arguments):
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            status = stopped.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def copied(tiny_run, tmp_path_factory):
    """A trained run that the tests of this module may write scores into."""
    return shutil.copytree(tiny_run, tmp_path_factory.mktemp("copied") / "run")


@pytest.fixture(scope="module")
def staged(tiny_run, tmp_path_factory):
    """Decoders of two stages side by side."""
    return write_stages(tiny_run, tmp_path_factory.mktemp("staged"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of two pictures, a damaged one, and files that are none."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, colour in (("b.png", "red"), ("a.JPG", "blue")):
        Image.new("RGB", (60, 40), colour).save(folder / name)
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("nothing")
    (folder / "inside").mkdir()
    Image.new("RGB", (60, 40)).save(folder / "inside" / "deep.png")
    return folder


def interrupt(monkeypatch, variant):
    """Have Ctrl-C come right after the first epoch of this variant was put down."""
    keep = runs.Run._keep

    def keep_and_stop(self, state, *rest):
        keep(self, state, *rest)
        if self.variant == variant and len(state.epochs) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(runs.Run, "_keep", keep_and_stop)


def diverge(monkeypatch, variant):
    train = runs.Run._train

    def train_or_diverge(self, *rest):
        if self.variant == variant:
            raise TrainingError("The loss became nan in epoch 1; lower the learning rate and start again.")
        return train(self, *rest)

    monkeypatch.setattr(runs.Run, "_train", train_or_diverge)


def test_training_is_interrupted_and_gone_on_with(run, data, tmp_path, monkeypatch):
    out = tmp_path / "run"
    names = ["learned", "word2vec"]
    logs = ["--tensorboard", tmp_path / "logs"]
    command = ["train", "--data", data, "--preset", "tiny", "--epochs", 2, "--out", out, *logs, "--json"]
    command[1:1] = [part for name in names for part in ("--variant", name)]
    monkeypatch.setattr("captioner.commands.train.require_tensorboard", lambda: None)
    with monkeypatch.context() as patch:
        interrupt(patch, "word2vec")
        status, output, errors = run(*command)
    assert status == 130 and output == ""
    assert errors.endswith("with --resume goes on after the last finished epoch, if there is one.\n")
    assert "not in the folder: 1 (test-00002.png)" in errors
    assert json.loads((out / "word2vec" / "history.json").read_text())["state"] == "stopped"
    assert list(json.loads((out / "card.json").read_text())["decoders"]) == names[:1]

    status, output, errors = run(*command)
    assert status == 2 and output == "" and "go on with --resume" in errors

    status, output, errors = run(*command, "--resume")
    assert status == 0 and "learned is finished already" in errors, errors
    answer = json.loads(output)
    assert answer["out"] == str(out) and list(answer["variants"]) == names
    for name, result in answer["variants"].items():
        assert set(result) == {"best_epoch", "dev_loss", "epochs", "seconds"} and result["epochs"] == 2
        assert json.loads((out / name / "history.json").read_text())["state"] == "finished"

    card = json.loads((out / "card.json").read_text())
    assert list(card["decoders"]) == names and (out / "card.md").read_text().startswith("# Model card: Learned and Word2Vec\n")
    told = card["decoders"]["word2vec"]
    assert told["data"]["photographs"] == {"train": 48, "dev": 16} and len(told["code"]) == 1 and told["training"]["epochs"] == 2
    assert card["encoder"]["licence"]["name"] == "Apache-2.0" and "48 training photographs" in card["limits"][0]
    for name in names:
        logged = [step for tag, step, _ in points(tmp_path / "logs" / f"{name}-1-first") if tag == "loss/dev"]
        assert logged == [1, 2]

    status, output, errors = run(*command[:-1], "--resume")
    assert status == 0 and errors.count("is finished already") == 2
    assert output.splitlines()[0].split() == names and f"--checkpoints {out}" in output


def test_training_checks_files_and_names_before_it_starts(run, tmp_path):
    for arguments, sentence in (
        (["--variant", "glove"], "There is no variant 'glove'; choose one of learned, word2vec, fasttext, or all."),
        (["--preset", "huge"], "There is no preset 'huge'"),
        (["--corpus", tmp_path / "none.txt"], "none.txt to get word vectors from"),
        (["--epochs", "0"], "a whole number of 1 or more is needed, but '0' was given"),
        (["--set", "dropout"], "a setting is given as NAME=VALUE, but 'dropout' was given"),
        (["--set", "speed=3"], "There is no setting 'speed'; choose one of activation, "),
        (["--set", "dropout=much"], "The setting 'dropout' is a number such as 0.2, not 'much'."),
        (["--seed", "x"], "a whole number from 0 to 2147483647 is needed, but 'x' was given"),
        (["--epochs", "3", "--set", "epochs=4"], "--epochs 3 and --set epochs=4 are about the same setting; leave one of them"),
    ):
        status, output, errors = run("train", "--data", "shapes", "--out", tmp_path / "run", *arguments)
        assert status == 2 and output == "" and errors.startswith("triptych: ") and sentence in errors and errors.count("\n") == 1
    status, _, errors = run("train", "--data", tmp_path / "nowhere")
    assert status == 2 and "There is no folder" in errors and not (tmp_path / "run").exists()


def test_another_encoder_is_asked_for_by_its_name(run, monkeypatch, tmp_path):
    """With the weights that were given for it, into a folder that names it; and with other splits."""
    asked, weights = [], tmp_path / "weights.h5"

    def load(name, weights, near):
        asked.append((name, weights, near.name))
        raise EncoderError("No further.")

    monkeypatch.setattr(encoders, "load_encoder", load)
    arguments = ["train", "--data", "shapes", "--preset", "course", "--encoder", "ResNet152"]
    for more in ([], ["--encoder-weights", weights, "--splits", "7000-1000", "--out", tmp_path / "out"]):
        assert run(*arguments, *more)[2].endswith("No further.\n")
    assert asked == [("resnet152", "imagenet", "course-shapes-resnet152-seed1"), ("resnet152", weights, "out")]
    status, _, errors = run(*arguments[:-1], "AlexNet")
    assert status == 2 and "There is no encoder 'AlexNet'; choose one of efficientnet-lite2, " in errors


def test_decoders_that_were_trained_on_dev_are_scored_on_test_alone(run, data, tmp_path, monkeypatch):
    out, seen = tmp_path / "run", []
    two = ["--variant", "learned", "--variant", "word2vec"]
    splits = ["--splits", "7000-1000", "--preset", "tiny", "--epochs", 1]
    status, output, _ = run("train", "--data", data, *two, *splits, "--out", out)
    assert status == 0 and f"evaluate --data {data} --split test --checkpoints {out}" in output
    known = json.loads((out / "learned" / "history.json").read_text())["data"]
    assert known["name"] == "flickr8k-7000-1000" and known["photographs"] == {"train": 64, "dev": 16}
    command = ["evaluate", "--data", data, "--checkpoints", out]
    before = sorted(out.rglob("*"))
    for refused in (["--choose"], ["--keep", "joined"]):
        status, output, errors = run(*command, "--split", "dev", *refused)
        assert status == 2 and not output and "trained on the photographs of dev, too" in errors and "--split test" in errors
    status, output, errors = run(*command, "--split", "dev")
    assert status == 0 and "cider" in output and "trained on the photographs of dev, too (--splits 7000-1000): " in errors
    status, output, errors = run("familiar", "--data", data, "--checkpoints", out)
    assert status == 2 and not output and "none are held out to measure with" in errors
    assert sorted(out.rglob("*")) == before
    monkeypatch.setattr("captioner.scoring.comparison.compare", lambda *given: seen.append(len(given[-1])))
    monkeypatch.setattr("captioner.scoring.comparison.save_comparison", lambda *_: None)
    status, _, errors = run(*command, "--split", "test")
    assert status == 0 and "trained on the photographs" not in errors and seen == [64]  # As many a caption may be copied from.
    assert list(json.loads((out / "learned" / "scores.json").read_text())) == ["test"]


LOADING = {
    "evaluate": ["--split", "dev", "--data"],
    "familiar": ["--data"],
    "caption": ["photo.jpg"],
    "serve": ["--port", "0"],
    "bench": [],
    "doctor": [],
}


@pytest.mark.parametrize("command", LOADING)
def test_weights_that_are_named_for_the_encoder_reach_it(run, data, copied, tmp_path, monkeypatch, command):
    """Whichever command loads decoders: where they were trained with such a file, it is needed again."""
    asked = []

    def load(folder, *_given, weights=None, **_named):
        asked.append((folder, weights))
        raise EncoderError("No further.")

    monkeypatch.setattr(captioner.Captioner, "load", load)
    memory = "captioner.benchmarks.captioning.memory_growth"
    monkeypatch.setattr(memory, lambda folder, _count, weights: asked.append((folder, weights)) or 0.0)
    monkeypatch.setattr("captioner.reports.doctor.CHECKS", [check for check in CHECKS if check[0] == "Captions"])
    monkeypatch.setattr("captioner.commands.serve.few_heaps", lambda: None)
    monkeypatch.setattr("captioner.commands.serve._serve", lambda *given: serve._application(*given[:3], None, None))
    monkeypatch.setattr("captioner.service.app.create_app", lambda load, *_: load())
    more = [data] * ("--data" in LOADING[command])
    arguments = [command, *LOADING[command], *more, "--checkpoints", copied, "--encoder-weights", tmp_path / "vgg16.h5"]
    status, output, errors = run(*arguments)
    assert "No further." in output + errors and status != 0
    assert asked and set(asked) == {(copied, tmp_path / "vgg16.h5")} and len(asked) == 1 + (command == "bench")


def test_what_does_not_caption_takes_no_weights_for_the_encoder(run, copied):
    status, _, errors = run("card", "--checkpoints", copied, "--encoder-weights", "vgg16.h5")
    assert status == 2 and "--encoder-weights" in errors


def test_shapes_have_a_preset_and_a_folder_of_their_own(run, monkeypatch):
    asked = []
    monkeypatch.setattr("captioner.commands.train._left_to_train", lambda out, *_: asked.append(out) or [])
    monkeypatch.setattr("captioner.commands.train._report", lambda *_: None)
    run("train", "--data", "shapes")
    run("train", "--data", "shapes", "--preset", "tiny", "--seed", 7)
    assert asked == [ROOT / "checkpoints" / "runs" / name for name in ("shapes-shapes-seed1", "tiny-shapes-seed7")]


def test_slow_recipes_have_fewer_epochs_on_shapes(run, monkeypatch):
    asked = []
    monkeypatch.setattr("captioner.commands.train._left_to_train", lambda *_: ["learned"])
    monkeypatch.setattr("captioner.commands.train._prepare", lambda _options, _data, preset, *_: asked.append(preset) or 1 / 0)
    monkeypatch.setattr("captioner.data.datasets.load", lambda _data: shapes(0, 0, 0))
    for more in (["shapes"], ["shapes", "--epochs", 5], ["shapes", "--set", "epochs=3"], [ROOT]):
        with pytest.raises(ZeroDivisionError):
            run("train", "--preset", "attention", "--data", *more)
    assert [preset.training.epochs for preset in asked] == [4, 5, 3, PRESETS["attention"].training.epochs]


def test_the_second_stage_goes_on_from_a_run(run, data, tiny_run, tmp_path):
    command = ["train", "--data", data, "--variant", "word2vec", "--stage", "reward", "--out", tmp_path / "run", "--json"]
    status, _, errors = run(*command)
    assert status == 2 and "name the folder of their run with --from" in errors
    status, output, errors = run(*command, "--from", tiny_run, "--epochs", 1, "--set", "samples=3")
    assert status == 0, errors
    history = json.loads((tmp_path / "run" / "word2vec" / "history.json").read_text())
    assert [epoch.get("stage") for epoch in history["epochs"]] == ["first"] * 3 + ["reward"]
    assert history["epochs"][-1]["reward"] >= 0 and json.loads(output)["variants"]["word2vec"]["epochs"] == 4
    config = json.loads((tmp_path / "run" / "word2vec" / "config.json").read_text())
    assert config["preset"]["reward"]["samples"] == 3 and config["preset"]["training"]["epochs"] == 3


def test_a_study_goes_on_and_tells_what_it_found(run, data, tmp_path, monkeypatch):
    seeds = ["--seeds", 1, "--reward-seeds", 0, "--control-seeds", 0]
    command = ["study", "--preset", "tiny", *seeds, "--checkpoints", tmp_path / "out", "--runs", tmp_path / "runs"]
    status, _, errors = run(*command)
    assert status == 2 and "No trial of the plan 'seeds' is finished" in errors
    status, _, errors = run(*command, "--corpus", "more.txt")
    assert status == 2 and "Without --data nothing is trained; give it, or leave out --corpus." in errors
    tiny = PRESETS["tiny"]
    monkeypatch.setitem(PRESETS, "tiny", replace(tiny, training=replace(tiny.training, epochs=1)))
    with monkeypatch.context() as patch:
        interrupt(patch, "word2vec")
        status, output, errors = run(*command, "--data", data)
    assert status == 130 and output == "" and "the same command goes on" in errors
    with monkeypatch.context() as patch:
        diverge(patch, "fasttext")
        status, output, errors = run(*command, "--data", data)
    assert status == 2 and output == "" and errors.count("failed: The loss became nan in epoch 1") == 3
    assert "These trials are missing" in errors and "fasttext, first stage, seed 1. The same command" in errors
    status, output, errors = run(*command, "--data", data, "--ship", "--json")
    assert status == 0 and "3 of 3 done" in errors and "shipped the best on dev, learned seed 1" in errors, errors
    rows = json.loads(output)
    assert [row["variant"] for row in rows] == list(VARIANTS)
    for row in rows:
        assert (row["preset"], row["stage"], row["seed"]) == ("tiny", "first", 1) and row["seconds"] > 0
        assert set(row["dev"]) >= METRICS and set(row["test"]) >= METRICS
    for place in ("runs/tiny/first/seeds/1", "out/first"):
        assert list(json.loads((tmp_path / place / "card.json").read_text())["decoders"]) == list(VARIANTS)
    stored = json.loads((tmp_path / "out" / "study.json").read_text())
    assert stored["finished"] == stored["planned"] == len(stored["pairs"]) == 3
    assert stored["groups"][0]["runs"]["cider"] == [rows[0]["test"]["cider"]]
    status, output, _ = run(*command)
    assert status == 0 and "leaves out zero" in output and "Word2Vec" in output and output.count(" above ") == 3
    assert {line.split("  ")[0] for line in output.splitlines()} >= {"test CIDEr", "dev CIDEr", "minutes"}


def test_evaluate_gives_metrics_intervals_and_captions(run, data, copied):
    status, output, errors = run("evaluate", "--data", data, "--split", "test", "--checkpoints", copied, "--json")
    answer = json.loads(output)
    assert status == 0 and f"'{BROKEN}' is not a" in errors and "Photographs left out: 1; scored: 14." in errors
    assert list(answer["variants"]) == list(VARIANTS) and list(answer["failed"]) == [BROKEN]
    for name, result in answer["variants"].items():
        assert set(result["metrics"]) == set(result["intervals"]) == METRICS
        assert len(result["captions"]) == 14 and all(isinstance(text, str) for text in result["captions"].values())
        stored = json.loads((copied / name / "scores.json").read_text())["test"]
        assert stored["metrics"] == result["metrics"] and stored["data"] == "flickr8k" and stored["beam"] == 3
        assert json.loads((copied / "card.json").read_text())["decoders"][name]["scores"]["test"] == stored
    assert [(pair["first"], pair["second"]) for pair in answer["differences"]][0] == ("learned", "word2vec")


def test_evaluate_for_people_stores_only_the_decoders_own_scores(run, data, tiny_run, tmp_path, monkeypatch):
    copied = shutil.copytree(tiny_run, tmp_path / "run")
    arguments = ["evaluate", "--split", "dev", "--checkpoints", copied, "--variant", "learned", "--variant", "fasttext"]
    status, output, errors = run(*arguments, "--data", data, "--beam", 1)
    lines = output.splitlines()
    assert status == 0 and lines[0].startswith("flickr8k, dev: 16 photographs, beam 1, length preference 0.7")
    assert lines[2].split() == ["Learned", "FastText"] and "Learned - FastText" in output
    assert {line.split()[0] for line in lines if "[" in line} == METRICS
    assert "not stored: the decoders' own setting is beam 3" in errors
    monkeypatch.setattr("captioner.data.datasets.shapes", lambda: shapes(0, 16, 0))
    save = json.dumps({"test": {"data": "flickr8k"}})
    (copied / "learned" / "scores.json").write_text(save)
    status, _, errors = run(*arguments, "--data", "shapes")
    assert status == 0 and "not stored: run holds those of flickr8k" in errors
    assert (copied / "learned" / "scores.json").read_text() == save


def test_evaluate_of_all_decoders_stores_how_they_compare(run, data, tiny_run, tmp_path):
    folder = shutil.copytree(tiny_run, tmp_path / "run")
    command = ["evaluate", "--data", data, "--checkpoints", folder, "--json"]
    status, _, errors = run(*command, "--split", "dev", "--variant", "learned")
    assert status == 0 and "No comparison is stored" in errors and not (folder / "comparison.json").exists()
    assert "dev" in json.loads((folder / "learned" / "scores.json").read_text())
    status, output, errors = run(*command, "--split", "dev")
    stored = json.loads((folder / "comparison.json").read_text())
    assert status == 0 and "Scoring people" in errors and list(stored) == ["dev"]
    assert stored["dev"]["differences"] == json.loads(output)["differences"]
    assert list(stored["dev"]["yardsticks"]) == ["people", "constant"] and stored["dev"]["images"] == 16
    assert list(stored["dev"]["against_fewer"]) == list(VARIANTS) and list(stored["dev"]["decoders"]) == list(VARIANTS)
    assert list(stored["dev"]["wording"]) == [*VARIANTS, "people"] and stored["dev"]["wording"]["people"]["copied"] is not None


def test_the_setting_is_chosen_on_dev_only_and_then_everybodys(run, data, tiny_run, tmp_path, monkeypatch):
    folder = shutil.copytree(tiny_run, tmp_path / "run")
    monkeypatch.setattr("captioner.scoring.evaluation.choose_beam.__defaults__", ((2, 1), (1.5,)))
    command = ["evaluate", "--data", data, "--checkpoints", folder, "--choose"]
    for arguments in (["--split", "test"], ["--split", "dev", "--beam", 2], ["--split", "dev", "--variant", "learned"]):
        status, output, errors = run(*command, *arguments)
        assert status == 2 and output == "" and errors.startswith("triptych: ")
    status, output, _ = run(*command, "--split", "dev")
    stored = json.loads((folder / "search.json").read_text())
    assert status == 0 and "mean CIDEr" in output and output.count("beam 1, length preference 0.7") in (1, 2)
    assert {(trial["beam"], trial["length_preference"]) for trial in stored["trials"]} == {(1, 0.7), (2, 1.5)}
    assert json.loads((folder / "learned" / "scores.json").read_text())["dev"]["beam"] == stored["beam"]


def test_a_setting_is_chosen_with_as_many_words_as_the_recipe_allows(run, data, tiny_run, tmp_path, monkeypatch):
    """And its scores are stored, since it is with those that the decoders are used."""
    folder = tmp_path / "run"
    for name, found in load_all(tiny_run).items():
        preset = replace(found.preset, search=SearchConfig(beam=2, maximum_words=3))
        save(folder / name, replace(found, preset=preset), json.loads((tiny_run / name / "history.json").read_text()))
    monkeypatch.setattr("captioner.scoring.evaluation.choose_beam.__defaults__", ((1,), (0.7,)))
    status, output, errors = run("evaluate", "--data", data, "--checkpoints", folder, "--split", "dev", "--choose", "--json")
    said = [text.split() for result in json.loads(output)["variants"].values() for text in result["captions"].values()]
    assert status == 0 and max(map(len, said)) == 3 and "not stored" not in errors
    assert json.loads((folder / "learned" / "scores.json").read_text())["dev"]["beam"] == 1


def test_caption_goes_on_after_a_bad_file(run, pictures, copied):
    arguments = ["caption", pictures / "b.png", pictures / "gone.png", pictures, "--checkpoints", copied, "--json"]
    status, output, errors = run(*arguments)
    entries = json.loads(output)
    names = [pictures / name for name in ("b.png", "gone.png", "a.JPG", "b.png", "broken.png")]
    assert status == 1 and [entry["image"] for entry in entries] == [str(name) for name in names]
    assert [entry["image"] for entry in entries if "error" in entry] == [str(names[1]), str(names[4])]
    assert all(set(entry) in ({"image", "error"}, {"image", "stage", "captions"}) for entry in entries)
    assert list(entries[0]["captions"]) == list(VARIANTS)
    for (best,), (again,) in zip(entries[0]["captions"].values(), entries[3]["captions"].values(), strict=True):
        assert best["words"] == again["words"]
        assert best["log_probability"] == pytest.approx(again["log_probability"])  # Places in a batch round differently.


def test_the_probabilities_of_a_caption_add_up(run, pictures, copied):
    picture = pictures / "b.png"
    status, output, _ = run("caption", picture, "--checkpoints", copied, "--top", 4, "--variant", "word2vec", "--json")
    (entry,) = json.loads(output)
    captions = entry["captions"]["word2vec"]
    assert status == 0 and list(entry["captions"]) == ["word2vec"] and len(captions) == 4
    for caption in captions:
        assert set(caption) == {"text", "log_probability", "words", "word_log_probabilities", "end_log_probability"}
        assert caption["text"] == " ".join(caption["words"]) and len(caption["words"]) == len(caption["word_log_probabilities"])
        total = math.fsum(caption["word_log_probabilities"]) + (caption["end_log_probability"] or 0)
        assert total == pytest.approx(caption["log_probability"])


def test_caption_for_people_and_its_refusals(run, pictures, copied, tmp_path):
    status, output, errors = run("caption", pictures / "b.png", pictures / "broken.png", "--checkpoints", copied)
    assert status == 1 and errors.startswith("triptych: 'broken.png' is not a")
    assert output.splitlines()[0] == str(pictures / "b.png")
    assert [line.split()[0] for line in output.splitlines()[1:]] == ["Learned", "Word2Vec", "FastText"]
    status, output, _ = run("caption", tmp_path, "--checkpoints", copied, "--variant", "learned", "--json")
    assert status == 1 and "no supported images" in json.loads(output)[0]["error"]
    status, output, errors = run("caption", pictures, "--checkpoints", tmp_path)
    assert status == 2 and output == "" and "There is no trained decoder" in errors
    status, _, errors = run("caption", pictures, "--checkpoints", copied, "--beam", 2, "--top", 3)
    assert status == 2 and "give a beam of 3" in errors


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_captions_are_written_to_a_file_and_resumed(run, pictures, copied, tmp_path):
    out, folder = tmp_path / "captions.jsonl", shutil.copytree(pictures, tmp_path / "pictures")
    command = ["caption", folder, "--checkpoints", copied, "--variant", "learned", "--out", out]
    status, output, _ = run(*command)
    whole, others = out.read_bytes(), read_lines(out)
    assert (status, output) == (1, "") and json.loads(run("caption", folder, *command[2:-2], "--json")[1]) == others
    assert [Path(entry["image"]).name for entry in others] == ["a.JPG", "b.png", "broken.png"]
    status, _, errors = run(*command)
    assert status == 2 and "add --skip-done" in errors and out.read_bytes() == whole
    out.write_bytes(whole[: whole.index(b"b.png") + 9])
    status, _, errors = run(*command, "--skip-done")
    entries = read_lines(out)
    assert status == 1 and "1 pictures are in" in errors and entries[0] == others[0] and entries[2] == others[2]
    (caption,), (other,) = (found[1].pop("captions")["learned"] for found in (entries, others))
    assert entries[1] == others[1] and caption["words"] == other["words"]
    assert caption["log_probability"] == pytest.approx(other["log_probability"])  # It came in another batch.


def test_a_picture_that_failed_is_tried_again(run, pictures, copied, tmp_path):
    out, folder = tmp_path / "captions.jsonl", shutil.copytree(pictures, tmp_path / "pictures")
    command = ["caption", folder, "--checkpoints", copied, "--variant", "learned", "--out", out, "--skip-done"]
    assert run(*command)[0] == 1 and len(read_lines(out)) == 3
    assert run("caption", folder / "a.JPG", *command[2:])[0] == 0 and len(read_lines(out)) == 3
    shutil.copy(folder / "b.png", folder / "broken.png")
    status, _, errors = run(*command)
    assert status == 0 and "2 pictures are in" in errors
    assert [("captions" in entry, Path(entry["image"]).name) for entry in read_lines(out)[2:]] == [
        (False, "broken.png"), (True, "broken.png"),
    ]  # fmt: skip


def test_a_file_of_other_captions_is_not_resumed(run, pictures, staged, tmp_path):
    out = tmp_path / "captions.jsonl"
    command = ["caption", pictures / "b.png", "--checkpoints", staged, "--out", out]
    assert run(*command)[0] == 0
    whole = out.read_bytes()
    for other in (["--stage", "first"], ["--variant", "learned"], ["--top", 2]):
        status, _, errors = run(*command, "--skip-done", *other)
        assert status == 2 and "give another name" in errors and out.read_bytes() == whole
    status, _, errors = run("caption", pictures / "b.png", "--checkpoints", staged, "--skip-done")
    assert status == 2 and "--out FILE" in errors


def test_captioning_that_was_killed_is_gone_on_with(run, copied, tmp_path):
    out, folder = tmp_path / "captions.jsonl", tmp_path / "pictures"
    folder.mkdir()
    for number in range(200):
        Image.new("RGB", (60, 40), (number, 99, 255 - number)).save(folder / f"{number:03}.png")
    command = ["caption", folder, "--checkpoints", copied, "--variant", "learned", "--out", out]
    with subprocess.Popen([sys.executable, "-m", "captioner", *map(str, command)], cwd=ROOT, stderr=subprocess.DEVNULL) as killed:
        while not (out.exists() and out.stat().st_size) and killed.poll() is None:
            time.sleep(0.01)
        killed.kill()
    assert killed.returncode < 0
    status, _, errors = run(*command, "--skip-done")
    names = [Path(entry["image"]).name for entry in read_lines(out)]
    assert status == 0 and names == [f"{number:03}.png" for number in range(200)]
    assert int(errors.split()[1]) < 200


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_standard_output_that_takes_no_more_is_told_and_a_reader_who_has_gone_is_not():
    script = "import sys\nfrom captioner.__main__ import finish\nprint('a caption')\nsys.exit(finish(0))"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = {"args": [sys.executable, "-c", script], "cwd": ROOT, "env": environment, "stderr": subprocess.PIPE, "text": True}
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as pipe, open("/dev/full", "wb") as full:
        gone, told = (subprocess.run(**command, stdout=stream) for stream in (pipe, full))
    assert (gone.returncode, gone.stderr) == (1, "")
    assert told.returncode == 2 and told.stderr.startswith("triptych: Standard output") and told.stderr.count("\n") == 1


@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize("command", ["caption", "card"])
def test_a_reader_who_has_gone_ends_any_command_quietly(run, pictures, copied, monkeypatch, command, form):
    def broken(_text):
        raise BrokenPipeError

    monkeypatch.setattr(sys.stdout, "write", broken)
    files = [pictures / "b.png"] * (command == "caption")
    assert run(command, *files, "--checkpoints", copied, *form) == (1, "", "")


LINE = re.compile(r"(\d)\) (.+) \(p=(\d\.\d{6})\)")


def test_caption_in_the_form_of_show_and_tell(run, pictures, copied, tmp_path):
    """A heading for each picture, three captions below it, the likeliest sentence first; its probability is that of JSON."""
    given = pictures / "b.png", pictures / "a.JPG"
    arguments = ["caption", *given, "--checkpoints", copied, "--variant", "learned"]
    status, output, _ = run(*arguments, "--format", "show-and-tell")
    blocks = [block.splitlines() for block in output.split("Captions for image ")[1:]]
    assert status == 0 and [block[0] for block in blocks] == ["b.png:", "a.JPG:"]
    assert run(*arguments, "--top", 3, "--out", tmp_path / "entries.jsonl")[0] == 0
    entries = read_lines(tmp_path / "entries.jsonl")
    for block, entry in zip(blocks, entries, strict=True):
        found = [LINE.fullmatch(line).groups() for line in block[1:]]
        captions = entry["captions"]["learned"]
        assert [number for number, _, _ in found] == ["0", "1", "2"] and len(captions) == 3
        for (_, text, probability), caption in zip(found, captions, strict=True):
            assert text == caption["text"] + " ." * (caption["end_log_probability"] is not None)
            assert float(probability) == pytest.approx(math.exp(caption["log_probability"]), abs=1e-6)
    status, output, _ = run(*arguments[:2], "--checkpoints", copied, "--format", "show-and-tell", "--top", 1)
    assert [line for line in output.splitlines() if line.startswith("Captions")] == [
        f"Captions for image b.png by {variant.title}:" for variant in VARIANTS.values()
    ]
    status, _, errors = run(*arguments, "--format", "show-and-tell", "--json")
    assert status == 2 and "--format show-and-tell is not JSON" in errors
    status, output, errors = run("caption", tmp_path / "gone.png", "--checkpoints", copied, "--format", "show-and-tell")
    assert status == 1 and not output and "gone.png" in errors


def test_probabilities_are_written_as_show_and_tell_writes_them(capsys):
    from captioner.commands.caption import FORMS

    words = "a group of people sitting at tables in a room".split()
    caption = {"words": words, "log_probability": math.log(0.000306), "end_log_probability": -0.1}
    cut = {"words": ["a", "man"], "log_probability": math.log(0.25), "end_log_probability": None}
    FORMS["show-and-tell"]({"image": "in/room.jpg", "captions": {"learned": [caption, cut]}})
    assert capsys.readouterr().out == (
        "Captions for image room.jpg:\n0) a group of people sitting at tables in a room . (p=0.000306)\n1) a man (p=0.250000)\n"
    )


def test_caption_takes_the_decoders_of_a_stage(run, pictures, staged, copied):
    found = {}
    for stage in ([], ["--stage", "first"], ["--stage", "reward"]):
        status, output, _ = run("caption", pictures / "b.png", "--checkpoints", staged, *stage, "--json")
        (entry,) = json.loads(output)
        assert status == 0
        found[" ".join(stage)] = entry["stage"], entry["captions"]["learned"][0]["log_probability"]
    assert found[""] == found["--stage reward"] and found[""][0] == "reward" and found["--stage first"][0] == "first"
    assert found[""][1] != found["--stage first"][1]
    status, output, errors = run("caption", pictures / "b.png", "--checkpoints", copied, "--stage", "reward")
    assert status == 2 and output == "" and "There are no decoders of the stage 'reward' in" in errors
    status, _, errors = run("caption", pictures / "b.png", "--stage", "third")
    assert status == 2 and "invalid choice: 'third'" in errors


def test_evaluate_scores_the_decoders_of_a_stage_with_their_own_setting(run, data, staged):
    command = ["evaluate", "--data", data, "--split", "dev", "--checkpoints", staged, "--variant", "learned"]
    status, output, _ = run(*command, "--json")
    answer = json.loads(output)
    assert status == 0 and (answer["stage"], answer["beam"], answer["length_preference"]) == ("reward", 2, 0.9)
    assert [(staged / stage / "learned" / "scores.json").exists() for stage in ("first", "reward")] == [False, True]
    status, output, _ = run(*command, "--stage", "first")
    assert status == 0 and "beam 3, length preference 0.7, stage first;" in output.splitlines()[0]
    assert json.loads((staged / "first" / "learned" / "scores.json").read_text())["dev"]["beam"] == 3


@pytest.fixture
def written(data, tmp_path):
    """A list of pictures and a caption for each: its own first reference."""
    records = shapes(48, 16, 16).split("dev")
    (tmp_path / "images.txt").write_text("".join(f"{record.name}\n" for record in records))
    (tmp_path / "captions.txt").write_text("".join(f"{record.captions[0]}\n" for record in records))
    return ["score", "--data", data, "--images", tmp_path / "images.txt", "--captions", tmp_path / "captions.txt"]


def test_score_is_line_for_line(run, written, tmp_path):
    status, output, _ = run(*written, "--json")
    answer = json.loads(output)
    assert status == 0 and answer["images"] == 16 and set(answer["metrics"]) == METRICS
    assert answer["metrics"]["bleu4"] == pytest.approx(1.0) and answer["metrics"]["cider"] > 2
    path = tmp_path / "captions.txt"
    path.write_text("\n" + path.read_text().split("\n", 1)[1])
    status, output, _ = run(*written)
    assert status == 0 and "16 images" in output and {line.split()[0] for line in output.splitlines()[1:]} == METRICS
    path.write_text(path.read_text() + "one more\n")
    status, _, errors = run(*written)
    assert status == 2 and "has 16 lines, but captions.txt has 17 lines" in errors
    (tmp_path / "images.txt").write_text("cat.jpg\n" * 17)
    status, _, errors = run(*written)
    assert status == 2 and "no photograph 'cat.jpg'" in errors


@pytest.mark.skipif(not (SHARED / "golden").is_dir(), reason="the published captions are not here")
def test_score_reproduces_published_metrics(run):
    folder = SHARED / "golden" / "where-image2"
    head, *lines = [line.split("\t") for line in (folder / "metrics.tsv").read_text().splitlines()]
    published = next(dict(zip(head, line, strict=True)) for line in lines if line[:2] == ["merge", "1"])
    titles = {"bleu1": "Bleu_1", "bleu2": "Bleu_2", "bleu3": "Bleu_3", "bleu4": "Bleu_4", "rouge_l": "ROUGE_L", "cider": "CIDEr"}
    names = ["--images", folder / "images.txt", "--captions", folder / "merge_1.txt"]
    status, output, _ = run("score", "--data", SHARED / "flickr8k", *names, "--json")
    found = json.loads(output)["metrics"]
    assert status == 0 and found == pytest.approx({name: float(published[title]) for name, title in titles.items()}, abs=5e-5)


def test_familiar_sums_up_the_training_photographs(run, data, copied, encoder):
    status, output, errors = run("familiar", "--data", data, "--checkpoints", copied, "--json")
    told = json.loads(output)
    assert status == 0 and told["photographs"] == 48 and told["held_out"] == 16
    assert sum(kind["photographs"] for kind in told["kinds"]) == 48 and all(kind["words"] for kind in told["kinds"])
    summary = familiarity.Familiarity.load(copied)
    assert summary.encoder == encoder.fingerprint and summary.photographs == 48
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8)
    strange, drawn = (
        summary.judge(encoder.encode(resize(picture, encoder.size)[None])[0]).percentile
        for picture in (noise, read_file(data / "Flicker8k_Dataset" / "dev-00003.png"))
    )
    assert drawn < 100 == strange
    assert told["curve"] == novelty_curve.to_json(novelty_curve.load_curve(copied)) and len(told["curve"]["bins"]) == 8
    status, output, _ = run("evaluate", "--data", data, "--split", "dev", "--checkpoints", copied, "--json")
    scored = {name: found["metrics"]["cider"] for name, found in json.loads(output)["variants"].items()}
    assert {name: told["curve"]["whole"]["cider"][name]["value"] for name in scored} == pytest.approx(scored)
    status, output, _ = run("familiar", "--data", data, "--checkpoints", copied)
    assert status == 0 and "48 photographs in 32 kinds; 16 held out" in output
    assert "rank correlation" in output and "0 to 12" in output


def test_bench_passes_its_options_on(run, monkeypatch, tmp_path, staged):
    calls = []
    caption, training = {"caption": {"ratio_to_encoder": 2.5}}, {"training": {"epoch_s": 40.0}}
    modules = {
        "captioning": types.SimpleNamespace(caption_bench=lambda folder, weights: calls.append((folder, weights)) or caption),
        "training": types.SimpleNamespace(training_bench=lambda *given: calls.append(given) or training),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, f"captioner.benchmarks.{name}", module)
        monkeypatch.setattr(f"captioner.benchmarks.{name}", module, raising=False)
    status, output, _ = run("bench", "--checkpoints", tmp_path, "--json")
    assert status == 0 and json.loads(output) == caption
    status, output, _ = run("bench", "--training", "--data", "shapes", "--cache", tmp_path, "--preset", "tiny")
    assert status == 0 and output.split()[-2:] == ["40.0", "s"]
    assert calls == [(tmp_path, None), ("shapes", tmp_path, "tiny")]
    run("bench", "--checkpoints", staged, "--stage", "first")
    assert calls[-1] == (staged / "first", None)
    for more, sentence in (([], "--data"), (["--data", "shapes", "--encoder-weights", "vgg16.h5"], "--encoder-weights")):
        status, output, errors = run("bench", "--training", *more)
        assert status == 2 and not output and sentence in errors
    assert len(calls) == 3


@pytest.mark.parametrize(
    "command",
    [[], ["train"], ["evaluate"], ["caption"], ["score"], ["familiar"], ["bench"], ["study"], ["adapt"], ["card"], ["serve"],
     ["describe"]],
)
def test_help_loads_nothing_heavy(command):
    script = (
        "import sys\nfrom captioner.__main__ import main\n"
        f"try: main({[*command, '--help']})\n"
        f"except SystemExit as stopped: print(stopped.code, [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--json" in done.stdout or not command
    assert done.stdout.endswith("0 []\n") and done.stderr == ""


def test_wrong_usage_is_one_sentence(run):
    for arguments in ([], ["fly"], ["caption"], ["evaluate", "--data", "x", "--split", "train"], ["score", "--data", "x"]):
        status, output, errors = run(*arguments)
        assert status == 2 and output == "" and errors.startswith("triptych: ") and errors.count("\n") == 1


def test_other_commands_say_that_they_were_interrupted(run, monkeypatch):
    def stop(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("captioner.commands.score.choices.dataset", stop)
    monkeypatch.setattr("captioner.commands.score._lines", lambda path: ["a"])
    assert run("score", "--data", "x", "--images", "x", "--captions", "x") == (130, "", "triptych: Interrupted.\n")


def test_what_was_tried_is_kept_beside_what_ships_and_nowhere_else(tmp_path, tiny_run, monkeypatch, capsys):
    """With its scores on dev, and without weights; the decoders' own scores stay as they were."""
    run = shutil.copytree(tiny_run, tmp_path / "run")
    before = sorted(path.name for path in (run / "learned").iterdir())
    monkeypatch.setattr("captioner.config.SHIPPED", tmp_path / "shipped")
    command = ["evaluate", "--data", "shapes", "--checkpoints", str(run), "--variant", "learned", "--beam", "1"]
    assert main([*command, "--split", "dev", "--keep", "first-try"]) == 0
    (kept,) = read_kept(tmp_path / "shipped")
    assert (kept.name, kept.trial.preset, kept.variant, kept.data) == ("first-try", "tiny", "learned", "shapes")
    assert kept.scores["dev"].beam == 1 and kept.epochs == 3 and len(list((tmp_path / "shipped").rglob("*.*"))) == 1
    assert sorted(path.name for path in (run / "learned").iterdir()) == before
    capsys.readouterr()
    for wrong in (["--split", "test", "--keep", "first-try"], ["--split", "dev", "--keep", "../outside"]):
        assert main([*command, *wrong]) == 2
        assert "kept with its scores on dev, under a name of small letters" in capsys.readouterr().err
