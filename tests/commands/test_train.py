"""`train`: an interrupted and resumed run, its default folder and preset, and what it refuses before it starts."""

import json
from pathlib import Path

import pytest

from captioner.data.datasets import shapes
from captioner.errors import EncoderError
from captioner.presets import PRESETS
from support.event_files import points
from support.fakes import TINY_EPOCHS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_an_interrupted_training_is_resumed(run, data, eager, tmp_path, monkeypatch, interrupt):
    out, names = tmp_path / "run", ["learned", "word2vec"]
    variants = [part for name in names for part in ("--variant", name)]
    command = ["train", *variants, "--data", data, "--preset", "tiny", "--epochs", 2, "--out", out]
    command += ["--tensorboard", tmp_path / "logs", "--json"]
    monkeypatch.setattr("captioner.commands.train.require_tensorboard", lambda: None)
    with monkeypatch.context() as patch:
        interrupt("word2vec", patch)
        status, output, errors = run(*command)
    assert status == 130 and output == ""
    assert errors.splitlines()[-1] == "triptych: Interrupted. Re-run with --resume to continue from the last completed epoch."
    assert "(test-00002.png)" in errors
    assert json.loads((out / "word2vec" / "history.json").read_text())["state"] == "stopped"
    assert list(json.loads((out / "card.json").read_text())["decoders"]) == names[:1]

    status, output, errors = run(*command)
    assert status == 2 and output == "" and "--resume" in errors

    status, output, errors = run(*command, "--resume")
    assert status == 0 and "learned is finished already" in errors, errors
    answer = json.loads(output)
    assert answer["out"] == str(out) and list(answer["variants"]) == names
    for name, result in answer["variants"].items():
        assert set(result) == {"best_epoch", "dev_loss", "epochs", "seconds"} and result["epochs"] == 2
        assert json.loads((out / name / "history.json").read_text())["state"] == "finished"
        logged = [step for tag, step, _ in points(tmp_path / "logs" / f"{name}-1-first") if tag == "loss/dev"]
        assert logged == [1, 2]

    card = json.loads((out / "card.json").read_text())
    assert list(card["decoders"]) == names and (out / "card.md").read_text().startswith("# Model card: Learned and Word2Vec\n")
    decoder = card["decoders"]["word2vec"]
    assert decoder["data"]["photographs"] == {"train": 48, "dev": 16}
    assert len(decoder["code"]) == 1 and decoder["training"]["epochs"] == 2
    assert card["encoder"]["licence"]["name"] == "Apache-2.0" and "48 photographs" in card["limits"][0]

    status, output, errors = run(*command[:-1], "--resume")
    assert status == 0 and errors.count("is finished already") == 2
    assert output.splitlines()[0].split() == names and f"--checkpoints {out}" in output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--variant", "glove"], "no variant 'glove'; choose one of learned, word2vec, fasttext, or all."),
        (["--preset", "huge"], "no preset 'huge'"),
        (["--corpus", "none.txt"], "no file none.txt"),
        (["--epochs", "0"], "an integer of at least 1, received '0'"),
        (["--set", "dropout"], "NAME=VALUE, received 'dropout'"),
        (["--set", "speed=3"], "no setting 'speed'; choose one of activation, "),
        (["--set", "dropout=much"], "'dropout' is a number such as 0.2, not 'much'"),
        (["--seed", "x"], "an integer from 0 to 2147483647, received 'x'"),
        (["--epochs", "3", "--set", "epochs=4"], "--epochs 3 and --set epochs=4"),
        (["--data", "nowhere"], "no folder"),
        (["--stage", "reward"], "--from"),
    ],
)
def test_an_error_is_one_line_before_training_starts(cli, tmp_path, arguments, sentence):
    status, output, errors = cli("train", "--data", "shapes", "--out", tmp_path / "run", *arguments)
    assert status == 2 and output == "" and errors.startswith("triptych: ") and errors.count("\n") == 1
    assert sentence in errors and not (tmp_path / "run").exists()


def test_another_encoder_is_loaded_by_name(cli, monkeypatch, tmp_path):
    """With the given weights, into a folder that names it; and with other splits."""
    asked, weights = [], tmp_path / "weights.h5"

    def load(name, weights, near):
        asked.append((name, weights, near.name))
        raise EncoderError("Stopped here.")

    monkeypatch.setattr("captioner.vision.encoders.load_encoder", load)
    arguments = ["train", "--data", "shapes", "--preset", "course", "--encoder", "ResNet152"]
    for more in ([], ["--encoder-weights", weights, "--splits", "7000-1000", "--out", tmp_path / "out"]):
        assert cli(*arguments, *more)[2].endswith("Stopped here.\n")
    assert asked == [("resnet152", None, "course-shapes-resnet152-seed1"), ("resnet152", weights, "out")]
    status, _, errors = cli(*arguments[:-1], "AlexNet")
    assert status == 2 and "no encoder 'AlexNet'; choose one of efficientnet-lite2, " in errors


