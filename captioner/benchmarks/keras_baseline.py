"""The popular Keras recipe to train and run a caption decoder: the baseline of both benchmarks.

Every prefix of every caption is a padded row of its own with a one-hot target; a caption is made by `model.predict` over
the whole padded prefix, once per word. The weights are copied from our decoder, so losses and captions must be the same.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from captioner.config import NORM_EPSILON
from captioner.errors import ConfigError
from captioner.model.blueprint import NORM
from captioner.model.decoder import Decoder
from captioner.model.layers import LstmLayer, Normalisation
from captioner.model.losses import word_losses
from captioner.training.batches import Examples
from captioner.vocabulary import END, PADDING, START, UNKNOWN

_COMPARED = 8  # photographs for the losses

Caption = Sequence[int]


class Row(NamedTuple):
    """A photograph's number, the words so far, and the word that should come next."""

    image: int
    prefix: list[int]
    target: int


def prefix_rows(captions: Sequence[Sequence[Caption]]) -> Iterator[Row]:
    """Every prefix of every caption of every photograph, one after the other."""
    for image, group in enumerate(captions):
        for caption in group:
            words = [START, *caption, END]
            for place in range(1, len(words)):
                yield Row(image, words[:place], words[place])


class Recipe:
    """A decoder's weights in an ordinary functional model: features and a padded prefix in, the next word's probability out."""

    def __init__(self, decoder: Decoder, regions: int, length: int):
        self.length, self.vocabulary_size = length, decoder.vocabulary_size
        self.model = _model(decoder, regions, length)

    def compile(self) -> None:
        self.model.compile(optimizer="adam", loss="categorical_crossentropy")

    def batch(self, rows: Sequence[Row], features: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """The inputs and the one-hot targets of some rows; `features` has one row per photograph."""
        prefixes = keras.utils.pad_sequences([row.prefix for row in rows], self.length)
        targets = keras.utils.to_categorical([row.target for row in rows], self.vocabulary_size)
        return [features[[row.image for row in rows]], prefixes], targets

    def train(self, rows: Sequence[Row], features: np.ndarray) -> None:
        self.model.train_on_batch(*self.batch(rows, features))

    def loss(self, rows: Sequence[Row], features: np.ndarray) -> float:
        """Mean loss per row without dropout."""
        return float(self.model.test_on_batch(*self.batch(rows, features)))

    def caption(self, features: np.ndarray, maximum_words: int) -> tuple[int, ...]:
        """The greedy caption of one photograph's features (regions, channels)."""
        words = [START]
        while len(words) <= maximum_words:
            prefix = keras.utils.pad_sequences([words], self.length)
            probabilities = self.model.predict([features[None], prefix], verbose=0)[0]
            probabilities[[PADDING, START, UNKNOWN]] = 0
            words.append(int(probabilities.argmax()))
            if words[-1] == END:
                break
        return tuple(word for word in words if word not in (START, END))


class RecipeTraining:
    """The recipe on some photographs, with the weights that a decoder of ours has now; their mean features are kept ready."""

    def __init__(self, examples: Examples, decoder: Decoder):
        features = examples.cache.rows(examples.records)
        self.features = features.mean(axis=1, dtype=np.float32, keepdims=True)  # (images, 1, channels)
        self.rows = list(prefix_rows(examples.captions))
        self.recipe = Recipe(decoder, 1, max(len(row.prefix) for row in self.rows))
        self.recipe.compile()
        self.loss_difference = self._compare(examples, decoder)
        self._next = 0

    def train(self, size: int) -> int:
        """One batch of rows in their order, from the start again where too few are left; returns how many."""
        if self._next + size > len(self.rows):
            self._next = 0
        rows = self.rows[self._next : self._next + size]
        self._next += len(rows)
        self.recipe.train(rows, self.features)
        return len(rows)

    def _compare(self, examples: Examples, decoder: Decoder) -> float:
        """What our loss per word and the recipe's differ by, on some photographs and without dropout."""
        few = range(min(_COMPARED, len(examples.records)))
        features, _, packed = examples.batch(few)
        logits = decoder.logits(tf.cast(features, tf.float32), packed.arrays(), len(packed.counts))
        ours = float(word_losses(logits, packed.targets, 0.0)[0])
        return abs(ours - self.recipe.loss(self.rows[: len(packed.targets)], self.features))


def _model(decoder: Decoder, regions: int, length: int) -> keras.Model:
    if decoder.config.additive:
        raise ConfigError("The popular recipe attends after its LSTM; take decoders without additive attention.")
    config, parts, layers = decoder.config, decoder.parts, keras.layers
    features = keras.Input((regions, decoder.channels))
    prefix = keras.Input((length,), dtype="int32")
    image = _image(decoder, features)
    embedding = _embedding(decoder)
    sequence = layers.Dropout(config.dropout)(embedding(prefix))
    output = _run_layers(decoder, sequence, embedding.compute_mask(prefix), image)
    if config.attends:
        context = _attend(_dense(parts["query"])(output), image, config.heads)
        output = layers.Concatenate()([output, layers.Dropout(config.later_dropout)(context)])
    elif config.adds_image:
        output = layers.Add()([output, image])
    if "hidden" in parts:
        output = layers.Dropout(config.later_dropout)(_dense(parts["hidden"])(output))
    return keras.Model([features, prefix], layers.Softmax()(_dense(parts["words"])(output)))


def _image(decoder: Decoder, features: tf.Tensor) -> tf.Tensor:
    """The photograph as the decoder takes it: each region, their mean, or blocks of them end to end, projected."""
    config, layers = decoder.config, keras.layers
    if decoder.blocks is not None:
        seen = layers.Dropout(config.feature_dropout)(layers.Flatten()(keras.ops.matmul(decoder.blocks, features)))
    else:
        seen = layers.SpatialDropout1D(config.feature_dropout)(features)
        seen = seen if config.attends else layers.GlobalAveragePooling1D()(seen)
    image = _dense(decoder.parts["image"])(seen)
    return _normalisation(decoder.parts[NORM])(image) if NORM in decoder.parts else image


def _normalisation(source: Normalisation) -> keras.layers.BatchNormalization:
    copy = keras.layers.BatchNormalization(momentum=source.MOMENTUM, epsilon=NORM_EPSILON)
    copy.build((None, source.scale.shape[0]))
    copy.set_weights(source.get_weights())
    return copy


def _run_layers(decoder: Decoder, sequence: tf.Tensor, mask: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """The LSTM layers over the words, each with its first state; the output at the last word, (rows, units)."""
    dropout = keras.layers.Dropout(decoder.config.later_dropout)
    pooled = keras.layers.GlobalAveragePooling1D()(image) if decoder.config.attends else image
    starts = [_dense(start)(pooled) for name, start in decoder.parts.items() if name.startswith("start_")]
    image_word = keras.ops.expand_dims(image, 1) if decoder.config.image_is_word else None
    for number in range(decoder.config.layers):
        layer = _lstm(decoder.parts[f"lstm{number}"], decoder.config.activation)
        state = starts[2 * number : 2 * number + 2] or None
        if image_word is not None:
            image_word, *state = layer(image_word)
        # Keras hands a mask on by itself only to a layer that is given no first state.
        sequence, last, _memory = layer(sequence, initial_state=state, mask=mask)
        sequence = dropout(sequence)
    return dropout(last)


def _attend(query: tf.Tensor, grid: tf.Tensor, heads: int) -> tf.Tensor:
    """Attention of one query (rows, units) over a grid (rows, regions, units)."""
    regions, units = grid.shape[1:]
    query = keras.ops.reshape(query, (-1, heads, units // heads))
    keys = keras.ops.reshape(grid, (-1, regions, heads, units // heads))
    weights = keras.ops.softmax(keras.ops.einsum("bhd,brhd->bhr", query, keys) / math.sqrt(units // heads))
    return keras.ops.reshape(keras.ops.einsum("bhr,brhd->bhd", weights, keys), (-1, units))


def _dense(source: keras.layers.Dense) -> keras.layers.Dense:
    copy = keras.layers.Dense(source.units, source.activation)
    copy.build((None, source.kernel.shape[0]))
    copy.set_weights(source.get_weights())
    return copy


def _embedding(decoder: Decoder) -> keras.layers.Embedding:
    copy = keras.layers.Embedding(*decoder.table.shape, mask_zero=True, trainable=not decoder.frozen)
    copy.build()
    copy.set_weights([decoder.table.numpy()])
    return copy


def _lstm(cell: LstmLayer, activation: str) -> keras.layers.LSTM:
    """Keras has the gates in the order input, forget, candidate, output; ours have the candidate last."""
    copy = keras.layers.LSTM(cell.units, activation, return_sequences=True, return_state=True)
    copy.build((None, None, cell.kernel.shape[0]))
    parts = [np.split(weight.numpy(), 4, axis=-1) for weight in (cell.kernel, cell.recurrent, cell.bias)]
    reordered = [(inputs, forget, candidate, output) for inputs, forget, output, candidate in parts]
    copy.set_weights([np.concatenate(gates, axis=-1) for gates in reordered])
    return copy
