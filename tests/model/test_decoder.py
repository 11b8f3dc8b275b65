"""The decoder against an LSTM and attention written anew in NumPy, one caption, one word and one head at a time."""

from dataclasses import replace

import numpy as np
import pytest

from captioner.config import DecoderConfig
from captioner.errors import ConfigError
from captioner.model.packing import pack
from captioner.presets import PRESETS
from captioner.vocabulary import END, START
from support.fakes import OLDER

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


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


class Plain:
    """The same decoder in NumPy, for one photograph and one word at a time."""

    def __init__(self, decoder, features):
        self.config = decoder.config
        self.weights = {variable.path: np.asarray(variable.value, np.float64) for variable in decoder.weights}
        entry = self.config.image_entry
        if entry == "attention":
            self.image = np.array([self.norm(np.maximum(self.dense("image", region), 0)) for region in features])
            pooled = self.image.mean(axis=0)
        else:
            flat = self.config.pooling == "blocks"
            pooled = self.dense("image", self.blocks(features) if flat else features.mean(axis=0))
            self.image = pooled = self.norm(pooled if entry == "pre" else np.maximum(pooled, 0))
        self.hidden = [np.zeros(self.config.units) for _ in range(self.config.layers)]
        self.memory = [np.zeros(self.config.units) for _ in range(self.config.layers)]
        if entry in ("attention", "init"):
            for layer in range(self.config.layers):
                self.hidden[layer] = np.tanh(self.dense(f"start_h{layer}", pooled))
                self.memory[layer] = np.tanh(self.dense(f"start_c{layer}", pooled))
        if entry == "pre":
            self.lstm(self.image)

    @staticmethod
    def blocks(features):
        """Three by three blocks of the four by four regions, each of two by two, end to end."""
        grid = features.reshape(4, 4, -1)
        return np.concatenate([grid[y : y + 2, x : x + 2].mean(axis=(0, 1)) for y in range(3) for x in range(3)])

    def norm(self, values):
        if self.config.image_norm == "none":
            return values
        scale, bias, mean, variance = (self.weights[f"image_norm/{part}"] for part in ("scale", "bias", "mean", "variance"))
        return (values - mean) / np.sqrt(variance + 1e-5) * scale + bias

    def dense(self, name, inputs):
        return inputs @ self.weights[f"{name}/kernel"] + self.weights[f"{name}/bias"]

    def lstm(self, inputs, context=None):
        squash = {"tanh": np.tanh, "relu": lambda values: np.maximum(values, 0)}[self.config.activation]
        for layer in range(self.config.layers):
            gates = self.dense(f"lstm{layer}", inputs) + self.hidden[layer] @ self.weights[f"lstm{layer}/recurrent_kernel"]
            if layer == 0 and context is not None:
                gates = gates + context @ self.weights["context/kernel"]
            enter, keep, leave, candidate = np.split(gates, 4)
            self.memory[layer] = sigmoid(keep) * self.memory[layer] + sigmoid(enter) * squash(candidate)
            inputs = self.hidden[layer] = sigmoid(leave) * squash(self.memory[layer])
        return inputs

    def look_before(self):
        """Additive attention: the context and where it looked, from what the first layer said last."""
        query, fits = self.dense("query", self.hidden[0]), []
        for region in self.image:
            fits.append(np.tanh(region @ self.weights["keys/kernel"] + query) @ self.weights["energy/kernel"][:, 0])
        look = np.exp(fits) / np.exp(fits).sum()
        return sum(weight * region for weight, region in zip(look, self.image, strict=True)), look

    def attend(self, query):
        """The context, and the mean over heads of where each of them looked."""
        depth = self.config.image_units // self.config.heads
        contexts, looks = [], []
        for head in range(self.config.heads):
            part = slice(head * depth, (head + 1) * depth)
            scores = np.array([query[part] @ region[part] for region in self.image]) / np.sqrt(depth)
            looks.append(np.exp(scores) / np.exp(scores).sum())
            contexts.append(looks[-1] @ self.image[:, part])
        return np.concatenate(contexts), np.mean(looks, axis=0)

    def step(self, word):
        """The scores of the next word, and where the decoder looked."""
        vector, look = self.weights["decoder/table"][word], None
        if self.config.image_entry == "attention" and self.config.attention == "additive":
            context, look = self.look_before()
            output = np.concatenate([self.lstm(vector, context), context])
        elif self.config.image_entry == "attention":
            output = self.lstm(vector)
            context, look = self.attend(self.dense("query", output))
            output = np.concatenate([output, context])
        else:
            output = self.lstm(vector)
            if self.config.image_entry == "merge":
                output = output + self.image
        if self.config.hidden_units:
            output = np.maximum(self.dense("hidden", output), 0)
        return self.dense("words", output), look


