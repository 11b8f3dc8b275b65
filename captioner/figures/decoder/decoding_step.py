"""A decoder taken apart: every number between the word before and the word chosen, in plain NumPy written from the formulas.

Slow and open where `captioner.captioning.numpy_decoder` is fast and closed; a test holds both to the same probabilities.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captioner.captioning.numpy_decoder import ACTIVATIONS
from captioner.config import NORM_EPSILON, SearchConfig
from captioner.model.checkpoints import Checkpoint
from captioner.model.region_blocks import block_means
from captioner.vocabulary import END, PADDING, START, UNKNOWN

NEVER_WRITTEN = (PADDING, START, UNKNOWN)


@dataclass(frozen=True, eq=False)
class Cell:
    """One LSTM layer at one word; every array is (units,)."""

    said_before: np.ndarray
    memory_before: np.ndarray
    enter: np.ndarray
    keep: np.ndarray
    leave: np.ndarray
    candidate: np.ndarray
    memory: np.ndarray
    said: np.ndarray


@dataclass(frozen=True, eq=False)
class Look:
    """One look at the photograph: what was asked for, how much each region fits, and the mixture that comes of it.

    Attention as it was first published has one head, and looks before the LSTM reads the word.
    """

    query: np.ndarray  # (image_units,)
    heads: np.ndarray  # (heads, regions)
    weights: np.ndarray  # (regions,), their mean over the heads
    context: np.ndarray  # (image_units,)


@dataclass(frozen=True, eq=False)
class Step:
    """One word further, number by number. `look` is None without attention, `added` is what entry by merge adds."""

    word: int
    vector: np.ndarray  # (dimensions,)
    cells: tuple[Cell, ...]
    look: Look | None
    added: np.ndarray | None  # (units,)
    hidden: np.ndarray | None  # (hidden_units,)
    scores: np.ndarray  # (vocabulary,), the logits
    log_probabilities: np.ndarray  # (vocabulary,)
    chosen: int

    def likeliest(self, count: int) -> list[int]:
        return np.argsort(-self.scores, kind="stable")[:count].tolist()


State = tuple[tuple[np.ndarray, np.ndarray], ...]  # what each layer said and remembers


def sigmoid(values: np.ndarray) -> np.ndarray:
    """How far a gate is open: 0 is shut, 1 is open."""
    return 1 / (1 + np.exp(-values))


def softmax(scores: np.ndarray) -> np.ndarray:
    """Shares of one. Taking away the largest changes none of them, and keeps the exponentials small."""
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


class Anatomy:
    """A decoder with one photograph before it, (regions, channels)."""

    def __init__(self, checkpoint: Checkpoint, features: np.ndarray):
        self.config, self.table = checkpoint.preset.decoder, checkpoint.table.vectors.astype(np.float64)
        self.weights = {name: value.astype(np.float64) for name, value in checkpoint.weights.items()}
        self.grid = self._project(features.astype(np.float64))

    def caption(self, maximum_words: int = SearchConfig.maximum_words) -> tuple[Step, ...]:
        """Greedy: at every step the likeliest word, to the end or to the longest sentence."""
        steps, word, state = [], START, self.first_state()
        while len(steps) < maximum_words and word != END:
            steps.append(self.step(word, state))
            word, state = steps[-1].chosen, tuple((cell.said, cell.memory) for cell in steps[-1].cells)
        return tuple(steps)

    def first_state(self) -> State:
        """What each layer says and remembers before the first word: zeros, or made from the photograph."""
        units, layers = self.config.units, range(self.config.layers)
        state = tuple((np.zeros(units), np.zeros(units)) for _ in layers)
        if self.config.image_entry == "pre":
            return tuple((cell.said, cell.memory) for cell in self._read(self.grid, state))
        if self.config.image_entry == "merge":
            return state
        whole = self.grid.mean(axis=0) if self.config.image_entry == "attention" else self.grid
        return tuple(
            (np.tanh(self._dense(f"start_h{layer}", whole)), np.tanh(self._dense(f"start_c{layer}", whole))) for layer in layers
        )

    def step(self, word: int, state: State) -> Step:
        vector = self.table[word]
        look = self._look_before(state[0][0]) if self.config.additive else None
        cells = self._read(vector, state, look)
        values, added = cells[-1].said, None
        if self.config.image_entry == "attention":
            look = look or self._look(values)
            values = np.concatenate([values, look.context])
        elif self.config.image_entry == "merge":
            added = self.grid
            values = values + added
        hidden = np.maximum(self._dense("hidden", values), 0) if self.config.hidden_units else None
        scores = self._dense("words", values if hidden is None else hidden)
        logs = scores - scores.max() - math.log(np.exp(scores - scores.max()).sum())
        allowed = logs.copy()
        allowed[list(NEVER_WRITTEN)] = -np.inf
        return Step(word, vector, cells, look, added, hidden, scores, logs, int(allowed.argmax()))

    def _project(self, features: np.ndarray) -> np.ndarray:
        """What the decoder sees: every region, (regions, image_units), or of their mean or of blocks end to end one vector.

        That has as many numbers as a word's with entry by pre, otherwise (image_units,).
        """
        seen = features if self.config.image_entry == "attention" else features.mean(axis=0)
        seen = (block_means(len(features)) @ features).ravel() if self.config.pooling == "blocks" else seen
        seen = self._dense("image", seen)
        return self._normalised(seen if self.config.image_entry == "pre" else np.maximum(seen, 0))

    def _normalised(self, seen: np.ndarray) -> np.ndarray:
        """By the mean and variance that training left, where the recipe has batch normalisation."""
        if self.config.image_norm == "none":
            return seen
        scale, bias, mean, variance = (self.weights[f"image_norm/{part}"] for part in ("scale", "bias", "mean", "variance"))
        return (seen - mean) / np.sqrt(variance + NORM_EPSILON) * scale + bias

    def _read(self, inputs: np.ndarray, state: State, look: Look | None = None) -> tuple[Cell, ...]:
        """One vector through all layers; what a layer says is what the next one reads. What was seen before enters the first."""
        cells: list[Cell] = []
        for number, (said, memory) in enumerate(state):
            gates = self._dense(f"lstm{number}", cells[-1].said if cells else inputs)
            if look is not None and number == 0:
                gates = gates + look.context @ self.weights["context/kernel"]
            cells.append(self._cell(gates + said @ self.weights[f"lstm{number}/recurrent_kernel"], said, memory))
        return tuple(cells)

    def _cell(self, gates: np.ndarray, said: np.ndarray, memory: np.ndarray) -> Cell:
        """From the gates, (4 * units,)."""
        squash = ACTIVATIONS[self.config.activation]
        enter, keep, leave, candidate = np.split(gates, 4)
        enter, keep, leave, candidate = sigmoid(enter), sigmoid(keep), sigmoid(leave), squash(candidate)
        new = keep * memory + enter * candidate
        return Cell(said, memory, enter, keep, leave, candidate, new, leave * squash(new))

    def _look_before(self, said: np.ndarray) -> Look:
        """Every region is compared with what was said last, through a hyperbolic tangent, and those that fit are mixed."""
        query = self._dense("query", said)
        fits = np.tanh(self.grid @ self.weights["keys/kernel"] + query) @ self.weights["energy/kernel"][:, 0]  # (regions,)
        weights = softmax(fits)
        return Look(query, weights[None], weights, weights @ self.grid)

    def _look(self, said: np.ndarray) -> Look:
        """Each head compares its part of the query with its part of every region, and mixes the regions that fit."""
        query, heads = self._dense("query", said), self.config.heads
        parts = zip(np.split(query, heads), np.split(self.grid, heads, axis=1), strict=True)
        fits, mixtures = [], []
        for asked, regions in parts:
            fits.append(softmax(regions @ asked / math.sqrt(len(asked))))  # (regions,)
            mixtures.append(fits[-1] @ regions)
        return Look(query, np.array(fits), np.mean(fits, axis=0), np.concatenate(mixtures))

    def _dense(self, name: str, inputs: np.ndarray) -> np.ndarray:
        return inputs @ self.weights[f"{name}/kernel"] + self.weights[f"{name}/bias"]


def largest(weights: Sequence[float] | np.ndarray, columns: int) -> tuple[int, int]:
    """Row and column of the largest weight of a grid, both counted from one."""
    row, column = divmod(int(np.argmax(weights)), columns)
    return row + 1, column + 1
