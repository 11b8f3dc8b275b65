"""Settings and parameter counts of a run, against the decoder that Keras builds from the same files."""

import json
import math
import shutil
from dataclasses import fields, replace
from typing import get_args, get_type_hints

import numpy as np
import pytest

from captioner.config import FIRST, REWARD, SHIPPED, VARIANTS, DecoderConfig
from captioner.errors import CheckpointError
from captioner.figures.decoder.settings_in_words import (
    Facts,
    Settings,
    in_words,
    moved,
    read_all,
    read_facts,
    read_parameters,
    read_settings,
    shape_in_words,
)
from captioner.figures.glossary import GLOSSARY
from captioner.model.blueprint import Parameters
from captioner.model.checkpoints import load, save
from captioner.presets import PRESETS
from support.fakes import MARK, TINY_EPOCHS, small_checkpoint, write_stages


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
    assert rows["What looks (encoder)"].startswith("efficientnet-lite2-adapted: 9 × 9 places")


def test_after_reward_its_settings_are_said(tiny_run, tmp_path):
    found, _ = read_all(write_stages(tiny_run, tmp_path) / "reward")
    rows, reward = dict(in_words(found)), PRESETS["tiny"].reward
    assert rows["Largest step (learning rate)"] == f"{reward.learning_rate:g}" and "Label smoothing" not in rows
    assert rows["Captions drawn per photograph"] == str(reward.samples) and rows["At most"].startswith(f"{reward.epochs} epochs")


def test_the_penalty_for_flaws_is_told_where_there_is_one():
    plain = PRESETS["tiny"]
    fined = replace(plain, reward=replace(plain.reward, flaw_penalty=0.3))
    row = ("Reward less for a repetition or a cut-off end", "0.3")
    assert told(fined, stage=REWARD).items() - told(plain, stage=REWARD).items() == {row}
    assert told(fined) == told(plain), "The first stage has no reward."


def test_where_they_differ_each_has_its_own(run):
    path = run / "word2vec" / "config.json"
    config = json.loads(path.read_text())
    config["seed"] = 7
    path.write_text(json.dumps(config))
    assert dict(in_words(read_all(run)[0]))["Seed"] == "Learned 1, Word2Vec 7, FastText 1"


def told(*presets, stage=FIRST) -> dict[str, str]:
    """The rows of decoders that were made with these presets, alike in all else."""
    pairs = zip(VARIANTS.values(), presets, strict=False)
    return dict(in_words([Settings(variant, 1, preset, MARK, 100, Parameters(1, 0), stage) for variant, preset in pairs]))


SWITCHES = [item.name for item in fields(DecoderConfig) if item.metadata.get("switch")]
MOVED = {
    ("attention", "additive"): "additive attention, before the LSTM reads a word",
    ("pooling", "blocks"): "the means of 9 blocks of the photograph, end to end, in place of one mean",
    ("image_norm", "batch"): "batch normalisation of the photograph’s numbers",
    ("activation", "relu"): "ReLU in place of tanh in the LSTM",
    ("dropout_at", "words"): "dropout of the words’ vectors and the photograph alone",
}


def test_a_switch_is_told_where_it_is_moved_and_nothing_else_changes():
    tiny = PRESETS["tiny"]
    before, kinds = told(tiny), get_type_hints(DecoderConfig)
    assert "Otherwise than usual" not in before
    found = {}
    for name in SWITCHES:
        for value in get_args(kinds[name])[1:]:
            rows = told(replace(tiny, decoder=replace(tiny.decoder, **{name: value})))
            found[name, value] = rows.pop("Otherwise than usual")
            assert rows == before
    assert found == MOVED


def test_the_share_of_further_data_sets_is_told_where_it_is_set():
    plain = PRESETS["tiny"]
    shown = replace(plain, training=replace(plain.training, other_share=2.0))
    assert told(shown).items() - told(plain).items() == {("Photographs of further data sets", "shown 2 times an epoch")}


def test_word_slots_are_told_where_there_are_some(tmp_path):
    plain = PRESETS["tiny"]
    slotted = replace(plain, decoder=replace(plain.decoder, word_slots=4, slot_floor=0.05))
    row = ("Nouns that the CNN names (word slots)", "4, each with a strength of at least 0.05")
    assert told(slotted).items() - told(plain).items() == {row}
    assert shape_in_words(slotted.decoder) == shape_in_words(plain.decoder) + "; 4 word slots"
    checkpoint = small_checkpoint("word2vec", word_slots=2, beyond=("zebra",))
    save(tmp_path / "word2vec", checkpoint, {})
    assert read_settings(tmp_path / "word2vec").words == len(checkpoint.vocabulary) - 4, "The zebra is in the table alone."


