"""The NumPy decoder against one written anew from the formulas, for every way the photograph can enter."""

from dataclasses import replace

import numpy as np
import pytest

from captioner.captioning.beam_search import FORBIDDEN, search
from captioner.captioning.numpy_decoder import NumpyDecoder
from captioner.captioning.numpy_layers import product
from captioner.config import SearchConfig
from captioner.model.blueprint import TABLE_WEIGHT, parts, weight_shapes
from captioner.vocabulary import END
from support.fakes import OLDER, SMALL_DECODER
from support.plain_decoder import PlainDecoder, log_softmax
from support.plain_search import plain_beam

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
    state = tuple(np.repeat(part, ROWS, axis=0) for part in session.state)
    for _ in range(3):
        words = random.integers(0, WORDS, ROWS * images)
        scores, normalisers, state, attention = session.step(state, words, np.arange(images))
        expected = [one.step(word) for one, word in zip(plain, words, strict=True)]
        logs = [log_softmax(scores) for scores, _ in expected]
        np.testing.assert_allclose(scores - normalisers, logs, rtol=2e-5, atol=2e-5)
        assert scores.dtype == normalisers.dtype == np.float32 and (attention is None) == (config.image_entry != "attention")
        if attention is not None:
            np.testing.assert_allclose(attention, [looked for _, looked in expected], atol=1e-5)
        for layer in range(config.layers):
            np.testing.assert_allclose(state[2 * layer], [one.hidden[layer] for one in plain], rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(state[2 * layer + 1], [one.memory[layer] for one in plain], rtol=1e-5, atol=1e-5)


def random_arrays(config, random):
    """Weights drawn large enough for the photograph and every word to matter."""
    shapes = weight_shapes(parts(config, CHANNELS, WORDS)) | {TABLE_WEIGHT: (WORDS, config.embedding_dimensions)}
    arrays = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return arrays | {name: values**2 + 0.2 for name, values in arrays.items() if name.endswith("variance")}


@pytest.mark.parametrize("shape", [{"image_entry": entry} for entry in ENTRIES] + OLDER)
@pytest.mark.parametrize("beam", [1, 3, 8])  # 8 hypotheses are multiplied as a matrix, fewer one by one
def test_captions_are_those_of_a_plain_search_over_the_formulas(shape, beam):
    """Words and order of all hypotheses of photographs that finish at different steps."""
    config, random, images, longest = replace(SMALL_DECODER, **shape), np.random.default_rng(5), 5, 7
    arrays = random_arrays(config, random)
    arrays["words/bias"][END] += 2
    features = random.normal(size=(images, REGIONS, CHANNELS)).astype(np.float32)
    session = NumpyDecoder(config, arrays, REGIONS).session(features)
    found = search(session.step, session.state, images, SearchConfig(beam=beam, maximum_words=longest))
    for photograph, hypotheses in zip(features, found, strict=True):

        def gains(path, photograph=photograph):
            decoder = PlainDecoder(config, arrays, photograph.astype(np.float64))
            return log_softmax([decoder.step(word) for word in path][-1][0])

        expected = plain_beam(gains, beam, longest, FORBIDDEN)
        assert [(one.ids, one.finished) for one in hypotheses] == [(ids, finished) for ids, _, finished in expected]
        assert [one.score for one in hypotheses] == pytest.approx([score for _, score, _ in expected], abs=1e-4)
    assert len({hypotheses[0].score for hypotheses in found}) == images


@pytest.mark.parametrize("rows", [1, 3, 6, 7, 40])
@pytest.mark.parametrize("before", [(), (2,), (2, 3)])
def test_few_rows_and_many_are_multiplied_alike(rows, before):
    random = np.random.default_rng(2)
    left, matrix = random.normal(size=(*before, rows, 20)), random.normal(size=(*before, 65, 20)).swapaxes(-1, -2)
    found = product(left.astype(np.float32), matrix.astype(np.float32))
    np.testing.assert_allclose(found, left @ matrix, atol=1e-4)
    assert found.dtype == np.float32


def test_large_numbers_do_not_overflow():
    from captioner.captioning.numpy_layers import cell, normaliser

    with np.errstate(over="raise", invalid="raise", divide="raise"):
        found = cell(np.float32([[1e4, -1e4, 1e4, 1e4]]), np.float32([[1.0]]), np.tanh)
        logs = np.float32([[0.0, 90.0]])
        logs -= normaliser(logs)
    np.testing.assert_allclose([found.output[0, 0], found.memory[0, 0]], [np.tanh(1.0), 1.0], rtol=1e-6)
    np.testing.assert_allclose(logs, [[-90.0, 0.0]], atol=1e-6)
