"""Word-level cross-entropy, plain and label-smoothed, with a fused gradient."""

from typing import TYPE_CHECKING

import tensorflow as tf

from captioner.vocabulary import PADDING, UNKNOWN

if TYPE_CHECKING:
    from captioner.model.decoder import Scores

NEVER = -1e9  # added to a score, it rules the word or slot out


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
    each, leads = _losses_and_leads(logits, targets)
    plain = tf.reduce_mean(each)
    return plain, plain + smoothing * tf.reduce_mean(leads)


def mixture_losses(
    scores: "Scores", targets: tf.Tensor, rows: tf.Tensor, smoothing: float = 0.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """The cross-entropy of each word, plain and with label smoothing, (words,) each, where words may be copied from slots.

    `targets` (words,) and the slots' words `rows` (words, slots) are rows of the table. Label smoothing concerns the
    vocabulary's part of the mixture.
    """
    vocabulary = scores.logits.shape[1]
    copied = tf.logical_and(rows == targets[:, None], rows != PADDING)
    copied = tf.logical_and(copied, scores.copying[:, 1:] > NEVER / 2)  # A word is copied once.
    # A word outside the vocabulary that a slot holds is copied, not said to be unknown.
    beyond = tf.logical_and(targets >= vocabulary, tf.reduce_any(copied, axis=1))
    each, leads = _losses_and_leads(scores.logits, tf.where(targets < vocabulary, targets, UNKNOWN))
    written = scores.copying[:, 0] - each + tf.where(beyond, NEVER, 0.0)
    parts = tf.concat([written[:, None], tf.where(copied, scores.copying[:, 1:], NEVER)], axis=1)
    mixed = -tf.reduce_logsumexp(parts, axis=1)
    return mixed, (1 - smoothing) * mixed + smoothing * (each + leads)


def _losses_and_leads(logits: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Each word's cross-entropy, and by how much its logit exceeds the mean of all, (words,) each.

    The target of label smoothing is (1 - smoothing) for the word and smoothing / vocabulary for every word, so its
    cross-entropy is the plain one plus smoothing times this lead.
    """

    @tf.custom_gradient
    def losses(logits: tf.Tensor) -> tuple:
        each, slopes = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=logits, labels=targets)
        rows = tf.stack([tf.range(tf.shape(targets)[0]), targets], axis=1)
        leads = tf.gather_nd(logits, rows) - tf.reduce_mean(logits, axis=1)

        def backward(of_each: tf.Tensor, of_leads: tf.Tensor) -> tf.Tensor:
            vocabulary = tf.cast(tf.shape(logits)[1], logits.dtype)
            gradient = slopes * of_each[:, None] - (of_leads / vocabulary)[:, None]
            return tf.tensor_scatter_nd_add(gradient, rows, of_leads)

        return (each, leads), backward

    return losses(logits)
