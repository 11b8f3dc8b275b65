"""Layers against Keras's, and custom gradients against TensorFlow's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from captioner.model.layers import Dropout, LstmLayer, Normalisation, in_order, late_gradient, lay_out
from captioner.model.packing import pack


@pytest.fixture
def packed():
    return pack([[(5, 6, 7), (8,)], [(9, 5)], [(6, 6, 6, 6), (7, 8), (5,)]])  # Photographs with unequally many words.


def gradient(make, values):
    values = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(values)
        made = make(values)
        weights = tf.random.stateless_normal(tf.shape(made), (1, 2))
        loss = tf.reduce_sum(weights * tf.sin(made))
    return made.numpy(), tf.convert_to_tensor(tape.gradient(loss, values)).numpy()


def there_and_back(into, out):
    return lambda words: out(tf.cumsum(tf.tanh(into(words)), axis=2))


def test_words_are_laid_out_and_out_again_with_the_gradient_of_plain_lookups(packed):
    words = np.random.default_rng(0).normal(size=(len(packed.words), 3)).astype(np.float32)
    layout, places = packed.layout, packed.places
    ways = {
        "ours": (lambda one: lay_out(one, layout, places), lambda one: in_order(one, layout, places)),
        "plain": (lambda one: tf.gather(one, layout), lambda one: tf.gather(tf.reshape(one, (-1, 3)), places)),
    }
    ours, plain = (gradient(there_and_back(*ways[name]), words) for name in ("ours", "plain"))
    assert layout.size > len(words)  # There are empty places, which must take no part.
    assert (ours[0] == plain[0]).all()
    np.testing.assert_allclose(ours[1], plain[1], rtol=1e-5)


def test_what_is_not_taken_out_of_a_slot_gets_no_gradient(packed):
    laid = np.random.default_rng(1).normal(size=(*packed.layout.shape, 2)).astype(np.float32)
    ours = gradient(lambda one: in_order(one, packed.layout, packed.places), laid)
    plain = gradient(lambda one: tf.gather(tf.reshape(one, (-1, 2)), packed.places), laid)
    np.testing.assert_array_equal(ours[1], plain[1])
    assert (ours[1] == 0).all(axis=2).sum() == packed.layout.size - len(packed.words)


def test_the_recurrent_weights_get_their_gradient_in_one_product():
    random = np.random.default_rng(2)
    inputs, start = random.normal(size=(3, 2, 4)).astype(np.float32), random.normal(size=(2, 4)).astype(np.float32)

    def run(kernel, late):
        before, hidden, outputs = [], tf.constant(start), []
        projected = tf.reshape(tf.constant(inputs), (-1, 4))
        rows = late_gradient(projected, kernel, before) if late else projected
        for step in tf.split(rows, 3):
            before.append(hidden)
            hidden = tf.tanh(step + tf.matmul(hidden, tf.stop_gradient(kernel) if late else kernel))
            outputs.append(hidden)
        return tf.concat(outputs, axis=0)

    kernel = random.normal(size=(4, 4)).astype(np.float32)
    ours, plain = (gradient(lambda one, late=late: run(one, late), kernel) for late in (True, False))
    assert (ours[0] == plain[0]).all()
    np.testing.assert_allclose(ours[1], plain[1], rtol=1e-4)


def test_batch_normalisation_is_that_of_keras():
    """In training and after it, and what it keeps of each batch."""
    ours, theirs = Normalisation(5, "ours"), keras.layers.BatchNormalization(momentum=0.99, epsilon=1e-5)
    theirs.build((None, 5))
    random = np.random.default_rng(1)
    theirs.set_weights([random.normal(1, 0.2, 5), random.normal(size=5), np.zeros(5), np.ones(5)])
    ours.set_weights(theirs.get_weights())
    for _ in range(3):
        batch = random.normal(2, 3, (6, 5)).astype(np.float32)
        np.testing.assert_allclose(ours.normalise(batch, True), theirs(batch, training=True), atol=1e-5)
    assert abs(ours.mean.numpy()).min() > 0.01
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(ours.normalise(batch, False), theirs(batch, training=False), atol=1e-5)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_an_lstm_has_as_many_parameters_and_the_same_answer_as_keras(activation):
    cell, random = LstmLayer(6, 8, 1, "cell", activation), np.random.default_rng(2)
    for weight in cell.weights:
        weight.assign(random.normal(0, 0.5, weight.shape))
    layer = keras.layers.LSTM(8, activation)
    layer.build((None, None, 6))
    parts = [np.split(weight.numpy(), 4, axis=-1) for weight in (cell.kernel, cell.recurrent, cell.bias)]
    reordered = [(inputs, forget, candidate, output) for inputs, forget, output, candidate in parts]
    layer.set_weights([np.concatenate(gates, axis=-1) for gates in reordered])
    assert cell.count_params() == layer.count_params()
    words, zeros = random.normal(size=(5, 6)).astype(np.float32), tf.zeros((1, 8))
    outputs, hidden, _memory = cell.run(tf.constant(words), tf.ones(5, tf.int32), 5, zeros, zeros)
    np.testing.assert_allclose(outputs[-1], layer(words[None])[0], atol=1e-5)
    np.testing.assert_array_equal(outputs[-1], hidden[0])


def test_dropout_drops_its_share_and_keeps_the_mean():
    drop = Dropout(tf.constant(5))
    once, again = (drop(tf.ones((200, 100)), 0.4).numpy() for _ in range(2))
    assert set(np.unique(once)) == {np.float32(0), np.float32(1 / 0.6)} and once.mean() == pytest.approx(1, abs=0.02)
    assert (once != again).any()
    channels = drop(tf.ones((6, 9, 50)), 0.5, per_channel=True).numpy()
    assert (channels == channels[:, :1]).all() and 0 < (channels == 0).mean() < 1
