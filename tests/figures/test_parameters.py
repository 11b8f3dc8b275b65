"""The count from the files' heads against the weights of the decoder that is built from them."""

import shutil

import numpy as np
import pytest

from captioner.checkpoints import load
from captioner.config import FIRST, SHIPPED, VARIANTS
from captioner.errors import CheckpointError
from captioner.figures.parameters import Parameters, count_parameters


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


def test_damaged_or_missing_files_are_a_sentence(tiny_run, tmp_path):
    folder = shutil.copytree(tiny_run / "learned", tmp_path / "learned")
    (folder / "table.safetensors").write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="table.safetensors of learned"):
        count_parameters(folder)
    (folder / "decoder.safetensors").unlink()
    with pytest.raises(CheckpointError, match="decoder.safetensors of learned"):
        count_parameters(folder)
