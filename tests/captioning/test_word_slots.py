"""Word slots in the NumPy decoder and in TensorFlow, against a decoder written anew from the formulas."""

from dataclasses import replace

import numpy as np
import pytest

from captioner.captioning.beam_search import FORBIDDEN, search
from captioner.captioning.numpy_decoder import NumpyDecoder
from captioner.config import SearchConfig
from captioner.model.blueprint import TABLE_WEIGHT, parts, weight_shapes
from captioner.model.packing import pack
from captioner.model.word_slots import NO_ROW, WordSlots
from captioner.vocabulary import END, PADDING, START, UNKNOWN
from support.fakes import SMALL_DECODER
from support.plain_decoder import PlainDecoder
from support.plain_search import plain_beam

WORDS, ROWS, REGIONS, CHANNELS = 11, 14, 9, 6  # The table has three rows more than the vocabulary has words.
CONFIG = replace(SMALL_DECODER, word_slots=3)
BEYOND = 12  # a word of the table that is not in the vocabulary
# Three photographs: two words and an empty slot, a word outside the vocabulary and one of it, and nothing.
SLOTS = np.array([[5, 7, PADDING], [BEYOND, 6, PADDING], [PADDING] * 3], np.int32)


@pytest.fixture(scope="module")
def arrays():
    random = np.random.default_rng(7)
    shapes = weight_shapes(parts(CONFIG, CHANNELS, WORDS)) | {TABLE_WEIGHT: (ROWS, CONFIG.embedding_dimensions)}
    arrays = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    arrays[TABLE_WEIGHT][PADDING] = 0
    return arrays


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(8).normal(size=(3, REGIONS, CHANNELS)).astype(np.float32)


@pytest.fixture(scope="module")
def slots():
    return WordSlots.of(SLOTS, np.random.default_rng(9).uniform(0.01, 1, (3, 3, 2)).astype(np.float32))


def plain_of(arrays, features, slots, photograph):
    table = arrays[TABLE_WEIGHT]
    given = [
        None if row == PADDING else (row, table[row], slots.measures[photograph, number])
        for number, row in enumerate(slots.rows[photograph])
    ]
    return PlainDecoder(CONFIG, arrays, features[photograph].astype(np.float64), given)


def test_the_measures_are_both_probabilities_and_their_logarithms(slots):
    assert not slots.measures[slots.empty].any() and (slots.measures[~slots.empty] != 0).all()
    np.testing.assert_allclose(np.exp(slots.measures[0, 0, 2:]), slots.measures[0, 0, :2], rtol=1e-5)


def test_the_numpy_decoder_says_what_the_formulas_say(arrays, features, slots):
    decoder = NumpyDecoder(CONFIG, arrays, REGIONS)
    session = decoder.session(features, slots)
    plain = [plain_of(arrays, features, slots, photograph) for photograph in range(3)]
    state = session.state
    # The first slot's word of each, then another word: whose slot was said once is closed for good.
    for words in ([START] * 3, [5, WORDS, 8], [6, 4, 5], [7, 6, 4]):
        scores, normalisers, state, attention = session.step(state, np.array(words), np.arange(3))
        rows = [BEYOND if word == WORDS else word for word in words]
        for photograph, word in enumerate(rows):
            probabilities, looked = plain[photograph].step(word)
            np.testing.assert_allclose(np.exp(scores[photograph] - normalisers[photograph]), probabilities, atol=1e-5)
            np.testing.assert_allclose(attention[photograph], looked, atol=1e-5)


def test_tensorflow_trains_the_same_mixture(arrays, features, slots):
    from captioner.model.copying import slots_of_words
    from captioner.model.losses import mixture_losses

    decoder = tensorflow_decoder(arrays)
    captions = [[[5, 8, 5, 7]], [[BEYOND, 6, BEYOND], [13, 4]], [[9]]]
    packed = pack(captions)
    scores = decoder.scores(features, packed.arrays(), len(packed.counts), slots=slots[:2])
    rows = slots_of_words(slots[:2], packed.arrays())
    plain_losses, smoothed = (part.numpy() for part in mixture_losses(scores, packed.targets, rows, 0.1))
    expected = {}
    for photograph, group in enumerate(captions):
        for number, caption in enumerate(group):
            plain = plain_of(arrays, features, slots, photograph)
            expected[photograph, number] = [
                probability_of(plain.step(word)[0], target, SLOTS[photograph], plain.said)
                for word, target in zip([START, *caption], [*caption, END], strict=True)
            ]
    order = sorted(expected, key=lambda key: -len(expected[key]))
    found = [expected[key][step] for step in range(5) for key in order if len(expected[key]) > step]
    np.testing.assert_allclose(np.exp(-plain_losses), found, atol=1e-5)
    uniform = -np.log(softmax(scores.logits.numpy())).mean(axis=1)
    np.testing.assert_allclose(smoothed, 0.9 * plain_losses + 0.1 * uniform, atol=1e-5)


