"""The NumPy decoder against one written anew from the formulas, for every way the photograph can enter."""

from dataclasses import replace

import numpy as np
import pytest

from captioner.captioning.beam_search import search
from captioner.captioning.numpy_decoder import Dense, NumpyDecoder
from captioner.config import SearchConfig
from captioner.model.blueprint import TABLE_WEIGHT, parts, weight_shapes
from support.fakes import OLDER, SMALL_DECODER, small_checkpoint
from support.plain_decoder import PlainDecoder, log_softmax

WORDS, REGIONS, CHANNELS, ROWS = 11, 16, 6, 4
ENTRIES = ("attention", "merge", "init", "pre")


@pytest.mark.parametrize("hidden_units", [5, 0])
@pytest.mark.parametrize("images", [1, 7])
@pytest.mark.parametrize("shape", [{"image_entry": entry, "layers": layers} for entry in ENTRIES for layers in (1, 2)] + OLDER)
def test_the_same_as_a_decoder_written_from_the_formulas(shape, hidden_units, images):
    """Several captions for each photograph, of different words; the attention is that of each row."""
    random, config = np.random.default_rng(7), replace(SMALL_DECODER, hidden_units=hidden_units, **shape)
    arrays = random_arrays(config, random)
    features = random.normal(size=(images, REGIONS, CHANNELS)).astype(np.float32)
    session = NumpyDecoder(config, arrays, REGIONS).session(features)
    plain = [PlainDecoder(config, arrays, row.astype(np.float64)) for row in features for _ in range(ROWS)]
    state, owners = tuple(np.repeat(part, ROWS, axis=0) for part in session.state), np.arange(images).repeat(ROWS)
    for _ in range(3):
        words = random.integers(0, WORDS, ROWS * images)
        found = session.step(state, words, owners)
        expected = [one.step(word) for one, word in zip(plain, words, strict=True)]
        np.testing.assert_allclose(found[0], [log_softmax(scores) for scores, _ in expected], rtol=2e-5, atol=2e-5)
        assert found[0].dtype == np.float32 and (found[2] is None) == (config.image_entry != "attention")
        if found[2] is not None:
            np.testing.assert_allclose(found[2], [attention for _, attention in expected], atol=1e-5)
        for layer in range(config.layers):
            np.testing.assert_allclose(found[1][2 * layer], [one.hidden[layer] for one in plain], rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(found[1][2 * layer + 1], [one.memory[layer] for one in plain], rtol=1e-5, atol=1e-5)
        check_best(session, state, words, owners, found)
        state = found[1]


def random_arrays(config, random):
    """Weights drawn large enough for the photograph and every word to matter."""
    shapes = weight_shapes(parts(config, CHANNELS, WORDS)) | {TABLE_WEIGHT: (WORDS, config.embedding_dimensions)}
    arrays = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return arrays | {name: values**2 + 0.2 for name, values in arrays.items() if name.endswith("variance")}


def check_best(session, state, words, owners, whole):
    """The best words by themselves are the best of all words."""
    forbidden = np.array([1, 4])
    found, gains, after, attention = session.shortlist(state, words, owners, 5, forbidden)
    allowed = whole[0].copy()
    allowed[:, forbidden] = -np.inf
    np.testing.assert_array_equal(found, np.argsort(-allowed, axis=1, kind="stable")[:, :5])
    np.testing.assert_array_equal(gains, np.take_along_axis(whole[0], found, axis=1))
    for part, other in zip((*after, attention), (*whole[1], whole[2]), strict=True):
        np.testing.assert_array_equal(part, other)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("beam", [1, 3, 5])  # of eleven words, so that twice the last beam are more than may be chosen
def test_the_search_among_the_best_words_is_the_search_among_all(entry, beam):
    decoder = NumpyDecoder.of(small_checkpoint(image_entry=entry))
    features = np.random.default_rng(7).normal(size=(7, 9, CHANNELS)).astype(np.float32)
    config = SearchConfig(beam=beam, maximum_words=12, alternatives=0)
    few, everything = (decoder.session(features) for _ in range(2))
    found = search(few.step, few.state, len(features), config, shortlist=few.shortlist)
    expected = search(everything.step, everything.state, len(features), config)
    for ones, others in zip(found, expected, strict=True):
        for one, other in zip(ones, others, strict=True):
            assert (one.ids, one.log_probabilities, one.score, one.finished) == (
                other.ids, other.log_probabilities, other.score, other.finished
            )  # fmt: skip
            np.testing.assert_array_equal(one.attention, other.attention)
    assert len({best[0].log_probability for best in expected}) == len(features)


@pytest.mark.parametrize("shape", [(7, 5), (20, 64), (20, 65), (30, 300)])
def test_weights_in_blocks_give_the_plain_product(shape):
    random = np.random.default_rng(2)
    kernel = random.normal(size=shape).astype(np.float32)
    for count in (1, 3, 9, 40):
        rows = random.normal(size=(count, shape[0])).astype(np.float32)
        product = Dense(kernel)(rows)
        np.testing.assert_allclose(product, rows.astype(np.float64) @ kernel, atol=1e-4)
        np.testing.assert_allclose(Dense(kernel, kernel[0])(rows), product + kernel[0], atol=1e-6)
        assert product.dtype == np.float32 and product.shape == (count, shape[1])


def test_large_numbers_do_not_overflow():
    from captioner.captioning.numpy_decoder import _cell, _normaliser

    with np.errstate(over="raise", invalid="raise", divide="raise"):
        cell = _cell(np.float32([[1e4, -1e4, 1e4, 1e4]]), np.float32([[1.0]]), np.tanh)
        logs = np.float32([[0.0, 90.0]])
        logs -= _normaliser(logs)
    np.testing.assert_allclose([cell.output[0, 0], cell.memory[0, 0]], [np.tanh(1.0), 1.0], rtol=1e-6)
    np.testing.assert_allclose(logs, [[-90.0, 0.0]], atol=1e-6)
