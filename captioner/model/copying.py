"""Copying from word slots in TensorFlow: which slots were said, and the mixture of vocabulary and slots."""

from typing import TYPE_CHECKING

import tensorflow as tf

from captioner.model.losses import NEVER
from captioner.model.word_slots import MEASURES
from captioner.vocabulary import PADDING

if TYPE_CHECKING:
    from captioner.model.decoder import Decoder, Scores, Slots


def slots_signature(decoder: "Decoder") -> tuple[tf.TensorSpec, tf.TensorSpec]:
    """Of the two arrays of `WordSlots`."""
    count = decoder.config.word_slots
    return tf.TensorSpec((None, count), tf.int32), tf.TensorSpec((None, count, MEASURES), tf.float32)


def slots_of_words(slots: "Slots", packed: tuple) -> tf.Tensor:
    """The words in the slots of each packed word's photograph, (words, slots)."""
    *_, layout, places = packed
    return tf.gather(slots[0], places // tf.shape(layout)[1])


def is_slot(rows: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
    """1 where a slot (words, slots) holds the word (words,) beside it, both by their rows in the table."""
    return tf.cast(tf.logical_and(rows == words[:, None], rows != PADDING), tf.float32)


def said_slots(rows: tf.Tensor, words: tf.Tensor, counts: tf.Tensor, images: tf.Tensor, steps: int) -> tf.Tensor:
    """1 for each slot whose word is among a packed caption's words up to here, (words, slots)."""
    of_captions = tf.gather(rows, images)  # (captions, slots)
    said = tf.zeros(tf.shape(of_captions))
    found = []
    for step, read in enumerate(tf.split(words, counts, num=steps)):
        said = tf.maximum(said[: counts[step]], is_slot(of_captions[: counts[step]], read))
        found.append(said)
    return tf.concat(found, axis=0)


def table_rows(words: tf.Tensor, rows: tf.Tensor, vocabulary: int) -> tf.Tensor:
    """Words (words,) by their rows in the table; a number from `vocabulary` on is one of the word's slots (words, slots)."""
    slots = tf.gather(rows, tf.clip_by_value(words - vocabulary, 0, rows.shape[1] - 1), batch_dims=1)
    return tf.where(words < vocabulary, words, slots)


def mixture(scores: "Scores", rows: tf.Tensor) -> tf.Tensor:
    """Log-probabilities of the vocabulary and of words outside of it in the slots, (words, vocabulary + slots)."""
    vocabulary, slots = scores.logits.shape[1], rows.shape[1]
    stay, copied = scores.copying[:, :1], scores.copying[:, 1:]
    own = tf.range(vocabulary, vocabulary + slots)
    columns = tf.where(tf.logical_or(rows == PADDING, rows >= vocabulary), own, rows)  # no column twice in a row
    known = tf.pad(tf.nn.log_softmax(scores.logits) + stay, [[0, 0], [0, slots]], constant_values=NEVER)
    places = tf.stack([tf.broadcast_to(tf.range(tf.shape(rows)[0])[:, None], tf.shape(rows)), columns], axis=2)
    both = tf.stack([tf.gather_nd(known, places), copied])
    return tf.tensor_scatter_nd_update(known, places, tf.reduce_logsumexp(both, axis=0))
