"""Distillation, the second target of fine-tuning: the original encoder's class probabilities of the same pictures."""

import numpy as np
import tensorflow as tf

from captioner.vision.encoder import Encoder


class Distillation:
    """The original encoder, and the classifier that the fine-tuned network shares with it, which stays as it is."""

    def __init__(self, original: Encoder, classifier: tuple[np.ndarray, np.ndarray], weight: float):
        self.original, self.weight = original, weight
        self.kernel, self.bias = map(tf.constant, classifier)  # (channels, classes), (classes,)

    def targets(self, pictures: np.ndarray) -> np.ndarray:
        """The original's probabilities, (pictures, classes)."""
        return self.original.see(pictures).classes

    def loss(self, features: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """The mean Kullback-Leibler divergence of the classes of these features from the targets, times the weight."""
        found = tf.nn.log_softmax(tf.matmul(tf.reduce_mean(features, axis=1), self.kernel) + self.bias)
        divergences = tf.reduce_sum(tf.math.xlogy(targets, targets) - targets * found, axis=1)  # (pictures,)
        return self.weight * tf.reduce_mean(divergences)
