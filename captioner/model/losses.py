"""Word-level cross-entropy, plain and label-smoothed, with a fused gradient."""

import tensorflow as tf


def cross_entropy(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of each word in nats, (words,).

    With repeatable results on, TensorFlow's own function uses a slower operation; this one repeats on a CPU, where all
    training runs.
    """
    return tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=logits, labels=targets)[0]


def word_losses(logits: tf.Tensor, targets: tf.Tensor, smoothing: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean cross-entropy per word, plain and with label smoothing (a share of the target spread over all words)."""
    if smoothing == 0:
        plain = tf.reduce_mean(cross_entropy(logits, targets))
        return plain, plain
    return _smoothed(logits, targets, smoothing)


def _smoothed(logits: tf.Tensor, targets: tf.Tensor, smoothing: float) -> tuple[tf.Tensor, tf.Tensor]:
    @tf.custom_gradient
    def losses(logits: tf.Tensor) -> tuple:
        each, slopes = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=logits, labels=targets)
        rows = tf.stack([tf.range(tf.shape(targets)[0]), targets], axis=1)
        plain = tf.reduce_mean(each)
        # The target is (1 - smoothing) for the word and smoothing / vocabulary for every word.
        smoothed = plain + smoothing * tf.reduce_mean(tf.gather_nd(logits, rows) - tf.reduce_mean(logits, axis=1))

        def backward(of_plain: tf.Tensor, of_smoothed: tf.Tensor) -> tf.Tensor:
            words, vocabulary = (tf.cast(size, logits.dtype) for size in tf.unstack(tf.shape(logits)))
            spread = of_smoothed * smoothing / words
            gradient = slopes * ((of_plain + of_smoothed) / words) - spread / vocabulary
            return tf.tensor_scatter_nd_add(gradient, rows, tf.fill(tf.shape(targets), spread))

        return (plain, smoothed), backward

    return losses(logits)
