"""The step over arrays against the decoder's own step, for every way the photograph can enter."""

from dataclasses import replace

import numpy as np
import pytest
from standins import SMALL_DECODER

from captioner.quick import QuickStep, Weights

WORDS, REGIONS, CHANNELS, ROWS = 11, 9, 6, 4


@pytest.mark.parametrize("image_entry", ["attention", "merge", "init", "pre"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("hidden_units", [5, 0])
def test_the_same_as_the_decoders_step(image_entry, layers, hidden_units):
    import tensorflow as tf

    from captioner.decoder import Decoder

    random = np.random.default_rng(7)
    config = replace(SMALL_DECODER, image_entry=image_entry, layers=layers, hidden_units=hidden_units)
    decoder = Decoder(config, random.normal(size=(WORDS, config.embedding_dimensions)).astype(np.float32), CHANNELS, True)
    for variable in decoder.trainable_variables:
        variable.assign(random.normal(size=variable.shape))
    gates = decoder.gates_of_words().numpy()
    quick = QuickStep(decoder, gates)
    grid, state = decoder.start(tf.constant(random.normal(size=(1, REGIONS, CHANNELS)), tf.float32))
    states = (
        tuple(np.repeat(part.numpy(), ROWS, axis=0) for part in state),
        tuple(tf.repeat(part, ROWS, axis=0) for part in state),
    )
    for _ in range(3):
        words = random.integers(0, WORDS, ROWS)
        got = quick(grid.numpy(), states[0], words)
        expected = decoder.step(grid, states[1], tf.gather(gates, words))
        np.testing.assert_allclose(got[0], expected[0].numpy(), atol=2e-5)
        assert got[0].dtype == np.float32 and (got[2] is None) == (image_entry != "attention")
        if got[2] is not None:
            np.testing.assert_allclose(got[2], expected[2].numpy(), atol=1e-5)
        for part, other in zip(got[1], expected[1], strict=True):
            np.testing.assert_allclose(part, other.numpy(), atol=1e-5)
        states = got[1], expected[1]


@pytest.mark.parametrize("shape", [(7, 5), (20, 64), (20, 65), (30, 300)])
def test_weights_in_blocks_give_the_plain_product(shape):
    random = np.random.default_rng(2)
    kernel = random.normal(size=shape).astype(np.float32)
    for count in (1, 3, 9):
        rows = random.normal(size=(count, shape[0])).astype(np.float32)
        product = rows @ Weights(kernel)
        np.testing.assert_allclose(product, rows.astype(np.float64) @ kernel, atol=1e-4)
        assert product.dtype == np.float32 and product.shape == (count, shape[1])


def test_large_numbers_do_not_overflow():
    from captioner.quick import _cell, _log_softmax

    with np.errstate(over="raise", invalid="raise", divide="raise"):
        said, kept = _cell(np.float32([[1e4, -1e4, 1e4, 1e4]]), np.float32([[1.0]]))
        logs = _log_softmax(np.float32([[0.0, 90.0]]))
    np.testing.assert_allclose([said[0, 0], kept[0, 0]], [np.tanh(1.0), 1.0], rtol=1e-6)
    np.testing.assert_allclose(logs, [[-90.0, 0.0]], atol=1e-6)
