"""Gradients that are computed another way, against TensorFlow's own."""

import numpy as np
import pytest
import tensorflow as tf

from captioner.model.gradients import into_slots, late_gradient, out_of_slots
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


def test_words_go_into_slots_and_out_again_with_the_gradient_of_plain_lookups(packed):
    words = np.random.default_rng(0).normal(size=(len(packed.words), 3)).astype(np.float32)
    slots, places = packed.slots, packed.places
    ways = {
        "ours": (lambda one: into_slots(one, slots, places), lambda one: out_of_slots(one, slots, places)),
        "plain": (lambda one: tf.gather(one, slots), lambda one: tf.gather(tf.reshape(one, (-1, 3)), places)),
    }
    ours, plain = (gradient(there_and_back(*ways[name]), words) for name in ("ours", "plain"))
    assert slots.size > len(words)  # There are empty slots, which must take no part.
    assert (ours[0] == plain[0]).all()
    np.testing.assert_allclose(ours[1], plain[1], rtol=1e-5)


def test_what_is_not_taken_out_of_a_slot_gets_no_gradient(packed):
    laid = np.random.default_rng(1).normal(size=(*packed.slots.shape, 2)).astype(np.float32)
    ours = gradient(lambda one: out_of_slots(one, packed.slots, packed.places), laid)
    plain = gradient(lambda one: tf.gather(tf.reshape(one, (-1, 2)), packed.places), laid)
    np.testing.assert_array_equal(ours[1], plain[1])
    assert (ours[1] == 0).all(axis=2).sum() == packed.slots.size - len(packed.words)


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
