"""The loss of distillation and its gradient, by hand."""

import numpy as np
import pytest
import tensorflow as tf

from captioner.training.distillation import Distillation
from captioner.vision.encoder import Seen
from support.plain_classes import divergences, probabilities

pytestmark = pytest.mark.slow

REGIONS, CHANNELS, CLASSES, WEIGHT = 4, 3, 5, 2.5


def test_loss_and_gradient(tensorflow):
    """The second picture's target is one class alone."""
    random = np.random.default_rng(1)
    features, kernel, bias = (
        random.normal(size=size).astype(np.float32) for size in ((2, REGIONS, CHANNELS), (CHANNELS, CLASSES), CLASSES)
    )
    targets = np.array([[0.1, 0.2, 0.3, 0.4, 0], [0, 1, 0, 0, 0]], np.float32)
    one = Distillation(None, (kernel, bias), WEIGHT)
    given = tf.constant(features)
    with tf.GradientTape() as tape:
        tape.watch(given)
        loss = one.loss(given, targets)

    found = probabilities(features, (kernel, bias))
    assert float(loss) == pytest.approx(WEIGHT * np.mean(divergences(targets, found)), rel=1e-5)
    expected = WEIGHT / 2 * (found - targets) @ kernel.T / REGIONS  # the same for every region
    np.testing.assert_allclose(tape.gradient(loss, given), np.repeat(expected[:, None], REGIONS, axis=1), atol=1e-6)
    assert float(one.loss(given, found.astype(np.float32))) == pytest.approx(0, abs=1e-6)


def test_targets_are_the_classes_of_the_original(tensorflow):
    class Original:
        def see(self, pictures):
            return Seen(None, pictures / 2, None)

    one = Distillation(Original(), (np.ones((1, 1), np.float32), np.ones(1, np.float32)), WEIGHT)
    assert one.targets(np.array([[0.2, 0.8]])).tolist() == [[0.1, 0.4]]
