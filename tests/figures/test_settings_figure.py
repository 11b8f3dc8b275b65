"""Settings and parameter counts of a run, against the decoder that Keras builds from the same files."""

import json
import shutil

import numpy as np
import pytest
from standins import write_stages

from captioner.checkpoints import load
from captioner.config import VARIANTS
from captioner.errors import CheckpointError
from captioner.figures.settings import in_words, read_all, read_settings
from captioner.presets import PRESETS


@pytest.fixture
def run(tiny_run, tmp_path):
    return shutil.copytree(tiny_run, tmp_path / "run")


@pytest.mark.parametrize("name", VARIANTS)
def test_parameters_are_those_of_the_built_decoder(tiny_run, name):
    settings, checkpoint = read_settings(tiny_run / name), load(tiny_run / name)
    decoder = checkpoint.build()
    trainable = sum(int(np.prod(variable.shape)) for variable in decoder.trainable_variables)
    frozen = checkpoint.table.vectors.size if VARIANTS[name].frozen else 0
    assert (settings.parameters.trainable, settings.parameters.frozen) == (trainable, frozen)
    assert settings.words == len(checkpoint.vocabulary.words) - 4


def test_settings_are_said_once_where_the_decoders_agree(tiny_run):
    found, problems = read_all(tiny_run)
    rows, tiny = dict(in_words(found)), PRESETS["tiny"]
    assert not problems and rows["Recipe (preset)"] == "tiny" and rows["Memory (LSTM units)"] == str(tiny.decoder.units)
    assert rows["Largest step (learning rate)"] == f"{tiny.training.learning_rate:g}"
    assert rows["What looks (encoder)"].startswith("efficientnet-lite2: 9 × 9 places")


def test_after_reward_its_settings_are_said(tiny_run, tmp_path):
    found, _ = read_all(write_stages(tiny_run, tmp_path) / "reward")
    rows, reward = dict(in_words(found)), PRESETS["tiny"].reward
    assert rows["Largest step (learning rate)"] == f"{reward.learning_rate:g}" and "Label smoothing" not in rows
    assert rows["Captions drawn per photograph"] == str(reward.samples) and rows["At most"].startswith(f"{reward.epochs} epochs")


def test_where_they_differ_each_has_its_own(run):
    path = run / "word2vec" / "config.json"
    config = json.loads(path.read_text())
    config["seed"] = 7
    path.write_text(json.dumps(config))
    assert dict(in_words(read_all(run)[0]))["Seed"] == "Learned 1, Word2Vec 7, FastText 1"


def test_a_decoder_in_training_has_none_yet(run):
    (run / "fasttext" / "config.json").unlink()
    found, problems = read_all(run)
    assert [each.variant.name for each in found] == ["learned", "word2vec"] and not problems
    assert in_words([]) == []


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", "{}"),
        ("config.json", "[1]"),
        ("config.json", "not json"),
        ("table.safetensors", "not tensors"),
        ("decoder.safetensors", ""),
    ],
)
def test_damaged_files_are_a_sentence(run, file, content):
    (run / "learned" / file).write_text(content)
    with pytest.raises(CheckpointError, match="again"):
        read_settings(run / "learned")
    assert len(read_all(run)[1]) == 1
