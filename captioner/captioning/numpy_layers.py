"""The layers of the NumPy decoder, what a step computes, and what a decoder keeps of a photograph."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from captioner.captioning.beam_search import State
from captioner.config import NORM_EPSILON
from captioner.model.blueprint import NORM

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
    weights: np.ndarray  # (images, heads, rows, regions and word slots)
    context: np.ndarray  # (rows, image_units)

    @property
    def attention(self) -> np.ndarray:
        """The mean weights over the heads, (rows, regions and word slots)."""
        return self.weights.mean(axis=1).reshape(len(self.query), -1)


class Values(NamedTuple):
    """Everything that one step computes. `look` is None without attention, `hidden` without a hidden layer."""

    cells: tuple[LstmValues, ...]
    look: AttentionValues | None
    hidden: np.ndarray | None  # (rows, hidden_units)
    logits: np.ndarray  # (rows, vocabulary)
    copying: np.ndarray | None = None  # log-probabilities of copying nothing and each word slot, (rows, 1 + slots)
    said: np.ndarray | None = None  # whether each slot's word was said up to here, (rows, slots)

    @property
    def attention(self) -> np.ndarray | None:
        return self.look and self.look.attention

    @property
    def state(self) -> State:
        """What the next step takes."""
        return state_after(self.cells) + (() if self.said is None else (self.said,))


class SlotMemory(NamedTuple):
    """The word slots of some photographs, computed once; the arrays begin with (images, slots)."""

    columns: np.ndarray  # of the scores: the word's number, or for a word outside the vocabulary a column after it
    keys: np.ndarray  # (images, slots, image_units)
    biases: np.ndarray  # of copying
    masks: np.ndarray  # a very low number where the slot is empty, else 0
    gates: np.ndarray | None  # what the LSTM reads of the words, (images, slots, 4 * units), if one is outside the vocabulary


class Memory(NamedTuple):
    """What a decoder reads of some photographs at every word."""

    grid: np.ndarray  # with attention by heads, (images, heads, regions and word slots, depth)
    slots: SlotMemory | None = None

    def part(self, images: np.ndarray) -> "Memory":
        if self.slots is None:
            return Memory(self.grid[images])
        columns, keys, biases, masks, gates = self.slots
        gates = None if gates is None else gates[images]
        return Memory(self.grid[images], SlotMemory(columns[images], keys[images], biases[images], masks[images], gates))


def state_after(cells: Iterable[LstmValues]) -> State:
    return tuple(part for cell in cells for part in (cell.output, cell.memory))


NEVER = np.float32(-1e9)  # rules a slot out
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"tanh": np.tanh, "relu": lambda values: np.maximum(values, 0)}


def mixture(logits: np.ndarray, copying: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the vocabulary and of the slots' words outside of it, (rows, vocabulary + slots), and their normalisers."""
    normalisers = normaliser(logits) - copying[:, :1]
    scores = np.pad(logits, ((0, 0), (0, columns.shape[1])), constant_values=-np.inf)
    rows = np.arange(len(scores))[:, None]
    scores[rows, columns] = np.logaddexp(scores[rows, columns], copying[:, 1:] + normalisers)
    return scores, normalisers


def scale_and_shift(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Batch normalisation with the running statistics, as a factor and a summand, (units,) each."""
    scale, bias, mean, variance = (arrays[f"{NORM}/{part}"] for part in ("scale", "bias", "mean", "variance"))
    scale = scale / np.sqrt(variance + np.float32(NORM_EPSILON))
    return scale, bias - mean * scale


def softmax(weights: np.ndarray) -> None:
    """Along the last axis, in place."""
    weights -= weights.max(axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= weights.sum(axis=-1, keepdims=True)


def cell(gates: np.ndarray, memory: np.ndarray, activation: Callable[[np.ndarray], np.ndarray]) -> LstmValues:
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


def normaliser(logits: np.ndarray) -> np.ndarray:
    """Subtract each row's maximum in place; return the log of its sum of exponentials, (rows, 1)."""
    logits -= logits.max(axis=1, keepdims=True)
    return np.log(np.exp(logits).sum(axis=1, keepdims=True))
