"""Decoding in NumPy, where TensorFlow's own costs outweigh the work, for one photograph's beam as for those of many.

The same arithmetic as `Decoder.start` and `Decoder.step`, whose weights it takes; a test holds them against each other.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from captioner.captioning.beam_search import State
from captioner.captioning.hypotheses import take_best

if TYPE_CHECKING:
    from captioner.model.decoder import Decoder

_BLOCK, _FEW = 64, 16
"""Columns of a block of weights; products of few rows with such go through BLAS's own way for small ones, three times as fast."""


class Weights:
    """A matrix of weights, cut into blocks of columns for products with a few rows; what is left of the last block is zero."""

    def __init__(self, kernel: np.ndarray):
        self.whole, (inputs, self.outputs) = np.ascontiguousarray(kernel), kernel.shape
        padded = np.pad(kernel, ((0, 0), (0, -self.outputs % _BLOCK)))
        self.blocks = np.ascontiguousarray(padded.reshape(inputs, -1, _BLOCK).swapaxes(0, 1))  # (blocks, inputs, _BLOCK)

    def __rmatmul__(self, rows: np.ndarray) -> np.ndarray:
        if len(rows) > _FEW:
            return rows @ self.whole
        product = np.empty((len(rows), len(self.blocks), _BLOCK), np.float32)
        np.matmul(rows, self.blocks, out=product.swapaxes(0, 1))
        return product.reshape(len(rows), -1)[:, : self.outputs]

    __array_ufunc__ = None  # NumPy leaves `rows @ weights` to the method above.


Layer = tuple[Weights, np.ndarray]  # kernel and bias


def _relu(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, 0)


ACTIVATIONS: dict[str, Callable] = {"tanh": np.tanh, "relu": _relu}


