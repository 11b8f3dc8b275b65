"""The layers of a search and how hypotheses are read from them, backwards, when it is over.

Filled by `captioner.captioning.beam_search`; knows only NumPy and word ids.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One caption and why; a tuple over steps has one entry per word, and one for the end when it is finished."""

    ids: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    alternatives: tuple[tuple[tuple[int, float], ...], ...]
    attention: np.ndarray | None = field(repr=False)  # (steps, regions)
    score: float
    finished: bool

    @cached_property
    def log_probability(self) -> float:
        return math.fsum(self.log_probabilities)


class Layer(NamedTuple):
    """All live hypotheses of one length, one per row: the last word, the row before, and the word's log-probability."""

    words: np.ndarray  # (rows,)
    parents: np.ndarray  # (rows,)
    gains: np.ndarray  # (rows,)


class Leaf(NamedTuple):
    """Where a hypothesis stops: a row of a layer, and the end word's log-probability when it is finished."""

    layer: int
    row: int
    end: float | None


class _Path(NamedTuple):
    """A leaf read back to the start: one row per step, the words, and the log-probability of every step."""

    rows: list[int]
    ids: list[int]
    gains: list[float]
    finished: bool

    def score(self, length_preference: float) -> float:
        return math.fsum(self.gains) / (len(self.ids) + 1) ** length_preference


class Lattice:
    """All hypotheses of a search; the alternatives and the attention of a step lie beside its layer."""

    def __init__(self, images: int, first_word: int):
        self.layers = [Layer(np.full(images, first_word, dtype=np.int32), np.arange(images), np.zeros(images))]
        self.alternatives: list[tuple[np.ndarray, np.ndarray]] = []  # words and log-probabilities, (rows, alternatives)
        self.attention: list[np.ndarray] = []

    @property
    def last(self) -> Layer:
        return self.layers[-1]

    def __len__(self) -> int:
        """The number of words of the longest hypotheses."""
        return len(self.layers) - 1

    def leaf(self, row: int, end: float | None = None) -> Leaf:
        """A row of the last layer, where a hypothesis stops."""
        return Leaf(len(self), row, end)

    def note(self, words: np.ndarray, log_probabilities: np.ndarray, count: int) -> None:
        """Add a step's `count` most probable words of each row, which come best first."""
        if count:
            self.alternatives.append((words[:, :count], log_probabilities[:, :count]))

    @cached_property
    def _plain(self) -> list[tuple[list[int], list[int], list[float]]]:
        """The layers as lists, for faster access to single numbers; built after the last layer."""
        return [(layer.words.tolist(), layer.parents.tolist(), layer.gains.tolist()) for layer in self.layers]

    def read(self, leaves: Sequence[Leaf], count: int, length_preference: float) -> list[Hypothesis]:
        """The best of an image's hypotheses, finished before unfinished, each kind best first."""
        paths = [self._path(leaf) for leaf in leaves]
        paths = sorted(paths, key=lambda path: (not path.finished, -path.score(length_preference)))[:count]
        return [
            Hypothesis(
                ids=tuple(path.ids),
                log_probabilities=tuple(path.gains),
                alternatives=tuple(self._alternatives(step, row) for step, row in enumerate(path.rows)),
                attention=self._attention(path.rows),
                score=path.score(length_preference),
                finished=path.finished,
            )
            for path in paths
        ]

    def _path(self, leaf: Leaf) -> _Path:
        finished, row = leaf.end is not None, leaf.row
        path = _Path([row] * finished, [], [] if leaf.end is None else [leaf.end], finished)
        for words, parents, gains in self._plain[leaf.layer : 0 : -1]:
            path.ids.append(words[row])
            path.gains.append(gains[row])
            row = parents[row]
            path.rows.append(row)
        return _Path(path.rows[::-1], path.ids[::-1], path.gains[::-1], finished)

    def _alternatives(self, step: int, row: int) -> tuple[tuple[int, float], ...]:
        """The most probable allowed words, with their probabilities."""
        if not self.alternatives:
            return ()
        words, probabilities = self._plain_alternatives[step]
        return tuple(pair for pair in zip(words[row], probabilities[row], strict=True) if pair[1] > 0)

    @cached_property
    def _plain_alternatives(self) -> list[tuple[list[list[int]], list[list[float]]]]:
        return [(words.tolist(), np.exp(values.astype(np.float64)).tolist()) for words, values in self.alternatives]

    def _attention(self, rows: list[int]) -> np.ndarray | None:
        if not self.attention:
            return None
        steps = [self.attention[step][row] for step, row in enumerate(rows)]
        return np.stack(steps) if steps else self.attention[0][:0]  # (steps, regions)


def take_best(scores: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The columns of the `count` highest scores of each row and these scores, highest first; overwrites them in `scores`.

    For a beam's few columns, repeated argmax is several times faster than a partition.
    """
    firsts = np.arange(0, scores.size, max(1, scores.shape[1]))
    columns = np.empty((len(scores), count), dtype=np.intp)
    values = np.empty((len(scores), count), dtype=scores.dtype)
    for place in range(count):
        columns[:, place] = best = scores.argmax(axis=1)
        best += firsts
        values[:, place] = scores.take(best)
        scores.put(best, -np.inf)
    return columns, values
