"""The count from the files' heads against the weights of the decoder that is built from them."""

import math
import shutil

import numpy as np
import pytest

from captioner.config import FIRST, SHIPPED, VARIANTS
from captioner.errors import CheckpointError
from captioner.figures.decoder.parameters import Parameters, count_parameters
from captioner.figures.glossary import GLOSSARY
from captioner.model.checkpoints import load, save
from support.fakes import small_checkpoint


@pytest.mark.parametrize("name", VARIANTS)
def test_the_count_is_that_of_the_built_decoder(name, tiny_run):
    decoder = load(tiny_run / name).build()
    trainable, frozen = (
        sum(int(np.prod(weight.shape)) for weight in weights)
        for weights in (decoder.trainable_weights, decoder.non_trainable_weights)
    )
    assert count_parameters(tiny_run / name) == Parameters(trainable, frozen)


def test_what_ships_has_as_many_numbers_either_way():
    learned, word2vec, fasttext = (count_parameters(SHIPPED / FIRST / name) for name in VARIANTS)
    assert word2vec == fasttext and learned.frozen == 0
    assert learned.trainable == word2vec.trainable + word2vec.frozen


def test_what_batch_normalisation_counts_is_frozen_and_the_glossary_says_so(tmp_path):
    checkpoint = small_checkpoint(image_entry="pre", image_norm="batch")
    save(tmp_path / "learned", checkpoint, {})
    found, trained = count_parameters(tmp_path / "learned"), checkpoint.build().trainable_weights
    assert found == Parameters(sum(math.prod(weight.shape) for weight in trained), 2 * 6)  # two of each of a word's six numbers
    frozen = next(term.meaning for term in GLOSSARY if term.name == "frozen parameters")
    assert "word vectors" in frozen and "batch normalisation" in frozen


def test_damaged_or_missing_files_are_a_sentence(tiny_run, tmp_path):
    folder = shutil.copytree(tiny_run / "learned", tmp_path / "learned")
    (folder / "table.safetensors").write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="table.safetensors of learned"):
        count_parameters(folder)
    (folder / "decoder.safetensors").unlink()
    with pytest.raises(CheckpointError, match="decoder.safetensors of learned"):
        count_parameters(folder)
