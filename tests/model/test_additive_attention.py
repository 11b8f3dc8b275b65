"""Additive attention against Keras's layer, and its gradient against steps over all captions."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from captioner.model.additive_attention import AdditiveAttention

CAPTIONS, REGIONS, UNITS = 6, 81, 32


@pytest.fixture
def sources():
    """Keys, values, the weights that compare them, and queries of three steps, of which the captions end one by one."""
    random = np.random.default_rng(4)
    keys, values = random.normal(size=(2, CAPTIONS, REGIONS, UNITS)).astype(np.float32)
    queries = [random.normal(size=(rows, UNITS)).astype(np.float32) for rows in (6, 4, 1)]
    return keys, values, random.normal(size=(UNITS, 1)).astype(np.float32), *queries


def looked(keys, values, energy, *queries):
    looks = AdditiveAttention(keys, values, energy)
    contexts = [looks(query) for query in queries]
    np.testing.assert_array_equal(looks.contexts(), np.concatenate(contexts))
    return contexts


def test_it_is_that_of_keras(sources):
    keys, values, energy, *queries = sources
    layer = keras.layers.AdditiveAttention()
    layer.build([(None, None, UNITS)] * 3)
    layer.set_weights([energy[:, 0]])
    for query, found in zip(queries, looked(*sources), strict=True):
        rows = len(query)
        np.testing.assert_allclose(found, layer([query[:, None], values[:rows], keys[:rows]])[:, 0], atol=1e-5)


def test_single_weights_are_right_for_a_column_that_is_repeated(sources):
    """Where TensorFlow repeats a matrix of one column along several dimensions, its own product has been wrong."""
    keys, values, energy, query, *_ = sources
    fits = np.tanh(keys + query[:, None]).astype(np.float64) @ energy[:, 0]
    weights = np.exp(fits) / np.exp(fits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(looked(keys, values, energy, query)[0], (weights[:, None] @ values)[:, 0], atol=1e-5)


def test_its_gradient_is_that_of_plain_slices(sources):
    def plain(keys, values, energy, *queries):
        for query in queries:
            fits = tf.tensordot(tf.tanh(keys[: len(query)] + query[:, None]), energy, 1)
            yield tf.reduce_sum(tf.nn.softmax(fits, axis=1) * values[: len(query)], axis=1)

    found = []
    for contexts in (looked, plain):
        given = [tf.constant(source) for source in sources]
        with tf.GradientTape() as tape:
            tape.watch(given)
            loss = tf.add_n([tf.reduce_sum(tf.sin(context)) for context in contexts(*given)])
        found.append(tape.gradient(loss, given))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
