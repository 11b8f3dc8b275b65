"""The decoder in TensorFlow: an LSTM over the words, with four ways for the photograph to enter it.

Training runs it over whole packed captions (`Decoder.logits`), the self-critical stage also word by word (`Decoder.step`).
Captions for users come from `captioner.captioning.numpy_decoder`.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from captioner.config import DecoderConfig
from captioner.errors import ConfigError
from captioner.model.additive_attention import AdditiveAttention
from captioner.model.blueprint import NORM, block_means, parts
from captioner.model.layers import Dropout, build, into_slots, out_of_slots

State = list[tf.Tensor]  # hidden state and cell state of each layer in turn, each (rows, units)

_NUMBERS = tf.TensorSpec((None,), tf.int32)
PACKED_SIGNATURE = (*[_NUMBERS] * 4, tf.TensorSpec((None, None), tf.int32), _NUMBERS)


class Decoder(keras.Model):
    """A caption decoder; `config` holds every switch in which recipes differ."""

    def __init__(
        self,
        config: DecoderConfig,
        vectors: np.ndarray,
        channels: int,
        frozen: bool,
        seed: int = 0,
        regions: int = 0,
        words: int | None = None,
    ):
        """`regions` matters only for pooling to blocks. `words`: output size, if smaller than the word table."""
        super().__init__(name="decoder")
        self.config, self.channels, self.frozen = config, channels, frozen
        self.vocabulary_size = words or len(vectors)
        blueprint = parts(config, channels, self.vocabulary_size)
        self.blocks = block_means(config, regions)
        if vectors.shape[1] != config.embedding_dimensions:
            raise ConfigError(
                f"The word vectors have {vectors.shape[1]} dimensions, but the decoder is set to {config.embedding_dimensions}."
            )
        self.table = self.add_weight(
            name="table",
            shape=vectors.shape,
            initializer=lambda shape, dtype=None: tf.constant(vectors, dtype),
            trainable=not frozen,
        )
        seeds = iter(range(seed * 1000, seed * 1000 + 1000))
        self.parts = {name: build(name, part, seeds) for name, part in blueprint.items()}
        self.built = True

    @property
    def statistics(self) -> list[Any]:
        """The running mean and variance of batch normalisation."""
        return [self.parts[NORM].mean, self.parts[NORM].variance] if NORM in self.parts else []

    def put(self, weights: Mapping[str, np.ndarray]) -> None:
        """Assign all weights but the word table, by name."""
        for variable in self.weights:
            if variable is not self.table:
                variable.assign(weights[variable.path])

    def logits(self, features: tf.Tensor, packed: tuple, steps: int, seed: tf.Tensor | None = None) -> tf.Tensor:
        """The logits of every next word of packed captions, (words, vocabulary); a seed turns dropout on."""
        words, _targets, *layout = packed
        drop = Dropout(seed)
        grid = self._project(features, drop)
        state = [tf.gather(part, layout[1]) for part in self._first_state(grid)]
        inputs = drop(tf.gather(self.table, words), self.config.dropout)  # (words, dimensions)
        return self._scores(inputs, self._prepare(grid), state, layout, steps, drop)[0]

    def start(self, features: tf.Tensor) -> tuple[tf.Tensor, State]:
        """The photographs as `step` takes them, and the first state, one row per photograph."""
        grid = self._project(features, Dropout(None))
        return self._prepare(grid), self._first_state(grid)

    def step(self, image: tf.Tensor, state: State, words: tf.Tensor) -> tuple[tf.Tensor, State]:
        """One word further: log-probabilities (rows, vocabulary) and the next state.

        Rows are grouped by photograph, in equal numbers.
        """
        places = tf.range(tf.size(words))
        slots = tf.reshape(places, (tf.shape(image)[0], -1))
        layout = (tf.size(words)[None], places // tf.shape(slots)[1], slots, places)
        scores, state = self._scores(tf.gather(self.table, words), image, state, layout, 1, Dropout(None))
        return tf.nn.log_softmax(scores), state

    def _scores(
        self, inputs: tf.Tensor, image: tf.Tensor, state: State, layout: Any, steps: int, drop: Dropout
    ) -> tuple[tf.Tensor, State]:
        """The logits of the next words and the new state; `layout` is the last four arrays of `Packed.arrays`."""
        counts, images, slots, places = layout
        looks = self._looks(image, images) if self.config.additive else None
        sequence, state = self._read(inputs, counts, steps, state, drop, looks)
        if self.config.attends:
            context = looks.contexts() if looks else self._contexts(sequence, image, slots, places)
            sequence = tf.concat([sequence, drop(context, self.config.later_dropout)], axis=1)
        elif self.config.adds_image:
            sequence = sequence + tf.gather(image, places // tf.shape(slots)[1])
        if "hidden" in self.parts:
            sequence = drop(self.parts["hidden"](sequence), self.config.later_dropout)
        return self.parts["words"](sequence), state

    def _project(self, features: tf.Tensor, drop: Dropout) -> tf.Tensor:
        # A channel is dropped for a whole photograph, so it makes no difference that the mean over its regions comes first.
        grid = self.parts["image"](drop(self._pool(features), self.config.feature_dropout, per_channel=True))
        return self.parts[NORM].normalise(grid, training=drop.seed is not None) if NORM in self.parts else grid

    def _pool(self, features: tf.Tensor) -> tf.Tensor:
        """All regions (images, regions, channels) for attention, else their mean or the concatenated means of blocks."""
        if self.config.attends:
            return features
        if self.blocks is None:
            return tf.reduce_mean(features, axis=1)
        return tf.reshape(tf.matmul(self.blocks, features), (tf.shape(features)[0], self.parts["image"].kernel.shape[0]))

    def _first_state(self, grid: tf.Tensor) -> State:
        starts = [layer for name, layer in self.parts.items() if name.startswith("start_")]
        if starts:
            pooled = tf.reduce_mean(grid, axis=1) if self.config.attends else grid
            return [layer(pooled) for layer in starts]
        photographs = tf.shape(grid)[0]
        state = [tf.zeros((photographs, self.config.units))] * (2 * self.config.layers)
        return self._read(grid, photographs[None], 1, state, Dropout(None))[1] if self.config.image_is_word else state

    def _read(
        self,
        sequence: tf.Tensor,
        counts: tf.Tensor,
        steps: int,
        state: State,
        drop: Dropout,
        looks: AdditiveAttention | None = None,
    ) -> tuple[tf.Tensor, State]:
        """Packed words (words, dimensions) through all LSTM layers: the last one's output (words, units), and the state."""
        after: State = []
        for number in range(self.config.layers):
            look = self._look_before(looks) if looks and number == 0 else None
            cell, before = self.parts[f"lstm{number}"], state[2 * number : 2 * number + 2]
            sequence, *last = cell.run(sequence, counts, steps, *before, look)
            sequence = drop(sequence, self.config.later_dropout)
            after += last
        return sequence, after

    def _prepare(self, grid: tf.Tensor) -> tf.Tensor:
        """A grid as attention takes it: by heads, or keys and values of additive attention, (images, 2, regions, units)."""
        if self.config.additive:
            return tf.stack([self.parts["keys"](grid), grid], axis=1)
        return self._heads(grid) if self.config.attends else grid

    def _looks(self, image: tf.Tensor, images: tf.Tensor) -> AdditiveAttention:
        """Additive attention of each row over its photograph."""
        keys, values = tf.gather(image[:, 0], images), tf.gather(image[:, 1], images)
        return AdditiveAttention(keys, values, self.parts["energy"].kernel)

    def _look_before(self, looks: AdditiveAttention) -> Callable[[tf.Tensor], tf.Tensor]:
        """The share of additive attention in the gates of the first layer, from its previous output."""
        return lambda hidden: self.parts["context"](looks(self.parts["query"](hidden)))

    def _contexts(self, sequence: tf.Tensor, grid: tf.Tensor, slots: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
        """Multi-head attention over grids (images, heads, regions, depth): the context of every word, (words, image_units)."""
        query = into_slots(self.parts["query"](sequence), slots, places)  # (images, slots, image_units)
        weights = tf.matmul(self._heads(query), grid, transpose_b=True)  # (images, heads, slots, regions)
        weights = tf.nn.softmax(weights / math.sqrt(self.config.image_units // self.config.heads))
        context = tf.transpose(tf.matmul(weights, grid), (0, 2, 1, 3))  # (images, slots, heads, depth)
        return out_of_slots(tf.reshape(context, tf.shape(query)), slots, places)

    def _heads(self, units: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(units)
        split = tf.reshape(units, (shape[0], shape[1], self.config.heads, self.config.image_units // self.config.heads))
        return tf.transpose(split, (0, 2, 1, 3))  # (images, heads, positions, depth)
