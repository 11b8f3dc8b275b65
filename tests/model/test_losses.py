"""Losses and their gradients, against NumPy and against TensorFlow's own derivative of the written-out formula."""

import numpy as np
import pytest
import tensorflow as tf

from captioner.model.losses import cross_entropy, word_losses


@pytest.fixture
def scores():
    random = np.random.default_rng(3)
    return random.normal(0, 3, (7, 11)).astype(np.float32), random.integers(11, size=7).astype(np.int32)


def plainly(logits, targets, smoothing):
    """Both losses from target distributions that are written out."""
    wanted = tf.one_hot(targets, logits.shape[1])
    shares = (wanted, wanted * (1 - smoothing) + smoothing / 11)
    return tuple(tf.reduce_mean(-tf.reduce_sum(share * tf.nn.log_softmax(logits), axis=1)) for share in shares)


def test_a_surprise_is_the_negative_logarithm_of_the_probability(scores):
    logits, targets = scores
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert cross_entropy(logits, targets).numpy() == pytest.approx(-np.log(probabilities[np.arange(7), targets]), rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("weights", [(0.0, 1.0), (2.0, 0.0), (0.5, -1.5)])
def test_losses_and_gradients_are_those_of_the_written_out_formula(scores, smoothing, weights):
    logits, targets = tf.constant(scores[0]), tf.constant(scores[1])
    found = []
    for losses in (word_losses, plainly):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            both = losses(logits, targets, smoothing)
            total = weights[0] * both[0] + weights[1] * both[1]
        found.append((*(float(one) for one in both), tape.gradient(total, logits).numpy()))
    assert found[0][:2] == pytest.approx(found[1][:2], rel=1e-5)
    np.testing.assert_allclose(found[0][2], found[1][2], atol=1e-6)