def test_an_encoder_without_a_classifier_has_no_word_slots(cli, monkeypatch):
    asked = []

    def prepare(request, data, preset, out, workers):
        asked.append((preset.encoder, preset.decoder.word_slots, preset.training.sentences))
        raise EncoderError("Stopped here.")

    monkeypatch.setattr("captioner.commands.train._prepare", prepare)
    for encoder in ("ResNet152", "efficientnet-lite2"):
        errors = cli("train", "--data", "shapes", "--preset", "triptych", "--encoder", encoder)[2]
        assert ("Without --corpus there are no sentences" in errors) == (encoder == "efficientnet-lite2")
    assert asked == [("resnet152", 0, 0), ("efficientnet-lite2", 4, 32)]


def test_shapes_have_their_own_preset_and_folder(cli, monkeypatch):
    asked = []
    monkeypatch.setattr("captioner.commands.train._left_to_train", lambda out, *_: asked.append(out) or [])
    monkeypatch.setattr("captioner.commands.train._report", lambda *_: None)
    assert "600 training photographs, 100 dev photographs" in cli("train", "--data", "shapes")[2]
    few = cli("train", "--data", "shapes", "--preset", "tiny", "--seed", 7, "--photographs", 40)[2]
    assert "40 training photographs, 100 dev photographs" in few
    assert asked == [ROOT / "checkpoints" / "runs" / name for name in ("shapes-shapes-seed1", "tiny-shapes-seed7")]


def test_slow_recipes_have_fewer_epochs_on_shapes(cli, monkeypatch):
    asked = []
    monkeypatch.setattr("captioner.commands.train._left_to_train", lambda *_: ["learned"])
    monkeypatch.setattr("captioner.commands.train._prepare", lambda _request, _data, preset, *_: asked.append(preset) or 1 / 0)
    monkeypatch.setattr("captioner.data.datasets.load", lambda _data: shapes(0, 0, 0))
    for more in (["shapes"], ["shapes", "--epochs", 5], ["shapes", "--set", "epochs=3"], [ROOT]):
        with pytest.raises(ZeroDivisionError):
            cli("train", "--preset", "attention", "--data", *more)
    assert [preset.training.epochs for preset in asked] == [4, 5, 3, PRESETS["attention"].training.epochs]


@pytest.mark.slow
def test_two_data_sets_from_training_to_scores(run, data, other_data, eager, tmp_path):
    """Both stages, with every photograph of the second set twice an epoch."""
    both, share = ["--data", data, "--data", other_data], ["--set", "other_share=2"]
    first, second = tmp_path / "first", tmp_path / "reward"
    command = ["train", *both, "--variant", "learned", "--epochs", 1, *share]
    status, output, errors = run(*command, "--preset", "tiny", "--out", first)
    assert status == 0 and "flickr8k+own: 60 training photographs, 22 dev photographs" in errors, errors
    assert f"evaluate --data {data} --data {other_data} --split dev" in output
    known = json.loads((first / "learned" / "history.json").read_text())["data"]
    assert known["name"] == "flickr8k+own"
    assert known["sets"] == {"flickr8k": {"train": 48, "dev": 16}, "own": {"train": 12, "dev": 6}}
    card = (first / "card.md").read_text()
    assert "train 60, dev 22; flickr8k: train 48, dev 16; own: train 12, dev 6" in card and "shown 2 times an epoch" in card

    command += ["--stage", "reward", "--from", first, "--set", "samples=3", "--set", "maximum_words=30"]
    status, _, errors = run(*command, "--out", second)
    assert status == 0, errors
    epoch = json.loads((second / "learned" / "history.json").read_text())["epochs"][-1]
    status, output, errors = run("evaluate", *both, "--split", "dev", "--checkpoints", second, "--beam", 1, "--json")
    answers = json.loads(output)["sets"]
    ciders = [answer["variants"]["learned"]["metrics"]["cider"] for answer in answers.values()]
    assert list(answers) == ["flickr8k", "own"] and epoch["dev_cider"] == pytest.approx(sum(ciders) / 2, abs=0.02)


@pytest.mark.slow
def test_the_reward_stage_starts_from_a_run(run, data, eager, tiny_run, tmp_path):
    command = ["train", "--data", data, "--variant", "word2vec", "--stage", "reward", "--out", tmp_path / "run", "--json"]
    status, output, errors = run(*command, "--from", tiny_run, "--epochs", 1, "--set", "samples=3")
    assert status == 0, errors
    history = json.loads((tmp_path / "run" / "word2vec" / "history.json").read_text())
    assert [epoch.get("stage") for epoch in history["epochs"]] == ["first"] * TINY_EPOCHS + ["reward"]
    assert history["epochs"][-1]["reward"] >= 0 and json.loads(output)["variants"]["word2vec"]["epochs"] == TINY_EPOCHS + 1
    config = json.loads((tmp_path / "run" / "word2vec" / "config.json").read_text())
    assert config["preset"]["reward"]["samples"] == 3 and config["preset"]["training"]["epochs"] == TINY_EPOCHS
