"""The TensorFlow decoder against one written anew from the formulas, and against Keras's own layers."""

from dataclasses import replace

import numpy as np
import pytest

from captioner.config import DecoderConfig
from captioner.errors import ConfigError
from captioner.model.packing import pack
from captioner.presets import PRESETS
from captioner.vocabulary import END, START
from support.fakes import OLDER
from support.plain_decoder import PlainDecoder, log_softmax

ENTRIES = ("attention", "merge", "init", "pre")
SHAPES = [{"image_entry": entry, "layers": layers} for entry in ENTRIES for layers in (1, 2)]
def named(shape):
    return "-".join(map(str, shape.values()))


WORDS, CHANNELS, REGIONS = 12, 5, 16
CAPTIONS = [[[5, 6, 7], [8], [9, 10, 11, 4, 5, 6, 7, 8, 9]], [[], [4, 4]]]
SMALL = DecoderConfig(embedding_dimensions=6, units=8, image_units=8, heads=2, hidden_units=7, feature_dropout=0.3, dropout=0.4)


def build(config=SMALL, frozen=False, seed=0):
    """A decoder whose weights are all drawn anew, biases too, so that nothing is zero that could hide a mistake."""
    from captioner.model.decoder import Decoder

    random = np.random.default_rng(seed)
    vectors = random.normal(size=(WORDS, config.embedding_dimensions)).astype(np.float32)
    decoder = Decoder(config, vectors, CHANNELS, frozen, seed, REGIONS)
    for variable in decoder.weights:
        values = random.normal(0, 0.5, variable.shape)
        variable.assign(values**2 + 0.2 if variable.path == "image_norm/variance" else values)
    return decoder


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(7).normal(size=(2, REGIONS, CHANNELS)).astype(np.float32)


def plain_of(decoder, features):
    return PlainDecoder(decoder.config, {variable.path: variable.numpy() for variable in decoder.weights}, features)


def in_packed_order(per_caption):
    """Rows of steps of each caption, in the order in which packed captions have them."""
    longest_first = sorted(per_caption, key=lambda rows: -len(rows))
    steps = range(len(longest_first[0]))
    return np.array([rows[step] for step in steps for rows in longest_first if len(rows) > step])


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES + OLDER, ids=named)
def test_whole_captions_and_single_words_are_what_numpy_says(features, shape):
    decoder = build(replace(SMALL, **shape))
    scores = []
    for image, group in enumerate(CAPTIONS):
        for caption in group:
            plain = plain_of(decoder, features[image].astype(np.float64))
            steps = [plain.step(word) for word in (START, *caption)]
            scores.append([row for row, _ in steps])
            check_steps(decoder, features[image : image + 1], (START, *caption), steps)
    packed = pack(CAPTIONS)
    found = decoder.logits(features, packed.arrays(), len(packed.counts)).numpy()
    np.testing.assert_allclose(found, in_packed_order(scores), atol=1e-4)


def check_steps(decoder, features, words, expected):
    """Word by word, twice: with the one photograph for all rows, and with a photograph of its own for each of two rows."""
    for rows in (1, 2):
        image, state = decoder.start(np.repeat(features, rows, axis=0))
        for word, (scores, _) in zip(words, expected, strict=True):
            log_probabilities, state = decoder.step(image, state, np.repeat(word, rows))
            np.testing.assert_allclose(log_probabilities.numpy(), [log_softmax(scores)] * rows, atol=1e-4)


def test_without_a_hidden_layer(features):
    decoder = build(replace(SMALL, hidden_units=0))
    plain, packed = plain_of(decoder, features[0].astype(np.float64)), pack([[[5]]])
    expected = [plain.step(word)[0] for word in (START, 5)]
    np.testing.assert_allclose(decoder.logits(features[:1], packed.arrays(), 8).numpy(), expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [*(shape for shape in SHAPES if shape["layers"] == 2), SHAPES[0], *OLDER], ids=named)
def test_the_late_gradient_is_the_plain_one(features, shape):
    import tensorflow as tf

    from captioner.model.losses import word_losses

    decoder = build(replace(SMALL, **shape))
    packed = pack(CAPTIONS)
    variables = [variable.value for variable in decoder.trainable_variables]
    with tf.GradientTape() as tape:
        loss, _ = word_losses(decoder.logits(features, packed.arrays(), len(packed.counts)), packed.targets, 0.0)
    found = tape.gradient(loss, variables)
    with tf.GradientTape() as tape:
        plain = mean_of_steps(decoder, features)
    assert float(loss) == pytest.approx(float(plain), abs=1e-5)
    for variable, one, other in zip(decoder.trainable_variables, found, tape.gradient(plain, variables), strict=True):
        one, other = (tf.convert_to_tensor(gradient).numpy() for gradient in (one, other))
        assert np.abs(other).max() > 1e-4, variable.path
        np.testing.assert_allclose(one, other, atol=1e-5, err_msg=variable.path)


