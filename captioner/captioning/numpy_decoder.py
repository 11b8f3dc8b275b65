"""The decoder in NumPy, word by word, built from settings and arrays; search and the step-by-step page run on it.

The same arithmetic as `captioner.model.decoder`, without TensorFlow's overhead, which exceeds the work of one photograph.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from captioner.captioning.beam_search import State
from captioner.config import NORM_EPSILON, DecoderConfig
from captioner.model.blueprint import NORM, TABLE_WEIGHT, block_means
from captioner.model.checkpoints import Checkpoint

_FEW = 6  # rows up to which vector products are faster


def product(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """`rows @ matrix`; BLAS copies a whole matrix before it multiplies several rows, so a few are multiplied one by one."""
    return np.vecmat(rows, matrix[..., None, :, :]) if rows.shape[-2] <= _FEW else rows @ matrix


class Dense(NamedTuple):
    """A dense layer."""

    kernel: np.ndarray  # (inputs, outputs)
    bias: np.ndarray | None = None  # (outputs,)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        outputs = product(rows, self.kernel)
        if self.bias is not None:
            outputs += self.bias
        return outputs


class LstmValues(NamedTuple):
    """One LSTM layer at one word; every array is (rows, units)."""

    input_gate: np.ndarray
    forget_gate: np.ndarray
    output_gate: np.ndarray
    candidate: np.ndarray
    memory: np.ndarray
    output: np.ndarray


class AttentionValues(NamedTuple):
    """One look at the photograph; additive attention has one head."""

    query: np.ndarray  # (rows, image_units)
    weights: np.ndarray  # (images, heads, slots, regions)
    context: np.ndarray  # (rows, image_units)

    @property
    def attention(self) -> np.ndarray:
        """The mean weights over the heads, (rows, regions)."""
        return self.weights.mean(axis=1).reshape(len(self.query), -1)


class Values(NamedTuple):
    """Everything that one step computes. `look` is None without attention, `hidden` without a hidden layer."""

    cells: tuple[LstmValues, ...]
    look: AttentionValues | None
    hidden: np.ndarray | None  # (rows, hidden_units)
    logits: np.ndarray  # (rows, vocabulary)

    @property
    def attention(self) -> np.ndarray | None:
        return self.look and self.look.attention


def state_after(cells: Iterable[LstmValues]) -> State:
    return tuple(part for cell in cells for part in (cell.output, cell.memory))


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"tanh": np.tanh, "relu": lambda values: np.maximum(values, 0)}


class NumpyDecoder:
    """A decoder word by word over arrays; `arrays` are named as in a checkpoint and checked before."""

    def __init__(self, config: DecoderConfig, arrays: Mapping[str, np.ndarray], regions: int = 0):
        self.config, self.vectors, self.blocks = config, arrays[TABLE_WEIGHT], block_means(config, regions)
        self.activation, layers = ACTIVATIONS[config.activation], range(config.layers)
        kernels = [path.removesuffix("/kernel") for path in arrays if path.endswith("/kernel")]
        self.parts = {name: Dense(arrays[f"{name}/kernel"], arrays.get(f"{name}/bias")) for name in kernels}
        self.starts = [self.parts[f"start_{part}{layer}"] for layer in layers for part in "hc" if "start_h0" in self.parts]
        self.recurrent = [Dense(arrays[f"lstm{layer}/recurrent_kernel"]) for layer in layers]
        self.norm = _scale_and_shift(arrays) if f"{NORM}/scale" in arrays else None
        self.gates = self.parts["lstm0"](self.vectors)  # (vocabulary, 4 * units): looked up at every step

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "NumpyDecoder":
        return cls(checkpoint.preset.decoder, checkpoint.arrays(), checkpoint.encoder.regions)

    def session(self, features: np.ndarray) -> "Session":
        """A search over the features of some photographs, (images, regions, channels)."""
        return Session(self, features)

    def start(self, features: np.ndarray) -> tuple[np.ndarray, State]:
        """Features (images, regions, channels) as `forward` takes them, and the first state, one row per photograph."""
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
            return grid, self._first_state(grid)
        return self._laid_out(grid, images), self._first_state(grid.reshape(images, regions, -1).mean(axis=1))

    def _laid_out(self, grid: np.ndarray, images: int) -> np.ndarray:
        """By heads, (images, heads, regions, depth); for additive attention, keys and values, (images, 2, regions, units)."""
        regions = len(grid) // images
        if self.config.additive:
            return np.stack([part.reshape(images, regions, -1) for part in (self.parts["keys"](grid), grid)], axis=1)
        return np.ascontiguousarray(grid.reshape(images, regions, self.config.heads, -1).swapaxes(1, 2))

    def _first_state(self, image: np.ndarray) -> State:
        if self.starts:
            return tuple(np.tanh(start(image)) for start in self.starts)
        state = (np.zeros((len(image), self.config.units), np.float32),) * (2 * self.config.layers)
        if not self.config.image_is_word:
            return state
        return state_after(self._read(self.parts["lstm0"](image), state))

    def forward(self, image: np.ndarray, state: State, words: np.ndarray) -> Values:
        """One word further. Rows are grouped by photograph, in equal numbers."""
        inputs, look, hidden = self.gates[words], None, None
        if self.config.additive:
            look = self._look_before(state[0], image)
            inputs += self.parts["context"](look.context)
        cells = self._read(inputs, state)
        sequence = cells[-1].output
        if self.config.attends:
            look = look or self._look(sequence, image)
            sequence = np.concatenate([sequence, look.context], axis=1)
        elif self.config.adds_image:
            sequence = sequence + image.repeat(len(sequence) // len(image), axis=0)
        if "hidden" in self.parts:
            sequence = hidden = self.parts["hidden"](sequence)
            np.maximum(hidden, 0, out=hidden)
        return Values(cells, look, hidden, self.parts["words"](sequence))

    def _read(self, inputs: np.ndarray, state: State) -> tuple[LstmValues, ...]:
        """All LSTM layers, from the input's share of the first layer's gates."""
        cells: list[LstmValues] = []
        for layer, recurrent in enumerate(self.recurrent):
            gates = recurrent(state[2 * layer])  # (rows, 4 * units)
            gates += self.parts[f"lstm{layer}"](cells[-1].output) if cells else inputs
            cells.append(_cell(gates, state[2 * layer + 1], self.activation))
        return tuple(cells)

    def _look(self, output: np.ndarray, grid: np.ndarray) -> AttentionValues:
        """Multi-head attention over grids (images, heads, regions, depth), with the LSTM's output as query."""
        images, heads, _, depth = grid.shape
        query = self.parts["query"](output)
        scaled = (query * np.float32(1 / math.sqrt(depth))).reshape(images, -1, heads, depth)
        weights = product(scaled.swapaxes(1, 2), grid.swapaxes(2, 3))  # (images, heads, slots, regions)
        _softmax(weights)
        context = product(weights, grid).swapaxes(1, 2)  # (images, slots, heads, depth)
        return AttentionValues(query, weights, context.reshape(len(output), -1))

    def _look_before(self, output: np.ndarray, grid: np.ndarray) -> AttentionValues:
        """Additive attention over grids (images, 2, regions, image units), with the LSTM's previous output as query."""
        images, _, _, units = grid.shape
        query = self.parts["query"](output)
        bent = np.tanh(grid[:, None, 0] + query.reshape(images, -1, 1, units))  # (images, slots, regions, image units)
        weights = (bent @ self.parts["energy"].kernel)[..., 0]
        _softmax(weights)
        return AttentionValues(query, weights[:, None], (weights @ grid[:, 1]).reshape(len(output), -1))