def test_photographs_beyond_the_features_are_empty(arrays, features, slots):
    decoder, packed = tensorflow_decoder(arrays), pack([[[5, 8, 5]], [[BEYOND, 6]], [[9]]])
    blank = np.concatenate([features[:1], np.zeros_like(features[1:])])
    expected, found = (
        decoder.scores(given, packed.arrays(), len(packed.counts), slots=slots[:2]) for given in (blank, features[:1])
    )
    for name in ("logits", "copying"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-5)


def probability_of(probabilities, target, slots, said):
    """That of a word of the vocabulary, of a word copied for the first time, or of the unknown word."""
    if target < WORDS:
        return probabilities[target]
    copied = target in slots and target not in said
    return probabilities[WORDS + list(slots).index(target)] if copied else probabilities[UNKNOWN]


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def tensorflow_decoder(arrays):
    from captioner.model.decoder import Decoder

    decoder = Decoder(CONFIG, arrays[TABLE_WEIGHT], CHANNELS, True, 0, REGIONS, WORDS)
    decoder.put(arrays)
    return decoder


def test_word_by_word_tensorflow_and_numpy_agree(arrays, features, slots):
    decoder, session = tensorflow_decoder(arrays), NumpyDecoder(CONFIG, arrays, REGIONS).session(features, slots)
    memory, state = decoder.start(features, slots[:2])
    numpy_state = session.state
    for words in ([START] * 3, [5, WORDS, 8], [6, 4, 5]):
        log_probabilities, state = decoder.step(memory, state, np.array(words, np.int32))
        scores, normalisers, numpy_state, _ = session.step(numpy_state, np.array(words), np.arange(3))
        np.testing.assert_allclose(np.exp(log_probabilities.numpy()), np.exp(scores - normalisers), atol=1e-5)


@pytest.mark.parametrize("beam", [1, 3])
def test_a_search_copies_words_outside_the_vocabulary_and_says_none_twice(arrays, features, slots, beam):
    session = NumpyDecoder(CONFIG, arrays, REGIONS).session(features, slots)
    found = search(session.step, session.state, 3, SearchConfig(beam=beam, maximum_words=6))
    for photograph, hypotheses in enumerate(found):

        def gains(path, photograph=photograph):
            plain = plain_of(arrays, features, slots, photograph)
            with np.errstate(divide="ignore"):
                return np.log([plain.step(BEYOND if word == WORDS else word)[0] for word in path][-1])

        expected = plain_beam(gains, beam, 6, FORBIDDEN)
        assert [(one.ids, one.finished) for one in hypotheses] == [(ids, finished) for ids, _, finished in expected]


def test_a_word_without_a_row_is_read_and_copied_by_its_vector(arrays, features):
    """The same vector in a slot, once as a row of the table and once by itself, gives the same probabilities."""
    rows, probabilities = np.array([[BEYOND, 6, PADDING]], np.int32), np.full((1, 3, 2), 0.5, np.float32)
    known = WordSlots.of(rows, probabilities)
    vectors = arrays[TABLE_WEIGHT][rows]
    composed = WordSlots.of(np.array([[NO_ROW, 6, PADDING]]), probabilities, vectors)
    decoder = NumpyDecoder(CONFIG, arrays, REGIONS)
    for one, other in zip(*(steps(decoder.session(features[:1], given)) for given in (known, composed)), strict=True):
        np.testing.assert_array_equal(one, other)


def steps(session):
    state = session.state
    for word in (START, WORDS, 4):
        scores, normalisers, state, _ = session.step(state, np.array([word]), np.arange(1))
        yield scores - normalisers
