"""One builder for every decoder: an LSTM over the words, and four ways for the photograph to enter it.

The same weights are reached in two ways: `Decoder.logits` runs over whole packed captions (training, evaluation of losses),
`Decoder.start` and `Decoder.step` go word by word (search). Losses, loops and files are left to others.
"""

import math
from typing import Any, get_args

import keras
import numpy as np
import tensorflow as tf

from captioner.config import DecoderConfig, ImageEntry
from captioner.errors import ConfigError
from captioner.gradients import into_slots, late_gradient, out_of_slots

LARGEST_SIZE = 8192  # Far beyond any use; it keeps a settings file from asking for all memory.

State = tuple[tf.Tensor, ...]  # h and c of each layer in turn, each (rows, units)

PACKED_SIGNATURE = (
    tf.TensorSpec((None,), tf.int32),
    tf.TensorSpec((None,), tf.int32),
    tf.TensorSpec((None,), tf.int32),
    tf.TensorSpec((None,), tf.int32),
    tf.TensorSpec((None, None), tf.int32),
    tf.TensorSpec((None,), tf.int32),
)


class Decoder(keras.Model):
    """A caption decoder; `config.image_entry` is the switch, everything else is the same code."""

    def __init__(self, config: DecoderConfig, vectors: np.ndarray, channels: int, frozen: bool, seed: int = 0):
        super().__init__(name="decoder")
        check(config)
        self.config, self.channels, self.frozen = config, channels, frozen
        self.vocabulary_size = len(vectors)
        if vectors.shape[1] != config.embedding_dimensions:
            raise ConfigError(
                f"The word vectors have {vectors.shape[1]} dimensions, but the decoder is set to {config.embedding_dimensions}."
            )
        self._seeds = iter(range(seed * 1000, seed * 1000 + 1000))
        self.table = self.add_weight(
            name="table",
            shape=vectors.shape,
            initializer=lambda shape, dtype=None: tf.constant(vectors, dtype),
            trainable=not frozen,
        )
        self._build_image()
        self._build_layers()
        self._build_head()
        self.built = True

    def _build_image(self) -> None:
        config = self.config
        width = config.embedding_dimensions if config.image_entry == "pre" else config.image_units
        self.image = self._dense(self.channels, width, "image", "relu" if config.image_entry != "pre" else None)
        self.starts = []
        if config.image_entry in ("attention", "init"):
            names = [f"start_{part}{layer}" for layer in range(config.layers) for part in "hc"]
            self.starts = [self._dense(config.image_units, config.units, name, "tanh") for name in names]

    def _build_layers(self) -> None:
        width, self.cells = self.config.embedding_dimensions, []
        for layer in range(self.config.layers):
            self.cells.append(_Cell(width, self.config.units, next(self._seeds), f"lstm{layer}"))
            width = self.config.units

    def _build_head(self) -> None:
        config, width = self.config, self.config.units
        if config.image_entry == "attention":
            self.query = self._dense(config.units, config.image_units, "query")
            width = config.units + config.image_units
        self.hidden = self._dense(width, config.hidden_units, "hidden", "relu") if config.hidden_units else None
        self.output_words = self._dense(config.hidden_units or width, self.vocabulary_size, "words")

    def _dense(self, inputs: int, units: int, name: str, activation: str | None = None) -> Any:
        initializer = keras.initializers.GlorotUniform(seed=next(self._seeds))
        layer = keras.layers.Dense(units, activation, name=name, kernel_initializer=initializer)
        layer.build((None, inputs))
        return layer

    # Whole captions -----------------------------------------------------------------------------------------------

    def logits(self, features: tf.Tensor, packed: tuple, steps: int, seed: tf.Tensor | None = None) -> tf.Tensor:
        """The scores of every next word, (words, vocabulary); with a seed dropout is on, without it is off."""
        words, _targets, counts, images, slots, places = packed
        drop = _Dropout(seed)
        # A channel is dropped for a whole photograph, so it makes no difference that the mean over its regions comes first.
        grid = self.image(drop(self._regions(features), self.config.feature_dropout, per_channel=True))
        state = [tf.gather(part, images) for part in self._first_state(grid)]
        sequence = drop(tf.gather(self.table, words), self.config.dropout)  # (words, dimensions)
        if self.config.image_entry == "pre":
            state = self._take_image_as_word(tf.gather(grid, images), state)
        for number, cell in enumerate(self.cells):
            sequence = cell.run(sequence, counts, steps, state[2 * number], state[2 * number + 1])
            sequence = drop(sequence, self.config.dropout)  # (words, units)
        if self.config.image_entry == "attention":
            query = into_slots(self.query(sequence), slots, places)  # (images, slots, units)
            context, _ = self._attend(query, self._heads(grid))
            context = out_of_slots(context, slots, places)
            sequence = tf.concat([sequence, drop(context, self.config.dropout)], axis=1)
        elif self.config.image_entry == "merge":
            word_images = places // tf.shape(slots)[1]
            sequence = sequence + tf.gather(grid, word_images)
        return self._head(sequence, drop)

    # Word by word -------------------------------------------------------------------------------------------------

    def start(self, features: tf.Tensor) -> tuple[tf.Tensor, State]:
        """What search needs of each photograph, and the first state, one row per photograph.

        The first is its projected features; for attention they are split into heads already, as every step needs them.
        """
        grid = self.image(self._regions(features))
        state = self._first_state(grid)
        if self.config.image_entry == "attention":
            grid = self._heads(grid)
        if self.config.image_entry == "pre":
            state = self._take_image_as_word(grid, state)
        return grid, tuple(state)

    def gates_of_words(self) -> tf.Tensor:
        """What each word adds to the first layer's gates, (vocabulary, 4 * units): made once, looked up at every step."""
        return self.cells[0].project(self.table)

    def step(self, grid: tf.Tensor, state: State, gates: tf.Tensor) -> tuple[tf.Tensor, State, tf.Tensor | None]:
        """One word further: log-probabilities (rows, vocabulary), the next state, and attention (rows, regions) or None.

        The rows belong to the photographs of `grid` in turn, equally many to each; `gates` is the words' row of `gates_of_words`.
        """
        next_state, sequence, attention = [], None, None
        for number, cell in enumerate(self.cells):
            projected = gates if sequence is None else cell.project(sequence)
            sequence, memory = cell.step(projected, state[2 * number], state[2 * number + 1])
            next_state += [sequence, memory]
        if self.config.image_entry == "attention":
            context, attention = self._attend_rows(self.query(sequence), grid)
            sequence = tf.concat([sequence, context], axis=1)
        elif self.config.image_entry == "merge":
            sequence = sequence + tf.repeat(grid, tf.shape(sequence)[0] // tf.shape(grid)[0], axis=0)
        return tf.nn.log_softmax(self._head(sequence, _Dropout(None))), tuple(next_state), attention

    # Parts both ways share ----------------------------------------------------------------------------------------

    def _regions(self, features: tf.Tensor) -> tf.Tensor:
        """What is looked at: every region (images, regions, channels) for attention, their mean for the other ways."""
        return features if self.config.image_entry == "attention" else tf.reduce_mean(features, axis=1)

    def _first_state(self, grid: tf.Tensor) -> list[tf.Tensor]:
        if not self.starts:
            return [tf.zeros((tf.shape(grid)[0], self.config.units))] * (2 * self.config.layers)
        pooled = tf.reduce_mean(grid, axis=1) if self.config.image_entry == "attention" else grid
        return [dense(pooled) for dense in self.starts]

    def _take_image_as_word(self, image: tf.Tensor, state: list[tf.Tensor]) -> list[tf.Tensor]:
        sequence, after = image, []
        for number, cell in enumerate(self.cells):
            sequence, memory = cell.step(cell.project(sequence), state[2 * number], state[2 * number + 1])
            after += [sequence, memory]
        return after

    def _attend(self, query: tf.Tensor, grid: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Multi-head attention: query (images, slots, units) over grid (images, heads, regions, depth), and its weights."""
        weights = tf.matmul(self._heads(query), grid, transpose_b=True)  # (images, heads, slots, regions)
        weights = tf.nn.softmax(weights / math.sqrt(self.config.image_units // self.config.heads))
        context = tf.transpose(tf.matmul(weights, grid), (0, 2, 1, 3))  # (images, slots, heads, depth)
        return tf.reshape(context, tf.shape(query)), tf.reduce_mean(weights, axis=1)

    def _attend_rows(self, query: tf.Tensor, grid: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Attention of single words, equally many rows to each photograph of the grid."""
        width, regions = self.config.image_units, tf.shape(grid)[2]
        context, weights = self._attend(tf.reshape(query, (tf.shape(grid)[0], -1, width)), grid)
        return tf.reshape(context, (-1, width)), tf.reshape(weights, (-1, regions))

    def _heads(self, units: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(units)
        split = tf.reshape(units, (shape[0], shape[1], self.config.heads, self.config.image_units // self.config.heads))
        return tf.transpose(split, (0, 2, 1, 3))  # (images, heads, positions, depth)

    def _head(self, sequence: tf.Tensor, drop: "_Dropout") -> tf.Tensor:
        if self.hidden is not None:
            sequence = drop(self.hidden(sequence), self.config.dropout)
        return self.output_words(sequence)


class _Cell(keras.layers.Layer):
    """An LSTM layer whose input is projected for all words at once; gates in the order input, forget, output, candidate."""

    def __init__(self, inputs: int, units: int, seed: int, name: str):
        super().__init__(name=name)
        glorot, orthogonal = keras.initializers.GlorotUniform(seed=seed), keras.initializers.Orthogonal(seed=seed)
        self.units = units
        self.kernel = self.add_weight(name="kernel", shape=(inputs, 4 * units), initializer=glorot)
        self.recurrent = self.add_weight(name="recurrent_kernel", shape=(units, 4 * units), initializer=orthogonal)
        self.bias = self.add_weight(name="bias", shape=(4 * units,), initializer=self._forget_nothing_at_first)
        self.built = True

    def _forget_nothing_at_first(self, shape: tuple, dtype: Any = None) -> tf.Tensor:
        return tf.repeat(tf.constant([0.0, 1.0, 0.0, 0.0], dtype), self.units)

    def project(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.matmul(inputs, self.kernel) + self.bias

    def step(
        self, projected: tf.Tensor, hidden: tf.Tensor, memory: tf.Tensor, recurrent: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        gates = projected + tf.matmul(hidden, self.recurrent if recurrent is None else recurrent)  # (rows, 4 * units)
        opened = tf.sigmoid(gates[:, : 3 * self.units])
        enter, keep, leave = tf.split(opened, 3, axis=1)
        memory = keep * memory + enter * tf.tanh(gates[:, 3 * self.units :])
        return leave * tf.tanh(memory), memory

    def run(self, inputs: tf.Tensor, counts: tf.Tensor, steps: int, hidden: tf.Tensor, memory: tf.Tensor) -> tf.Tensor:
        """All steps of packed captions, (words, units); each step takes only the captions that still go on."""
        before, outputs = [], []
        recurrent = tf.convert_to_tensor(self.recurrent)
        projected = late_gradient(self.project(inputs), recurrent, before)
        for step, rows in enumerate(tf.split(projected, counts, num=steps)):
            before.append(hidden[: counts[step]])
            hidden, memory = self.step(rows, before[-1], memory[: counts[step]], tf.stop_gradient(recurrent))
            outputs.append(hidden)
        return tf.concat(outputs, axis=0)


class _Dropout:
    """Dropout whose random numbers follow from a seed alone, so that a resumed run repeats them; no seed, no dropout."""

    def __init__(self, seed: tf.Tensor | None):
        self.seed, self.uses = seed, 0

    def __call__(self, values: tf.Tensor, rate: float, per_channel: bool = False) -> tf.Tensor:
        if self.seed is None or rate == 0:
            return values
        self.uses += 1
        shape = (tf.shape(values)[0], 1, values.shape[-1]) if per_channel and len(values.shape) == 3 else tf.shape(values)
        kept = tf.random.stateless_uniform(shape, tf.stack([self.seed, self.uses])) >= rate
        return values * tf.cast(kept, values.dtype) / (1 - rate)


def check(config: DecoderConfig) -> None:
    """Refuse shapes that cannot be built, before anything is built."""
    if config.image_entry not in get_args(ImageEntry):
        raise ConfigError(f"image_entry is one of {', '.join(get_args(ImageEntry))}, not '{config.image_entry}'.")
    sizes = (config.units, config.layers, config.image_units, config.heads, config.embedding_dimensions)
    if min(sizes) < 1 or config.hidden_units < 0 or max(*sizes, config.hidden_units) > LARGEST_SIZE:
        raise ConfigError(f"The sizes of a decoder are whole numbers from 1 (hidden_units from 0) to {LARGEST_SIZE}.")
    if not (0 <= config.dropout < 1 and 0 <= config.feature_dropout < 1):
        raise ConfigError("dropout and feature_dropout are shares from 0 to below 1, for all that is dropped teaches nothing.")
    if config.image_entry == "attention" and config.image_units % config.heads:
        raise ConfigError(f"image_units ({config.image_units}) must be a multiple of heads ({config.heads}).")
    if config.image_entry == "merge" and config.image_units != config.units:
        raise ConfigError(f"With image_entry merge, image_units ({config.image_units}) and units ({config.units}) must be equal.")