def in_packed_order(per_caption):
    """Rows of steps of each caption, in the order in which packed captions have them."""
    longest_first = sorted(per_caption, key=lambda rows: -len(rows))
    steps = range(len(longest_first[0]))
    return np.array([rows[step] for step in steps for rows in longest_first if len(rows) > step])


def log_softmax(scores):
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("shape", SHAPES + OLDER, ids=named)
def test_whole_captions_and_single_words_are_what_numpy_says(features, shape):
    decoder = build(replace(SMALL, **shape))
    scores = []
    for image, group in enumerate(CAPTIONS):
        for caption in group:
            plain = Plain(decoder, features[image].astype(np.float64))
            steps = [plain.step(word) for word in (START, *caption)]
            scores.append([row for row, _ in steps])
            check_steps(decoder, features[image : image + 1], (START, *caption), steps)
    packed = pack(CAPTIONS)
    found = decoder.logits(features, packed.arrays(), len(packed.counts)).numpy()
    np.testing.assert_allclose(found, in_packed_order(scores), atol=1e-4)


def check_steps(decoder, features, words, expected):
    """Word by word, twice: with the one photograph for all rows, and with a photograph of its own for each of two rows."""
    gates = decoder.gates_of_words().numpy()
    for rows in (1, 2):
        grid, state = decoder.start(np.repeat(features, rows, axis=0))
        for word, (scores, look) in zip(words, expected, strict=True):
            log_probabilities, state, attention = decoder.step(grid, state, np.repeat(gates[word : word + 1], rows, axis=0))
            np.testing.assert_allclose(log_probabilities.numpy(), [log_softmax(scores)] * rows, atol=1e-4)
            assert (attention is None) == (look is None)
            if look is not None:
                np.testing.assert_allclose(attention.numpy(), [look] * rows, atol=1e-5)


def test_without_a_hidden_layer(features):
    decoder = build(replace(SMALL, hidden_units=0))
    plain, packed = Plain(decoder, features[0].astype(np.float64)), pack([[[5]]])
    expected = [plain.step(word)[0] for word in (START, 5)]
    np.testing.assert_allclose(decoder.logits(features[:1], packed.arrays(), 8).numpy(), expected, atol=1e-4)


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
            grid, state = decoder.start(features[image : image + 1])
            for word, target in zip((START, *caption), (*caption, END), strict=True):
                gates = tf.gather(decoder.gates_of_words(), [word])
                log_probabilities, state, _ = decoder.step(grid, state, gates)
                losses.append(-log_probabilities[0, target])
    return tf.add_n(losses) / len(losses)


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


def test_batch_normalisation_is_that_of_keras(features):
    """In training and after it, and what it keeps of each batch."""
    import keras

    from captioner.model.layers import Normalisation

    ours, theirs = Normalisation(CHANNELS, "ours"), keras.layers.BatchNormalization(momentum=0.99, epsilon=1e-5)
    theirs.build((None, CHANNELS))
    random = np.random.default_rng(1)
    theirs.set_weights([random.normal(1, 0.2, CHANNELS), random.normal(size=CHANNELS), np.zeros(CHANNELS), np.ones(CHANNELS)])
    ours.set_weights(theirs.get_weights())
    for _ in range(3):
        batch = random.normal(2, 3, (6, CHANNELS)).astype(np.float32)
        np.testing.assert_allclose(ours.normalise(batch, True), theirs(batch, training=True), atol=1e-5)
    assert abs(ours.mean.numpy()).min() > 0.01
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(ours.normalise(batch, False), theirs(batch, training=False), atol=1e-5)


