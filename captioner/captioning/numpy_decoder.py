"""The decoder in NumPy, word by word, built from settings and arrays; search and the step-by-step page run on it.

The same arithmetic as `captioner.model.decoder`, without TensorFlow's overhead, which exceeds the work of one photograph.
"""

import copy
import math
from collections.abc import Mapping

import numpy as np

from captioner.captioning.beam_search import State
from captioner.captioning.numpy_layers import (
    ACTIVATIONS,
    NEVER,
    AttentionValues,
    Dense,
    LstmValues,
    Memory,
    SlotMemory,
    Values,
    cell,
    mixture,
    normaliser,
    product,
    scale_and_shift,
    softmax,
    state_after,
)
from captioner.config import DecoderConfig
from captioner.model.blueprint import NORM, TABLE_WEIGHT, block_means
from captioner.model.checkpoints import Checkpoint
from captioner.model.word_slots import WordSlots
from captioner.vocabulary import PADDING, UNKNOWN


class NumpyDecoder:
    """A decoder word by word over arrays; `arrays` are named as in a checkpoint and checked before."""

    def __init__(self, config: DecoderConfig, arrays: Mapping[str, np.ndarray], regions: int = 0):
        self.config, self.vectors, self.blocks = config, arrays[TABLE_WEIGHT], block_means(config, regions)
        self.vocabulary = arrays["words/kernel"].shape[1]  # The table may have more rows, for word slots.
        self.activation, layers = ACTIVATIONS[config.activation], range(config.layers)
        kernels = [path.removesuffix("/kernel") for path in arrays if path.endswith("/kernel")]
        self.parts = {name: Dense(arrays[f"{name}/kernel"], arrays.get(f"{name}/bias")) for name in kernels}
        self.starts = [self.parts[f"start_{part}{layer}"] for layer in layers for part in "hc" if "start_h0" in self.parts]
        self.recurrent = [Dense(arrays[f"lstm{layer}/recurrent_kernel"]) for layer in layers]
        self.norm = scale_and_shift(arrays) if f"{NORM}/scale" in arrays else None
        # (vocabulary, 4 * units): looked up at every step
        self.gates: np.ndarray | None = self.parts["lstm0"](self.vectors)

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "NumpyDecoder":
        return cls(checkpoint.preset.decoder, checkpoint.arrays(), checkpoint.encoder.regions)

    def with_vectors(self, vectors: np.ndarray) -> "NumpyDecoder":
        """The same decoder with other vectors of its words, of the same shape."""
        other = copy.copy(self)
        # One photograph needs the gates of few words; all of them would take longer than its captions.
        other.vectors, other.gates = vectors, None
        return other

    def vector(self, word: int, slots: WordSlots | None = None) -> np.ndarray:
        """The vector of a word, which may be the number of a slot after the vocabulary, of one photograph."""
        if word < self.vocabulary or slots is None:
            return self.vectors[word]
        slot = word - self.vocabulary
        return self.vectors[slots.rows[0, slot]] if slots.vectors is None else slots.vectors[0, slot]

    def session(
        self, features: np.ndarray, slots: WordSlots | None = None, beyond: Mapping[int, np.ndarray] | None = None
    ) -> "Session":
        """A search over the features of some photographs, (images, regions, channels), with their word slots.

        `beyond` are vectors of words outside the vocabulary, by place in the caption, to read in place of the unknown word's.
        """
        return Session(self, features, slots, beyond)

    def start(self, features: np.ndarray, slots: WordSlots | None = None) -> tuple[Memory, State]:
        """The photographs as `forward` takes them, and the first state, one row per photograph.

        Features are (images, regions, channels). With word slots, the state ends in which of them were said, (images, slots).
        """
        images, regions, channels = features.shape
        if self.config.attends:
            pooled = features.reshape(-1, channels)
        else:
            pooled = (features.mean(axis=1) if self.blocks is None else self.blocks @ features).reshape(images, -1)
        grid = self.parts["image"](pooled)  # (images * regions or images, image units)
        if not self.config.image_is_word:
            np.maximum(grid, 0, out=grid)
        if self.norm is not None:
            grid = grid * self.norm[0] + self.norm[1]
        if not self.config.attends:
            return Memory(grid), self._first_state(grid)
        grid = grid.reshape(images, regions, -1)
        state = self._first_state(grid.mean(axis=1))
        if self.config.additive:
            return Memory(np.stack([self.parts["keys"](grid), grid], axis=1)), state
        if not self.config.word_slots:
            return Memory(self._by_heads(grid)), state
        read, memory = self._read_slots(slots or WordSlots.none(images, self.config.word_slots))
        grid = np.concatenate([grid, read], axis=1)
        return Memory(self._by_heads(grid), memory), (*state, np.zeros(memory.biases.shape, bool))

    def _by_heads(self, grid: np.ndarray) -> np.ndarray:
        """(images, positions, image_units) to (images, heads, positions, depth)."""
        return np.ascontiguousarray(grid.reshape(*grid.shape[:2], self.config.heads, -1).swapaxes(1, 2))

    def _read_slots(self, slots: WordSlots) -> tuple[np.ndarray, SlotMemory]:
        """What attention reads of word slots, (images, slots, image_units), and what copying takes."""
        vectors = self.vectors[slots.rows] if slots.vectors is None else slots.vectors
        shape = slots.rows.shape
        read = self.parts["slot"](np.concatenate([vectors, slots.measures], axis=2).reshape(math.prod(shape), -1))
        np.maximum(read, 0, out=read)
        keys = self.parts["slot_key"](read).reshape(*shape, -1)
        masks = NEVER * slots.empty
        biases = self.parts["slot_bias"](read).reshape(shape) + masks
        known = (slots.rows < self.vocabulary) & (slots.rows > PADDING)
        columns = np.where(known, slots.rows, self.vocabulary + np.arange(slots.rows.shape[1]))
        beyond = not (known | slots.empty).all()
        gates = self.parts["lstm0"](vectors.reshape(math.prod(shape), -1)).reshape(*shape, -1) if beyond else None
        return read.reshape(*shape, -1), SlotMemory(columns, keys, biases, masks, gates)

    def _first_state(self, image: np.ndarray) -> State:
        if self.starts:
            return tuple(np.tanh(start(image)) for start in self.starts)
        state = (np.zeros((len(image), self.config.units), np.float32),) * (2 * self.config.layers)
        if not self.config.image_is_word:
            return state
        return state_after(self._read(self.parts["lstm0"](image), state))

    def forward(self, memory: Memory, state: State, words: np.ndarray, beyond: np.ndarray | None = None) -> Values:
        """One word further. Rows are grouped by photograph, in equal numbers; `beyond` is read in place of the unknown word."""
        inputs, look, hidden, said = self._inputs(memory.slots, words), None, None, None
        if beyond is not None:
            inputs[words == UNKNOWN] = self.parts["lstm0"](beyond[None])
        if self.config.additive:
            look = self._look_before(state[0], memory.grid)
            inputs += self.parts["context"](look.context)
        cells = self._read(inputs, state)
        sequence = cells[-1].output
        if memory.slots:
            said = state[-1] | (words[:, None] == memory.slots.columns.repeat(len(words) // len(memory.grid), axis=0))
        if self.config.attends:
            look = look or self._look(sequence, memory, said)
            sequence = np.concatenate([sequence, look.context], axis=1)
        elif self.config.adds_image:
            sequence = sequence + memory.grid.repeat(len(sequence) // len(memory.grid), axis=0)
        if "hidden" in self.parts:
            sequence = hidden = self.parts["hidden"](sequence)
            np.maximum(hidden, 0, out=hidden)
        copying = None if memory.slots is None or said is None else self._copying(sequence, memory.slots, said)
        return Values(cells, look, hidden, self.parts["words"](sequence), copying, said)

    def _inputs(self, slots: SlotMemory | None, words: np.ndarray) -> np.ndarray:
        """The words' share of the first layer's gates, (rows, 4 * units)."""
        if slots is None:
            return self._gates_of(words)
        inputs = self._gates_of(np.minimum(words, self.vocabulary - 1))
        if slots.gates is None:  # A wide beam may still hold an empty slot's impossible word.
            return inputs
        beyond = np.flatnonzero(words >= self.vocabulary)
        images = beyond // (len(words) // len(slots.gates))
        inputs[beyond] = slots.gates[images, words[beyond] - self.vocabulary]
        return inputs

    def _gates_of(self, words: np.ndarray) -> np.ndarray:
        return self.parts["lstm0"](self.vectors[words]) if self.gates is None else self.gates[words]

    def _copying(self, sequence: np.ndarray, slots: SlotMemory, said: np.ndarray) -> np.ndarray:
        """The log-probabilities of copying nothing and of copying each word slot, (rows, 1 + slots)."""
        images, count, units = slots.keys.shape
        query = self.parts["copy_query"](sequence).reshape(images, -1, units)
        scores = product(query, slots.keys.swapaxes(1, 2)) * np.float32(1 / math.sqrt(units))
        scores += slots.biases[:, None] + NEVER * said.reshape(scores.shape)
        scores = np.concatenate([self.parts["copy_gate"](sequence), scores.reshape(-1, count)], axis=1)
        return scores - normaliser(scores)

    def _read(self, inputs: np.ndarray, state: State) -> tuple[LstmValues, ...]:
        """All LSTM layers, from the input's share of the first layer's gates."""
        cells: list[LstmValues] = []
        for layer, recurrent in enumerate(self.recurrent):
            gates = recurrent(state[2 * layer])  # (rows, 4 * units)
            gates += self.parts[f"lstm{layer}"](cells[-1].output) if cells else inputs
            cells.append(cell(gates, state[2 * layer + 1], self.activation))
        return tuple(cells)

    def _look(self, output: np.ndarray, memory: Memory, said: np.ndarray | None) -> AttentionValues:
        """Multi-head attention over regions and word slots, with the LSTM's output as query."""
        grid = memory.grid
        images, heads, _, depth = grid.shape
        query = self.parts["query"](output)
        scaled = (query * np.float32(1 / math.sqrt(depth))).reshape(images, -1, heads, depth)
        weights = product(scaled.swapaxes(1, 2), grid.swapaxes(2, 3))  # (images, heads, rows, regions and word slots)
        if memory.slots is not None and said is not None:
            masks = memory.slots.masks[:, None] + NEVER * said.reshape(images, -1, said.shape[1])
            weights[..., -said.shape[1] :] += masks[:, None]
        softmax(weights)
        context = product(weights, grid).swapaxes(1, 2)  # (images, rows, heads, depth)
        return AttentionValues(query, weights, context.reshape(len(output), -1))

    def _look_before(self, output: np.ndarray, grid: np.ndarray) -> AttentionValues:
        """Additive attention over grids (images, 2, regions, image units), with the LSTM's previous output as query."""
        images, _, _, units = grid.shape
        query = self.parts["query"](output)
        bent = np.tanh(grid[:, None, 0] + query.reshape(images, -1, 1, units))  # (images, rows, regions, image units)
        weights = (bent @ self.parts["energy"].kernel)[..., 0]
        softmax(weights)
        return AttentionValues(query, weights[:, None], (weights @ grid[:, 1]).reshape(len(output), -1))


class Session:
    """The steps of one search, over the photographs whose captions are not finished."""

    def __init__(
        self,
        decoder: NumpyDecoder,
        features: np.ndarray,
        slots: WordSlots | None = None,
        beyond: Mapping[int, np.ndarray] | None = None,
    ):
        self._decoder, self._live = decoder, np.arange(len(features))
        self._beyond, self._place = beyond or {}, -1  # The start is read before the first word.
        self._memory, self.state = decoder.start(features, slots)

    def step(
        self, state: State, words: np.ndarray, images: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, State, np.ndarray | None]:
        """As `beam_search.Step`; with word slots, the attention ends in the probabilities of copying them."""
        if len(images) < len(self._live):
            self._memory, self._live = self._memory.part(np.searchsorted(self._live, images)), images
        slots = self._memory.slots
        found = self._decoder.forward(self._memory, state, words, self._beyond.get(self._place))
        self._place += 1
        if slots is None or found.copying is None or found.attention is None:
            return found.logits, normaliser(found.logits), found.state, found.attention
        scores, normalisers = mixture(found.logits, found.copying, slots.columns.repeat(len(words) // len(images), axis=0))
        looked = np.concatenate([found.attention, np.exp(found.copying[:, 1:])], axis=1)
        return scores, normalisers, found.state, looked