class QuickDecoder:
    """A decoder word by word over arrays."""

    def __init__(self, decoder: "Decoder"):
        config = decoder.config
        self.entry, self.heads, self.units, self.blocks = config.image_entry, config.heads, config.units, decoder.blocks
        self.activation = ACTIVATIONS[config.activation]
        self.gates = decoder.gates_of_words().numpy()  # (vocabulary, 4 * units)
        self.image, self.starts = _layer(decoder.image), [_layer(start) for start in decoder.starts]
        self.cells = [
            (Weights(cell.kernel.numpy()), cell.bias.numpy(), Weights(cell.recurrent.numpy())) for cell in decoder.cells
        ]
        self.norm = decoder.norm.scale_and_shift() if decoder.norm is not None else None
        self.query: Any = _layer(decoder.query) if self.entry == "attention" else None
        self.additive = config.additive
        if self.additive:
            self.keys, self.context = (Weights(layer.kernel.numpy()) for layer in (decoder.keys, decoder.context))
            self.energy = decoder.energy.kernel.numpy()
        self.hidden = _layer(decoder.hidden) if decoder.hidden is not None else None
        self.words = _layer(decoder.output_words)

    def start(self, features: np.ndarray) -> tuple[np.ndarray, State]:
        """What is looked at of each photograph's features (images, regions, channels), and the first state, a row for each."""
        images, regions, channels = features.shape
        if self.entry == "attention":
            looked_at = features.reshape(-1, channels)
        else:
            coarse = features.mean(axis=1) if self.blocks is None else self.blocks @ features
            looked_at = coarse.reshape(images, -1)
        grid = _dense(looked_at, self.image)  # (images * regions or images, image units)
        if self.entry != "pre":
            np.maximum(grid, 0, out=grid)
        if self.norm is not None:
            grid = grid * self.norm[0] + self.norm[1]
        if self.entry != "attention":
            return grid, self._first_state(grid)
        pooled = grid.reshape(images, regions, -1).mean(axis=1)
        return self._laid_out(grid, images), self._first_state(pooled)

    def _laid_out(self, grid: np.ndarray, images: int) -> np.ndarray:
        """As `Decoder` lays it out for attention: (images, heads, regions, depth), or (images, 2, regions, image units)."""
        regions = len(grid) // images
        if self.additive:
            return np.stack([part.reshape(images, regions, -1) for part in (grid @ self.keys, grid)], axis=1)
        return grid.reshape(images, regions, self.heads, -1).swapaxes(1, 2)

    def _first_state(self, image: np.ndarray) -> State:
        if self.starts:
            return tuple(np.tanh(_dense(image, start)) for start in self.starts)
        nothing = np.zeros((len(image), self.units), np.float32)
        state = (nothing,) * (2 * len(self.cells))
        return self._run_cells(image @ self.cells[0][0] + self.cells[0][1], state)[1] if self.entry == "pre" else state

    def step(self, grid: np.ndarray, state: State, words: np.ndarray) -> tuple[np.ndarray, State, np.ndarray | None]:
        """Log-probabilities (rows, vocabulary), the next state, and attention (rows, regions) or None.

        The rows belong to the photographs of the grid in turn, equally many to each.
        """
        logits, state, attention = self._logits(grid, state, words)
        logits -= _normaliser(logits)
        return logits, state, attention

    def best(
        self, grid: np.ndarray, state: State, words: np.ndarray, count: int, forbidden: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, State, np.ndarray | None]:
        """The best words of each row that are not forbidden, (rows, count), and their log-probabilities; then the same."""
        logits, state, attention = self._logits(grid, state, words)
        normaliser = _normaliser(logits)
        logits[:, forbidden] = -np.inf
        found, values = take_best(logits, min(count, logits.shape[1]))
        return found, values - normaliser, state, attention

    def _logits(self, grid: np.ndarray, state: State, words: np.ndarray) -> tuple[np.ndarray, State, np.ndarray | None]:
        projected, attention = self.gates[words], None
        if self.additive:
            context, attention = self._look_before(state[0], grid)
            projected += context @ self.context
        sequence, after = self._run_cells(projected, state)
        if self.entry == "attention":
            if not self.additive:
                context, attention = self._attend(sequence, grid)
            sequence = np.concatenate([sequence, context], axis=1)
        elif self.entry == "merge":
            sequence = sequence + grid.repeat(len(sequence) // len(grid), axis=0)
        if self.hidden is not None:
            sequence = _dense(sequence, self.hidden)
            np.maximum(sequence, 0, out=sequence)
        return _dense(sequence, self.words), after, attention

    def _run_cells(self, projected: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """What the last layer says, and what all remember, from what the input adds to the first layer's gates."""
        after: list[np.ndarray] = []
        for number, (kernel, bias, recurrent) in enumerate(self.cells):
            gates = state[2 * number] @ recurrent  # (rows, 4 * units)
            gates += after[-2] @ kernel + bias if after else projected
            after += _cell(gates, state[2 * number + 1], self.activation)
        return after[-2], tuple(after)

    def _attend(self, sequence: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Multi-head attention of rows over grids (images, heads, regions, depth); the weights are the mean over the heads."""
        images, _, regions, depth = grid.shape
        query = _dense(sequence, self.query) * np.float32(1 / math.sqrt(depth))
        query = query.reshape(images, -1, self.heads, depth).swapaxes(1, 2)  # (images, heads, slots, depth)
        weights = query @ grid.swapaxes(2, 3)  # (images, heads, slots, regions)
        _softmax(weights)
        context = (weights @ grid).swapaxes(1, 2)  # (images, slots, heads, depth)
        return context.reshape(len(sequence), -1), weights.mean(axis=1).reshape(-1, regions)

    def _look_before(self, said: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Additive attention of rows over grids (images, 2, regions, image units), by what was said last."""
        images, _, regions, units = grid.shape
        asked = _dense(said, self.query).reshape(images, -1, 1, units)
        weights = (np.tanh(grid[:, None, 0] + asked) @ self.energy)[..., 0]  # (images, slots, regions)
        _softmax(weights)
        return (weights @ grid[:, 1]).reshape(len(said), -1), weights.reshape(-1, regions)


def _layer(dense: Any) -> Layer:
    return Weights(dense.kernel.numpy()), dense.bias.numpy()


def _dense(inputs: np.ndarray, layer: Layer) -> np.ndarray:
    outputs = inputs @ layer[0]
    outputs += layer[1]
    return outputs


def _softmax(weights: np.ndarray) -> None:
    """Along the last axis, in place."""
    weights -= weights.max(axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= weights.sum(axis=-1, keepdims=True)


def _cell(gates: np.ndarray, memory: np.ndarray, activation: Callable) -> tuple[np.ndarray, np.ndarray]:
    """An LSTM's step from its gates, in the order input, forget, output, candidate; gives what it says and remembers."""
    units = memory.shape[1]
    # By the hyperbolic tangent a sigmoid cannot overflow.
    opened = gates[:, : 3 * units]
    opened *= 0.5
    np.tanh(opened, out=opened)
    opened *= 0.5
    opened += 0.5
    enter, keep, leave = np.split(opened, 3, axis=1)
    memory = keep * memory + enter * activation(gates[:, 3 * units :])
    return leave * activation(memory), memory


def _normaliser(logits: np.ndarray) -> np.ndarray:
    """Lower each row until its highest is 0; what makes log-probabilities of it when it is taken from it, (rows, 1)."""
    logits -= logits.max(axis=1, keepdims=True)
    return np.log(np.exp(logits).sum(axis=1, keepdims=True))
