"""One step of decoding in NumPy, for the few rows of one photograph's beam, where TensorFlow's own costs outweigh the work.

The same arithmetic as `Decoder.step`, whose weights it takes; a test holds the two against each other.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from captioner.search import State

if TYPE_CHECKING:
    from captioner.decoder import Decoder

_BLOCK = 64
"""Columns of a block of weights; such products of few rows go through BLAS's own way for small ones, three times as fast."""


class Weights:
    """A matrix of weights, cut into blocks of columns for products with a few rows; what is left of the last block is zero."""

    def __init__(self, kernel: np.ndarray):
        inputs, self.outputs = kernel.shape
        padded = np.pad(kernel, ((0, 0), (0, -self.outputs % _BLOCK)))
        self.blocks = np.ascontiguousarray(padded.reshape(inputs, -1, _BLOCK).swapaxes(0, 1))  # (blocks, inputs, _BLOCK)

    def __rmatmul__(self, rows: np.ndarray) -> np.ndarray:
        product = np.empty((len(rows), len(self.blocks), _BLOCK), np.float32)
        np.matmul(rows, self.blocks, out=product.swapaxes(0, 1))
        return product.reshape(len(rows), -1)[:, : self.outputs]

    __array_ufunc__ = None  # NumPy leaves `rows @ weights` to the method above.


Layer = tuple[Weights, np.ndarray]  # kernel and bias


class QuickStep:
    """A decoder's step over arrays: a step for several rows that share one photograph."""

    def __init__(self, decoder: "Decoder", gates: np.ndarray):
        self.entry, self.heads, self.gates = decoder.config.image_entry, decoder.config.heads, gates
        self.cells = [
            (Weights(cell.kernel.numpy()), cell.bias.numpy(), Weights(cell.recurrent.numpy())) for cell in decoder.cells
        ]
        self.query = _layer(decoder.query) if self.entry == "attention" else None
        self.hidden = _layer(decoder.hidden) if decoder.hidden is not None else None
        self.words = _layer(decoder.output_words)

    def __call__(self, grid: np.ndarray, state: State, words: np.ndarray) -> tuple[np.ndarray, State, np.ndarray | None]:
        """Log-probabilities (rows, vocabulary), the next state, and attention (rows, regions) or None."""
        sequence, after, attention = None, [], None
        for number, (kernel, bias, recurrent) in enumerate(self.cells):
            projected = self.gates[words] if sequence is None else sequence @ kernel + bias  # (rows, 4 * units)
            sequence, memory = _cell(projected + state[2 * number] @ recurrent, state[2 * number + 1])
            after += [sequence, memory]
        if self.entry == "attention":
            context, attention = self._attend(sequence, grid[0])
            sequence = np.concatenate([sequence, context], axis=1)
        elif self.entry == "merge":
            sequence = sequence + grid
        if self.hidden is not None:
            sequence = np.maximum(_dense(sequence, self.hidden), 0)
        return _log_softmax(_dense(sequence, self.words)), tuple(after), attention

    def _attend(self, sequence: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Multi-head attention of rows over one grid (heads, regions, depth); the weights are the mean over the heads."""
        rows, depth = len(sequence), grid.shape[-1]
        query = _dense(sequence, self.query).reshape(rows, self.heads, depth).swapaxes(0, 1)  # (heads, rows, depth)
        scores = query @ grid.swapaxes(1, 2) * np.float32(1 / math.sqrt(depth))  # (heads, rows, regions)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        return (weights @ grid).swapaxes(0, 1).reshape(rows, -1), weights.mean(axis=0)


def _layer(dense: object) -> Layer:
    return Weights(dense.kernel.numpy()), dense.bias.numpy()


def _dense(inputs: np.ndarray, layer: Layer) -> np.ndarray:
    return inputs @ layer[0] + layer[1]


def _cell(gates: np.ndarray, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An LSTM's step from its gates, in the order input, forget, output, candidate; gives what it says and remembers."""
    units = memory.shape[1]
    # By the hyperbolic tangent a sigmoid cannot overflow.
    enter, keep, leave = np.split(0.5 + 0.5 * np.tanh(0.5 * gates[:, : 3 * units]), 3, axis=1)
    memory = keep * memory + enter * np.tanh(gates[:, 3 * units :])
    return leave * np.tanh(memory), memory


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
