"""The step over arrays against the decoder's own step, for every way the photograph can enter."""

from dataclasses import replace

import numpy as np
import pytest

from captioner.captioning.beam_search import search
from captioner.captioning.numpy_decoder import QuickDecoder, Weights
from captioner.config import SearchConfig
from support.fakes import OLDER, SMALL_DECODER, small_checkpoint

WORDS, REGIONS, CHANNELS, ROWS = 11, 9, 6, 4
ENTRIES = ("attention", "merge", "init", "pre")


@pytest.mark.parametrize("hidden_units", [5, 0])
@pytest.mark.parametrize("images", [1, 7])
@pytest.mark.parametrize("shape", [{"image_entry": entry, "layers": layers} for entry in ENTRIES for layers in (1, 2)] + OLDER)
def test_the_same_as_the_decoders_step(shape, hidden_units, images):
    import tensorflow as tf

    from captioner.model.decoder import Decoder

    random = np.random.default_rng(7)
    config = replace(SMALL_DECODER, hidden_units=hidden_units, **shape)
    vectors = random.normal(size=(WORDS, config.embedding_dimensions)).astype(np.float32)
    decoder = Decoder(config, vectors, CHANNELS, True, regions=REGIONS)
    for variable in decoder.trainable_variables:
        variable.assign(random.normal(size=variable.shape))
    for statistic in decoder.statistics:
        statistic.assign(random.uniform(0.5, 2, statistic.shape))
    gates = decoder.gates_of_words().numpy()
    quick = QuickDecoder(decoder)
    features = random.normal(size=(images, REGIONS, CHANNELS)).astype(np.float32)
    (looked_at, first), (grid, state) = quick.start(features), decoder.start(tf.constant(features))
    for part, other in zip((looked_at, *first), (grid, *state), strict=True):
        np.testing.assert_allclose(part, other.numpy(), atol=1e-5)
    states = (
        tuple(np.repeat(part, ROWS, axis=0) for part in first),
        tuple(tf.repeat(part, ROWS, axis=0) for part in state),
    )
    for _ in range(3):
        words = random.integers(0, WORDS, ROWS * images)
        got = quick.step(looked_at, states[0], words)
        expected = decoder.step(grid, states[1], tf.gather(gates, words))
        np.testing.assert_allclose(got[0], expected[0].numpy(), rtol=1e-6, atol=2e-5)
        assert got[0].dtype == np.float32 and (got[2] is None) == (config.image_entry != "attention")
        if got[2] is not None:
            np.testing.assert_allclose(got[2], expected[2].numpy(), atol=1e-5)
        for part, other in zip(got[1], expected[1], strict=True):
            np.testing.assert_allclose(part, other.numpy(), atol=1e-5)
        check_best(quick, looked_at, states[0], words, got)
        states = got[1], expected[1]


def check_best(quick, grid, state, words, whole):
    """The best words by themselves are the best of all words."""
    forbidden = np.array([1, 4])
    found, gains, after, attention = quick.best(grid, state, words, 5, forbidden)
    allowed = whole[0].copy()
    allowed[:, forbidden] = -np.inf
    np.testing.assert_array_equal(found, np.argsort(-allowed, axis=1, kind="stable")[:, :5])
    np.testing.assert_array_equal(gains, np.take_along_axis(whole[0], found, axis=1))
    for part, other in zip((*after, attention), (*whole[1], whole[2]), strict=True):
        np.testing.assert_array_equal(part, other)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("beam", [1, 3, 5])  # of eleven words, so that twice the last beam are more than may be chosen
def test_the_search_among_the_best_words_is_the_search_among_all(entry, beam):
    from captioner.captioning.captioner import Searcher

    searcher = Searcher(small_checkpoint(image_entry=entry))
    features = np.random.default_rng(7).normal(size=(7, REGIONS, CHANNELS)).astype(np.float32)
    config = SearchConfig(beam=beam, maximum_words=12, alternatives=0)
    grids, state = searcher._begin(features)
    everything = search(grids.step, state, len(features), config)
    for few, expected in zip(searcher.search(features, config), everything, strict=True):
        for one, other in zip(few, expected, strict=True):
            assert (one.ids, one.log_probabilities, one.score, one.finished) == (
                other.ids, other.log_probabilities, other.score, other.finished
            )  # fmt: skip
            np.testing.assert_array_equal(one.attention, other.attention)
    assert len({best[0].log_probability for best in everything}) == len(features)


@pytest.mark.parametrize("shape", [(7, 5), (20, 64), (20, 65), (30, 300)])
def test_weights_in_blocks_give_the_plain_product(shape):
    random = np.random.default_rng(2)
    kernel = random.normal(size=shape).astype(np.float32)
    for count in (1, 3, 9, 40):
        rows = random.normal(size=(count, shape[0])).astype(np.float32)
        product = rows @ Weights(kernel)
        np.testing.assert_allclose(product, rows.astype(np.float64) @ kernel, atol=1e-4)
        assert product.dtype == np.float32 and product.shape == (count, shape[1])


def test_large_numbers_do_not_overflow():
    from captioner.captioning.numpy_decoder import _cell, _normaliser

    with np.errstate(over="raise", invalid="raise", divide="raise"):
        said, kept = _cell(np.float32([[1e4, -1e4, 1e4, 1e4]]), np.float32([[1.0]]), np.tanh)
        logs = np.float32([[0.0, 90.0]])
        logs -= _normaliser(logs)
    np.testing.assert_allclose([said[0, 0], kept[0, 0]], [np.tanh(1.0), 1.0], rtol=1e-6)
    np.testing.assert_allclose(logs, [[-90.0, 0.0]], atol=1e-6)