def mean_of_steps(decoder, features):
    """The loss word by word, through nothing but start and step, for an ordinary tape."""
    import tensorflow as tf

    losses = []
    for image, group in enumerate(CAPTIONS):
        for caption in group:
            seen, state = decoder.start(features[image : image + 1])
            for word, target in zip((START, *caption), (*caption, END), strict=True):
                log_probabilities, state = decoder.step(seen, state, tf.constant([word]))
                losses.append(-log_probabilities[0, target])
    return tf.add_n(losses) / len(losses)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [*({"image_entry": entry} for entry in ENTRIES), *OLDER], ids=named)
def test_dropout_follows_from_its_seed_alone(features, shape):
    import tensorflow as tf

    decoder, packed = build(replace(SMALL, **shape)), pack(CAPTIONS)

    def logits(seed):
        seed = None if seed is None else tf.constant(seed)
        return decoder.logits(features, packed.arrays(), len(packed.counts), seed).numpy()

    np.testing.assert_array_equal(logits(3), logits(3))
    np.testing.assert_array_equal(logits(None), logits(None))
    assert (logits(3) != logits(4)).any() and (logits(3) != logits(None)).any()


def test_dropout_at_the_words_alone_leaves_all_else(features):
    """With word vectors of zeros there is nothing to drop at the words."""
    import tensorflow as tf

    packed = pack(CAPTIONS)
    for places, alike in (("words", True), ("everything", False)):
        decoder = build(replace(SMALL, dropout_at=places, feature_dropout=0.0))
        decoder.table.assign(np.zeros(decoder.table.shape))
        found = [decoder.logits(features, packed.arrays(), len(packed.counts), seed) for seed in (None, tf.constant(3))]
        assert np.array_equal(*found) == alike


@pytest.mark.parametrize(("preset", "count"), [("flickr8k", 2_351_380), ("tiny", 57_412)])
def test_parameter_counts(preset, count):
    """Worked out by hand for 100 words and 1280 channels: table, image, starts, LSTM, query, hidden, words."""
    from captioner.model.decoder import Decoder

    config = PRESETS[preset].decoder
    decoder = Decoder(config, np.zeros((100, config.embedding_dimensions), np.float32), 1280, frozen=True)
    width, image, units, hidden = config.embedding_dimensions, config.image_units, config.units, config.hidden_units
    by_hand = 100 * width + (1280 + 1) * image + 2 * (image + 1) * units + (width + units + 1) * 4 * units
    by_hand += (units + 1) * image + (units + image + 1) * hidden + (hidden + 1) * 100
    assert decoder.count_params() == by_hand == count
    assert not any(variable is decoder.table for variable in decoder.trainable_variables)


def test_a_new_decoder_follows_from_its_seed_and_keeps_its_table():
    from captioner.model.decoder import Decoder

    vectors = np.random.default_rng(1).normal(size=(WORDS, 6)).astype(np.float32)
    one, same, other = (Decoder(SMALL, vectors, CHANNELS, False, seed).get_weights() for seed in (1, 1, 2))
    assert all((first == second).all() for first, second in zip(one, same, strict=True))
    assert not all((first == second).all() for first, second in zip(one, other, strict=True))
    np.testing.assert_array_equal(one[0], vectors)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"image_entry": "post"}, "attention, merge, init, pre, not 'post'"),
        ({"units": 0}, "whole numbers from 1"),
        ({"layers": 0}, "whole numbers from 1"),
        ({"hidden_units": -1}, "hidden_units from 0"),
        ({"units": 10**9}, "to 8192"),
        ({"hidden_units": 10**9}, "to 8192"),
        ({"dropout": 1.0}, "below 1"),
        ({"feature_dropout": -0.1}, "from 0"),
        ({"dropout": float("nan")}, "below 1"),
        ({"heads": 3}, r"image_units \(8\) must be a multiple of heads \(3\)"),
        ({"image_entry": "merge", "image_units": 4}, "must be equal"),
        ({"attention": "dot"}, "attention is one of heads, additive, not 'dot'"),
        ({"activation": "sigmoid"}, "activation is one of tanh, relu"),
        ({"pooling": "max"}, "pooling is one of mean, blocks"),
        ({"image_norm": "layer"}, "image_norm is one of none, batch"),
        ({"dropout_at": "night"}, "dropout_at is one of everything, words"),
        ({"pooling": "blocks"}, "pooling blocks goes with image_entry merge, init and pre"),
        ({"pooling": "blocks", "image_entry": "init"}, "the encoder gives 0; use pooling mean"),
        ({"embedding_dimensions": 7}, "have 6 dimensions, but the decoder is set to 7"),
    ],
)
def test_shapes_that_cannot_be_built(change, sentence):
    from captioner.model.decoder import Decoder

    with pytest.raises(ConfigError, match=sentence):
        Decoder(replace(SMALL, **change), np.zeros((WORDS, 6), np.float32), CHANNELS, False)