def test_additive_attention_is_that_of_keras(features):
    """Keras’s layer compares what it is given; query and keys are made as the decoder makes them."""
    import keras
    import tensorflow as tf

    from captioner.model.additive_attention import mixture

    decoder = build(replace(SMALL, attention="additive"))
    grid, state = decoder.start(features)
    hidden = tf.stack([state[0], state[1]], axis=1)  # (images, 2 slots, units)
    layer = keras.layers.AdditiveAttention()
    layer.build([(2, 2, 8), (2, REGIONS, 8), (2, REGIONS, 8)])
    layer.set_weights([decoder.energy.kernel.numpy()[:, 0]])
    expected = layer([decoder.query(hidden), grid[:, 1], grid[:, 0]], return_attention_scores=True)
    for one, other in zip(mixture(decoder.query(hidden), grid[:, 0], grid[:, 1], decoder.energy.kernel), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_an_lstm_has_as_many_parameters_and_the_same_answer_as_keras(activation):
    import keras
    import tensorflow as tf

    from captioner.model.layers import Cell

    cell, random = Cell(6, 8, 1, "cell", activation), np.random.default_rng(2)
    for weight in cell.weights:
        weight.assign(random.normal(0, 0.5, weight.shape))
    layer = keras.layers.LSTM(8, activation)
    layer.build((None, None, 6))
    parts = [np.split(weight.numpy(), 4, axis=-1) for weight in (cell.kernel, cell.recurrent, cell.bias)]
    layer.set_weights([np.concatenate((enter, keep, candidate, leave), axis=-1) for enter, keep, leave, candidate in parts])
    assert cell.count_params() == layer.count_params()
    words, zeros = random.normal(size=(5, 6)).astype(np.float32), tf.zeros((1, 8))
    found = cell.run(tf.constant(words), tf.ones(5, tf.int32), 5, zeros, zeros)
    np.testing.assert_allclose(found[-1], layer(words[None])[0], atol=1e-5)


def test_dropout_drops_its_share_and_keeps_the_mean():
    import tensorflow as tf

    from captioner.model.layers import Dropout

    drop = Dropout(tf.constant(5))
    once, again = (drop(tf.ones((200, 100)), 0.4).numpy() for _ in range(2))
    assert set(np.unique(once)) == {np.float32(0), np.float32(1 / 0.6)} and once.mean() == pytest.approx(1, abs=0.02)
    assert (once != again).any()
    channels = drop(tf.ones((6, 9, 50)), 0.5, per_channel=True).numpy()
    assert (channels == channels[:, :1]).all() and 0 < (channels == 0).mean() < 1


COURSE = {"table": 2_273_100, "image": 524_544, "lstm0": 570_368, "hidden": 65_792, "words": 1_947_289}  # as published
COURSE_10 = COURSE | {"table": 88_290, "lstm0": 273_408}  # with 10 dimensions, and a table of more rows than it scores words


@pytest.mark.parametrize(
    ("dimensions", "rows", "published", "together"), [(300, 7577, COURSE, 5_381_093), (10, 8829, COURSE_10, 2_899_323)]
)
def test_the_course_has_the_parameters_that_were_published(dimensions, rows, published, together):
    from captioner.model.decoder import Decoder

    config = replace(PRESETS["course"].decoder, embedding_dimensions=dimensions)
    decoder = Decoder(config, np.zeros((rows, dimensions), np.float32), 2048, frozen=True, words=7577)
    counted = {}
    for variable in decoder.weights:
        part = variable.path.removeprefix("decoder/").partition("/")[0]
        counted[part] = counted.get(part, 0) + int(np.prod(variable.shape))
    assert counted == published and decoder.count_params() == sum(published.values()) == together


@pytest.mark.parametrize(("preset", "count"), [("triptych", 2_351_380), ("tiny", 57_412)])
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
        ({"pooling": "blocks", "image_entry": "init"}, "and 0 regions make none; take pooling mean"),
        ({"embedding_dimensions": 7}, "have 6 dimensions, but the decoder is set to 7"),
    ],
)
def test_shapes_that_cannot_be_built(change, sentence):
    from captioner.model.decoder import Decoder

    with pytest.raises(ConfigError, match=sentence):
        Decoder(replace(SMALL, **change), np.zeros((WORDS, 6), np.float32), CHANNELS, False)