def test_attention_that_is_not_there_is_of_no_kind():
    assert moved(DecoderConfig("merge", attention="additive", activation="relu")) == ("ReLU in place of tanh in the LSTM",)


def test_the_older_recipes_can_be_told_apart_by_their_shape_alone():
    """With everything else alike: layers and switches are told."""
    course, stacked = (PRESETS[name].decoder for name in ("course", "stacked"))
    rows = [told(replace(PRESETS["course"], decoder=replace(one, dropout=0.5))) for one in (course, stacked)]
    differing = {name: (rows[0].get(name), rows[1].get(name)) for name in rows[0] if rows[0].get(name) != rows[1].get(name)}
    assert differing == {
        "Memory (LSTM units)": ("256", "256 in each of 4 layers"),
        "Otherwise than usual": (MOVED["dropout_at", "words"], MOVED["pooling", "blocks"]),
    }
    assert told(PRESETS["attention"])["Otherwise than usual"] == MOVED["attention", "additive"]
    assert told(PRESETS["resnet152-lstm"])["Otherwise than usual"] == MOVED["image_norm", "batch"]
    two = DecoderConfig("init", activation="relu", image_norm="batch")
    both = told(replace(PRESETS["course"], decoder=two))["Otherwise than usual"]
    assert both == "batch normalisation of the photograph’s numbers; ReLU in place of tanh in the LSTM"


def test_a_row_that_some_lack_is_none_of_theirs():
    tiny = PRESETS["tiny"]
    other = replace(tiny, decoder=replace(tiny.decoder, activation="relu"))
    assert told(tiny, other)["Otherwise than usual"] == "Learned none, Word2Vec ReLU in place of tanh in the LSTM"
    assert told(other, tiny)["Otherwise than usual"] == "Learned ReLU in place of tanh in the LSTM, Word2Vec none"


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


def test_what_ships_has_as_many_numbers_either_way():
    """All but the tables, which have rows for nouns outside the vocabulary where there are word slots."""
    learned, word2vec, fasttext = (read_parameters(SHIPPED / FIRST / name) for name in VARIANTS)
    table = load(SHIPPED / FIRST / "learned").table.vectors
    assert word2vec.trainable == fasttext.trainable == learned.trainable - table.size and learned.frozen == 0


def test_what_batch_normalisation_counts_is_frozen_and_the_glossary_says_so(tmp_path):
    checkpoint = small_checkpoint(image_entry="pre", image_norm="batch")
    save(tmp_path / "learned", checkpoint, {})
    found, trained = read_parameters(tmp_path / "learned"), checkpoint.build().trainable_weights
    assert found == Parameters(sum(math.prod(weight.shape) for weight in trained), 2 * 6)  # two of each of a word's six numbers
    frozen = GLOSSARY["frozen parameters"]
    assert "word vectors" in frozen and "batch normalisation" in frozen


def test_damaged_or_missing_weights_are_a_sentence(tiny_run, tmp_path):
    folder = shutil.copytree(tiny_run / "learned", tmp_path / "learned")
    (folder / "table.safetensors").write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="table.safetensors of learned"):
        read_parameters(folder)
    (folder / "decoder.safetensors").unlink()
    with pytest.raises(CheckpointError, match="decoder.safetensors of learned"):
        read_parameters(folder)


def test_everything_is_found(tiny_run):
    facts, problems = read_facts(tiny_run / "word2vec")
    assert problems == [] and facts.history.seed == 1
    assert facts.parameters == read_parameters(tiny_run / "word2vec")
    assert len(facts.history.epochs) == TINY_EPOCHS and facts.history.variant.name == "word2vec"


def test_each_thing_may_be_missing_alone(tiny_run, tmp_path):
    folder = shutil.copytree(tiny_run / "learned", tmp_path / "learned")
    (folder / "history.json").unlink()
    facts, problems = read_facts(folder)
    assert facts == Facts(parameters=read_parameters(folder))
    assert ["no curve yet" in str(problem) for problem in problems] == [True]
    shutil.rmtree(folder)
    assert read_facts(folder)[0] == Facts()