class Session:
    """The steps of one search, over the photographs whose captions are not finished."""

    def __init__(self, decoder: NumpyDecoder, features: np.ndarray):
        self._decoder, self._live = decoder, np.arange(len(features))
        self._image, self.state = decoder.start(features)

    def step(
        self, state: State, words: np.ndarray, images: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, State, np.ndarray | None]:
        """As `beam_search.Step`."""
        if len(images) < len(self._live):
            self._image, self._live = self._image[np.searchsorted(self._live, images)], images
        found = self._decoder.forward(self._image, state, words)
        normalisers = _normaliser(found.logits)
        return found.logits, normalisers, state_after(found.cells), found.attention


def _scale_and_shift(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Batch normalisation with the running statistics, as a factor and a summand, (units,) each."""
    scale, bias, mean, variance = (arrays[f"{NORM}/{part}"] for part in ("scale", "bias", "mean", "variance"))
    scale = scale / np.sqrt(variance + np.float32(NORM_EPSILON))
    return scale, bias - mean * scale


def _softmax(weights: np.ndarray) -> None:
    """Along the last axis, in place."""
    weights -= weights.max(axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= weights.sum(axis=-1, keepdims=True)


def _cell(gates: np.ndarray, memory: np.ndarray, activation: Callable[[np.ndarray], np.ndarray]) -> LstmValues:
    """An LSTM's step from its gates, (rows, 4 * units), in the order input, forget, output, candidate."""
    units = memory.shape[1]
    # sigmoid(x) = (tanh(x / 2) + 1) / 2 cannot overflow.
    opened = gates[:, : 3 * units]
    opened *= 0.5
    np.tanh(opened, out=opened)
    opened *= 0.5
    opened += 0.5
    input_gate, forget_gate, output_gate, candidate = (gates[:, part * units : (part + 1) * units] for part in range(4))
    candidate = activation(candidate)
    memory = forget_gate * memory + input_gate * candidate
    return LstmValues(input_gate, forget_gate, output_gate, candidate, memory, output_gate * activation(memory))


def _normaliser(logits: np.ndarray) -> np.ndarray:
    """Subtract each row's maximum in place; return the log of its sum of exponentials, (rows, 1)."""
    logits -= logits.max(axis=1, keepdims=True)
    return np.log(np.exp(logits).sum(axis=1, keepdims=True))
