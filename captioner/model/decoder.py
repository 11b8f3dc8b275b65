"""One builder for every decoder: an LSTM over the words, and four ways for the photograph to enter it.

The same weights are reached in two ways: `Decoder.logits` runs over whole packed captions (training, evaluation of losses),
`Decoder.start` and `Decoder.step` go word by word (search). Losses, loops and files are left to others.
"""

import math
from typing import Any, get_args

import keras
import numpy as np
import tensorflow as tf

from captioner.config import Activation, Attention, DecoderConfig, DropoutAt, ImageEntry, ImageNorm, Pooling
from captioner.errors import ConfigError
from captioner.model.additive_attention import Looks, mixture
from captioner.model.gradients import into_slots, out_of_slots
from captioner.model.layers import Cell, Dropout, Normalisation
from captioner.model.region_blocks import BLOCKS, block_means

# Far beyond any use; they keep a settings file from asking for all memory.
LARGEST_SIZE = 8192
LARGEST_GRID = 500_000  # numbers of a photograph at a time

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
    """A caption decoder; how the photograph enters and the other switches of `config` are choices within the same code."""

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
        """`regions` counts those of a grid that is laid end to end; `words` those scored, where the table has rows for more."""
        super().__init__(name="decoder")
        check(config)
        self.config, self.channels, self.frozen = config, channels, frozen
        self.vocabulary_size = words or len(vectors)
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
        self.blocks = block_means(regions) if config.pooling == "blocks" else None  # (blocks, regions)
        self._build_image(channels * (1 if self.blocks is None else BLOCKS))
        self._build_layers()
        self._build_head()
        self.built = True

    def _build_image(self, inputs: int) -> None:
        config = self.config
        if not 0 < inputs <= LARGEST_GRID:
            raise ConfigError(f"A decoder takes 1 to {LARGEST_GRID:,} numbers of a photograph at a time, not {inputs:,}.")
        width = config.embedding_dimensions if config.image_entry == "pre" else config.image_units
        self.image = self._dense(inputs, width, "image", "relu" if config.image_entry != "pre" else None)
        self.norm = Normalisation(width, "image_norm") if config.image_norm == "batch" else None
        self.starts = []
        if config.image_entry in ("attention", "init"):
            names = [f"start_{part}{layer}" for layer in range(config.layers) for part in "hc"]
            self.starts = [self._dense(config.image_units, config.units, name, "tanh") for name in names]

    def _build_layers(self) -> None:
        width, self.cells = self.config.embedding_dimensions, []
        for layer in range(self.config.layers):
            self.cells.append(Cell(width, self.config.units, next(self._seeds), f"lstm{layer}", self.config.activation))
            width = self.config.units

    def _build_head(self) -> None:
        config, width = self.config, self.config.units
        if config.image_entry == "attention":
            self.query = self._dense(config.units, config.image_units, "query")
            width = config.units + config.image_units
        if config.additive:
            self.keys = self._dense(config.image_units, config.image_units, "keys", bias=False)
            self.energy = self._dense(config.image_units, 1, "energy", bias=False)
            self.context = self._dense(config.image_units, 4 * config.units, "context", bias=False)
        self.hidden = self._dense(width, config.hidden_units, "hidden", "relu") if config.hidden_units else None
        self.output_words = self._dense(config.hidden_units or width, self.vocabulary_size, "words")

    def _dense(self, inputs: int, units: int, name: str, activation: str | None = None, bias: bool = True) -> Any:
        initializer = keras.initializers.GlorotUniform(seed=next(self._seeds))
        layer = keras.layers.Dense(units, activation, bias, name=name, kernel_initializer=initializer)
        layer.build((None, inputs))
        return layer

    # Whole captions -----------------------------------------------------------------------------------------------

    def logits(self, features: tf.Tensor, packed: tuple, steps: int, seed: tf.Tensor | None = None) -> tf.Tensor:
        """The scores of every next word, (words, vocabulary); with a seed dropout is on, without it is off."""
        words, _targets, counts, images, slots, places = packed
        drop = Dropout(seed)
        drop_later = drop if self.config.dropout_at == "everything" else Dropout(None)
        grid = self._project(features, drop)
        state = [tf.gather(part, images) for part in self._first_state(grid)]
        sequence = drop(tf.gather(self.table, words), self.config.dropout)  # (words, dimensions)
        if self.config.image_entry == "pre":
            state = self._take_image_as_word(tf.gather(grid, images), state)
        looks = self._looks(grid, images) if self.config.additive else None
        if looks:
            state[0] = looks.begin(state[0])
        for number, cell in enumerate(self.cells):
            look = (lambda hidden: self.context(looks(self.query(hidden)))) if looks and number == 0 else None
            sequence = cell.run(sequence, counts, steps, state[2 * number], state[2 * number + 1], look)
            sequence = drop_later(sequence, self.config.dropout)  # (words, units)
        if self.config.image_entry == "attention":
            context = looks.seen() if looks else self._contexts(sequence, grid, slots, places)
            sequence = tf.concat([sequence, drop_later(context, self.config.dropout)], axis=1)
        elif self.config.image_entry == "merge":
            word_images = places // tf.shape(slots)[1]
            sequence = sequence + tf.gather(grid, word_images)
        return self._head(sequence, drop_later)

    def _looks(self, grid: tf.Tensor, images: tf.Tensor) -> Looks:
        """Additive attention of captions over the regions of their photographs."""
        return Looks(tf.gather(self.keys(grid), images), tf.gather(grid, images), self.energy.kernel)

    def _contexts(self, sequence: tf.Tensor, grid: tf.Tensor, slots: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
        """What every word sees, (words, image_units), all words of a photograph at once."""
        query = into_slots(self.query(sequence), slots, places)  # (images, slots, units)
        context, _ = self._attend(query, self._heads(grid))
        return out_of_slots(context, slots, places)

    # Word by word -------------------------------------------------------------------------------------------------

    def start(self, features: tf.Tensor) -> tuple[tf.Tensor, State]:
        """What search needs of each photograph, and the first state, one row per photograph.

        The first is its projected features; for attention they are laid out already as every step needs them.
        """
        grid = self._project(features, Dropout(None))
        state = self._first_state(grid)
        if self.config.image_entry == "pre":
            state = self._take_image_as_word(grid, state)
        return self._laid_out(grid), tuple(state)

    def gates_of_words(self) -> tf.Tensor:
        """What each word adds to the first layer's gates, (vocabulary, 4 * units): made once, looked up at every step."""
        return self.cells[0].project(self.table)

    def step(self, grid: tf.Tensor, state: State, gates: tf.Tensor) -> tuple[tf.Tensor, State, tf.Tensor | None]:
        """One word further: log-probabilities (rows, vocabulary), the next state, and attention (rows, regions) or None.

        The rows belong to the photographs of `grid` in turn, equally many to each; `gates` is the words' row of `gates_of_words`.
        """
        next_state, sequence, attention = [], None, None
        if self.config.additive:
            context, attention = self._look_rows(state[0], grid)
            gates = gates + self.context(context)
        for number, cell in enumerate(self.cells):
            projected = gates if sequence is None else cell.project(sequence)
            sequence, memory = cell.step(projected, state[2 * number], state[2 * number + 1])
            next_state += [sequence, memory]
        if self.config.image_entry == "attention":
            if not self.config.additive:
                context, attention = self._attend_rows(self.query(sequence), grid)
            sequence = tf.concat([sequence, context], axis=1)
        elif self.config.image_entry == "merge":
            sequence = sequence + tf.repeat(grid, tf.shape(sequence)[0] // tf.shape(grid)[0], axis=0)
        return tf.nn.log_softmax(self._head(sequence, Dropout(None))), tuple(next_state), attention

    # Parts both ways share ----------------------------------------------------------------------------------------

    def _project(self, features: tf.Tensor, drop: Dropout) -> tf.Tensor:
        # A channel is dropped for a whole photograph, so it makes no difference that the mean over its regions comes first.
        grid = self.image(drop(self._regions(features), self.config.feature_dropout, per_channel=True))
        return grid if self.norm is None else self.norm.normalise(grid, training=drop.seed is not None)

    def _regions(self, features: tf.Tensor) -> tf.Tensor:
        """What is looked at: every region (images, regions, channels) for attention, else their mean, or blocks end to end."""
        if self.config.image_entry == "attention":
            return features
        if self.blocks is not None:
            return tf.reshape(tf.matmul(self.blocks, features), (tf.shape(features)[0], self.image.kernel.shape[0]))
        return tf.reduce_mean(features, axis=1)

    def _laid_out(self, grid: tf.Tensor) -> tf.Tensor:
        """For attention in heads, or what regions are compared by beside what is mixed: (images, 2, regions, image_units)."""
        if self.config.additive:
            return tf.stack([self.keys(grid), grid], axis=1)
        return self._heads(grid) if self.config.image_entry == "attention" else grid

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

    def _look_rows(self, hidden: tf.Tensor, grid: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Additive attention before the LSTM reads the next word, by what it said last; rows as above."""
        width = self.config.image_units
        query = tf.reshape(self.query(hidden), (tf.shape(grid)[0], -1, width))
        context, weights = mixture(query, grid[:, 0], grid[:, 1], self.energy.kernel)
        return tf.reshape(context, (-1, width)), tf.reshape(weights, (-1, tf.shape(grid)[2]))

    @property
    def statistics(self) -> list[Any]:
        """What training moves besides the weights: the running mean and variance of batch normalisation, where there is any."""
        return [] if self.norm is None else [self.norm.mean, self.norm.variance]

    def _heads(self, units: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(units)
        split = tf.reshape(units, (shape[0], shape[1], self.config.heads, self.config.image_units // self.config.heads))
        return tf.transpose(split, (0, 2, 1, 3))  # (images, heads, positions, depth)

    def _head(self, sequence: tf.Tensor, drop: Dropout) -> tf.Tensor:
        if self.hidden is not None:
            sequence = drop(self.hidden(sequence), self.config.dropout)
        return self.output_words(sequence)


_SWITCHES = {
    "image_entry": ImageEntry,
    "attention": Attention,
    "pooling": Pooling,
    "image_norm": ImageNorm,
    "activation": Activation,
    "dropout_at": DropoutAt,
}


def check(config: DecoderConfig) -> None:
    """Refuse shapes that cannot be built, before anything is built."""
    for name, known in _SWITCHES.items():
        if getattr(config, name) not in get_args(known):
            raise ConfigError(f"{name} is one of {', '.join(get_args(known))}, not '{getattr(config, name)}'.")
    sizes = (config.units, config.layers, config.image_units, config.heads, config.embedding_dimensions)
    if min(sizes) < 1 or config.hidden_units < 0 or max(*sizes, config.hidden_units) > LARGEST_SIZE:
        raise ConfigError(f"The sizes of a decoder are whole numbers from 1 (hidden_units from 0) to {LARGEST_SIZE}.")
    if not (0 <= config.dropout < 1 and 0 <= config.feature_dropout < 1):
        raise ConfigError("dropout and feature_dropout are shares from 0 to below 1, for all that is dropped teaches nothing.")
    if config.image_entry == "attention" and config.pooling != "mean":
        raise ConfigError("Attention looks at the regions one by one; pooling blocks goes with image_entry merge, init and pre.")
    if config.image_entry == "attention" and config.attention == "heads" and config.image_units % config.heads:
        raise ConfigError(f"image_units ({config.image_units}) must be a multiple of heads ({config.heads}).")
    if config.image_entry == "merge" and config.image_units != config.units:
        raise ConfigError(f"With image_entry merge, image_units ({config.image_units}) and units ({config.units}) must be equal.")
