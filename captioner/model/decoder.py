"""The decoder in TensorFlow: an LSTM over the words, with four ways for the photograph to enter it.

Training runs it over whole packed captions (`Decoder.logits`), the self-critical stage also word by word (`Decoder.step`).
Captions for users come from `captioner.captioning.numpy_decoder`.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from captioner.config import DecoderConfig
from captioner.errors import ConfigError
from captioner.model.additive_attention import AdditiveAttention
from captioner.model.blueprint import NORM, block_means, parts
from captioner.model.copying import NEVER, is_slot, mixture, said_slots, table_rows
from captioner.model.layers import Dropout, build, in_order, lay_out
from captioner.vocabulary import PADDING

# Hidden state and cell state of each layer in turn, each (rows, units), and with word slots which were said, (rows, slots).
State = list[tf.Tensor]
Slots = tuple[tf.Tensor, tf.Tensor]  # the two arrays of `WordSlots`

_NUMBERS = tf.TensorSpec((None,), tf.int32)
PACKED_SIGNATURE = (*[_NUMBERS] * 4, tf.TensorSpec((None, None), tf.int32), _NUMBERS)


class Memory(NamedTuple):
    """What a decoder reads of some photographs at every word."""

    grid: tf.Tensor  # with attention by heads, (photographs, heads, regions and slots, depth); or as `_prepare` says
    rows: Any = None  # of the slots' words in the table, (photographs, slots)
    keys: Any = None  # (photographs, slots, image_units)
    biases: Any = None  # (photographs, slots)


class Scores(NamedTuple):
    """From what the next words' probabilities are computed."""

    logits: tf.Tensor  # (words, vocabulary)
    copying: Any  # None without word slots; log-probabilities of copying nothing and of copying each slot, (words, 1 + slots)


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
        """The logits of every next word of packed captions, (words, vocabulary), of a decoder without word slots."""
        return self.scores(features, packed, steps, seed).logits

    def scores(
        self, features: tf.Tensor, packed: tuple, steps: int, seed: tf.Tensor | None = None, slots: Slots | None = None
    ) -> Scores:
        """The scores of every next word of packed captions; a seed turns dropout on.

        If there are more slots than features, the last photographs are empty: their features are zero.
        """
        words, _targets, *packing = packed
        drop = Dropout(seed)
        grid = self._project(features, drop)
        if slots is not None:
            blank = self._project(tf.zeros((1, tf.shape(features)[1], self.channels), features.dtype), Dropout(None))
            grid = tf.concat([grid, tf.repeat(blank, tf.shape(slots[0])[0] - tf.shape(features)[0], axis=0)], axis=0)
        memory = self._prepare(grid, slots)
        state = [tf.gather(part, packing[1]) for part in self._first_state(grid)]
        inputs = drop(tf.gather(self.table, words), self.config.dropout)  # (words, dimensions)
        said = said_slots(memory.rows, words, packing[0], packing[1], steps) if self.config.word_slots else None
        return self._scores(inputs, memory, state, said, packing, steps, drop)[0]

    def start(self, features: tf.Tensor, slots: Slots | None = None) -> tuple[Memory, State]:
        """The photographs as `step` takes them, and the first state, one row per photograph."""
        grid = self._project(features, Dropout(None))
        memory, state = self._prepare(grid, slots), self._first_state(grid)
        return memory, state + ([tf.zeros_like(memory.biases)] if self.config.word_slots else [])

    def step(self, memory: Memory, state: State, words: tf.Tensor, added: Any = 0.0) -> tuple[tf.Tensor, State]:
        """One word further: log-probabilities (rows, vocabulary + slots) and the next state.

        Rows are grouped by photograph, in equal numbers. The last columns are for slots whose word is not in the
        vocabulary; a word chosen there is given back by the column's number. `added` to the vocabulary's scores can rule
        out words; without slots the log-probabilities are then not normalised.
        """
        places = tf.range(tf.size(words))
        layout = tf.reshape(places, (tf.shape(memory.grid)[0], -1))
        packing = (tf.size(words)[None], places // tf.shape(layout)[1], layout, places)
        if not self.config.word_slots:
            scores, state = self._scores(tf.gather(self.table, words), memory, state, None, packing, 1, Dropout(None))
            return tf.nn.log_softmax(scores.logits) + added, state
        rows = tf.gather(memory.rows, packing[1])  # (rows, slots)
        words = table_rows(words, rows, self.vocabulary_size)
        said = tf.maximum(state[-1], is_slot(rows, words))
        scores, state = self._scores(tf.gather(self.table, words), memory, state[:-1], said, packing, 1, Dropout(None))
        return mixture(scores._replace(logits=scores.logits + added), rows), [*state, said]

    def _scores(
        self,
        inputs: tf.Tensor,
        memory: Memory,
        state: State,
        said: tf.Tensor | None,
        packing: Any,
        steps: int,
        drop: Dropout,
    ) -> tuple[Scores, State]:
        """The scores of the next words and the new state; `packing` is the last four arrays of `Packed.arrays`."""
        counts, images, layout, places = packing
        looks = self._looks(memory.grid, images) if self.config.additive else None
        sequence, state = self._read(inputs, counts, steps, state, drop, looks)
        if self.config.attends:
            context = looks.contexts() if looks else self._contexts(sequence, memory, said, layout, places)
            sequence = tf.concat([sequence, drop(context, self.config.later_dropout)], axis=1)
        elif self.config.adds_image:
            sequence = sequence + tf.gather(memory.grid, places // tf.shape(layout)[1])
        if "hidden" in self.parts:
            sequence = drop(self.parts["hidden"](sequence), self.config.later_dropout)
        copying = None if said is None else self._copying(sequence, memory, said, layout, places)
        return Scores(self.parts["words"](sequence), copying), state

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

    def _prepare(self, grid: tf.Tensor, slots: Slots | None = None) -> Memory:
        """A grid as attention takes it: by heads, or keys and values of additive attention, (images, 2, regions, units)."""
        if self.config.additive:
            return Memory(tf.stack([self.parts["keys"](grid), grid], axis=1))
        if slots is None or not self.config.word_slots:
            return Memory(self._heads(grid) if self.config.attends else grid)
        rows, measures = slots
        read = self.parts["slot"](tf.concat([tf.gather(self.table, rows), measures], axis=2))  # (images, slots, image_units)
        biases = self.parts["slot_bias"](read)[:, :, 0] + tf.where(rows == PADDING, NEVER, 0.0)
        return Memory(self._heads(tf.concat([grid, read], axis=1)), rows, self.parts["slot_key"](read), biases)

    def _looks(self, image: tf.Tensor, images: tf.Tensor) -> AdditiveAttention:
        """Additive attention of each row over its photograph."""
        keys, values = tf.gather(image[:, 0], images), tf.gather(image[:, 1], images)
        return AdditiveAttention(keys, values, self.parts["energy"].kernel)

    def _look_before(self, looks: AdditiveAttention) -> Callable[[tf.Tensor], tf.Tensor]:
        """The share of additive attention in the gates of the first layer, from its previous output."""
        return lambda hidden: self.parts["context"](looks(self.parts["query"](hidden)))

    def _contexts(
        self, sequence: tf.Tensor, memory: Memory, said: tf.Tensor | None, layout: tf.Tensor, places: tf.Tensor
    ) -> tf.Tensor:
        """Multi-head attention over regions and word slots: the context of every word, (words, image_units)."""
        query = lay_out(self.parts["query"](sequence), layout, places)  # (images, places, image_units)
        weights = tf.matmul(self._heads(query), memory.grid, transpose_b=True)  # (images, heads, places, regions and slots)
        weights = weights / math.sqrt(self.config.image_units // self.config.heads)
        if said is not None:
            out = NEVER * tf.gather(said, layout) + tf.where(memory.rows == PADDING, NEVER, 0.0)[:, None]
            regions = tf.shape(weights)[3] - tf.shape(out)[2]
            weights = weights + tf.pad(out, [[0, 0], [0, 0], [regions, 0]])[:, None]
        context = tf.transpose(tf.matmul(tf.nn.softmax(weights), memory.grid), (0, 2, 1, 3))  # (images, places, heads, depth)
        return in_order(tf.reshape(context, tf.shape(query)), layout, places)

    def _copying(self, sequence: tf.Tensor, memory: Memory, said: tf.Tensor, layout: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
        """The log-probabilities of copying nothing and of copying each word slot, (words, 1 + word slots)."""
        query = lay_out(self.parts["copy_query"](sequence), layout, places)  # (images, places, image_units)
        scores = tf.matmul(query, memory.keys, transpose_b=True) / math.sqrt(self.config.image_units)
        scores = in_order(scores + memory.biases[:, None], layout, places) + NEVER * said
        return tf.nn.log_softmax(tf.concat([self.parts["copy_gate"](sequence), scores], axis=1))

    def _heads(self, units: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(units)
        split = tf.reshape(units, (shape[0], shape[1], self.config.heads, self.config.image_units // self.config.heads))
        return tf.transpose(split, (0, 2, 1, 3))  # (images, heads, positions, depth)
