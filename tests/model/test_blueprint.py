"""The shapes worked out from settings against the decoder that Keras builds, and blocks of a grid against means by hand."""

import numpy as np
import pytest

from captioner.config import DecoderConfig
from captioner.errors import ConfigError
from captioner.model.blueprint import BLOCKS, TABLE_WEIGHT, block_means, count_parameters, parts, weight_shapes
from support.fakes import SHAPES, SMALL_VOCABULARY, small_checkpoint

IN_BLOCKS = DecoderConfig("merge", pooling="blocks")


@pytest.mark.parametrize("shape", SHAPES)
def test_the_decoder_that_keras_builds_has_these_weights(shape):
    checkpoint = small_checkpoint("fasttext", **shape)
    decoder, config = checkpoint.build(), checkpoint.preset.decoder
    shapes = weight_shapes(parts(config, checkpoint.encoder.channels, len(SMALL_VOCABULARY)))
    shapes[TABLE_WEIGHT] = checkpoint.table.vectors.shape
    assert {variable.path: tuple(variable.shape) for variable in decoder.weights} == shapes
    for variable in decoder.weights:
        np.testing.assert_array_equal(variable.numpy(), checkpoint.arrays()[variable.path], err_msg=variable.path)
    counted = count_parameters(shapes, frozen=True)
    assert counted.trainable == sum(int(np.prod(variable.shape)) for variable in decoder.trainable_variables)
    assert counted.trainable + counted.frozen == decoder.count_params()


@pytest.mark.parametrize(
    ("side", "cuts"),
    [
        (3, [(0, 1), (1, 2), (2, 3)]),
        (5, [(0, 2), (1, 4), (3, 5)]),
        (7, [(0, 3), (2, 5), (4, 7)]),
        (9, [(0, 3), (3, 6), (6, 9)]),
    ],
)
def test_blocks_are_the_means_of_their_regions(side, cuts):
    grid = np.random.default_rng(3).normal(size=(side, side, 2)).astype(np.float32)
    expected = [grid[top:bottom, left:right].mean(axis=(0, 1)) for top, bottom in cuts for left, right in cuts]
    np.testing.assert_allclose(block_means(IN_BLOCKS, side * side) @ grid.reshape(-1, 2), expected, atol=1e-6)


@pytest.mark.parametrize("side", [3, 4, 100])
def test_each_block_is_a_mean_whatever_the_grid(side):
    means = block_means(IN_BLOCKS, side * side)
    assert means.shape == (BLOCKS, side * side) == (9, side**2)
    np.testing.assert_allclose(means.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("regions", [0, 4, 8, 12, 80, 101 * 101])
def test_a_grid_that_is_no_square_of_blocks_is_refused(regions):
    assert block_means(DecoderConfig(), regions) is None
    with pytest.raises(ConfigError, match=f"the encoder gives {regions:,}; use pooling mean"):
        block_means(IN_BLOCKS, regions)


def test_a_grid_beyond_any_use_is_refused_before_anything_is_made_of_it(monkeypatch):
    monkeypatch.setattr(np, "zeros", None)
    monkeypatch.setattr(np, "kron", None)
    with pytest.raises(ConfigError, match="3 × 3 to 100 × 100 regions, but the encoder gives 268,435,456"):
        block_means(IN_BLOCKS, 16384 * 16384)
