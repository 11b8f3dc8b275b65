"""Find captions over a step function: greedy, beam and sampling in one loop, batched over images.

Knows NumPy and the numbers of words only; what a step computes, and which word a number means, is left to others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from captioner.config import SearchConfig
from captioner.errors import CheckpointError, ConfigError
from captioner.vocabulary import END, PADDING, START, UNKNOWN

MAXIMUM_BEAM = 50
MAXIMUM_LENGTH_PREFERENCE = 10.0
METHODS = ("beam", "greedy", "sample")

State = tuple[np.ndarray, ...]
"""What a step remembers; the first axis of every part is the row, one row per hypothesis."""


class Step(Protocol):
    """One word further. The search keeps the arrays that it returns, so a step must not write into them again."""

    def __call__(self, state: State, words: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, State, np.ndarray | None]:
        """Take the previous word and the image of each row, both int32 (rows,).

        Return log-probabilities (rows, vocabulary), the new state, and attention (rows, regions) or None.
        """


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


def search(
    step: Step, state: State, images: int, config: SearchConfig, forbidden: Sequence[int] = (PADDING, START, UNKNOWN)
) -> list[list[Hypothesis]]:
    """Caption `images` images, whose first state has one row each; return the hypotheses of each, best first.

    - The end word finishes a hypothesis. Score: log-probability / (words + 1) ** length_preference.
    - Beam: of an image's best `beam` continuations those that end are finished, and the best `beam` that do not end
      live on, so the beam never narrows. The image stops as soon as `beam` hypotheses are finished.
    - What still lives after `maximum_words` words is closed unfinished and only fills the list up to `beam`: it comes
      after every finished hypothesis, because it never paid for its end.
    - Greedy is beam 1. Sampling draws each word from softmax(log-probability / temperature).
    - Forbidden words are never chosen; the probabilities reported are the step's own, not renormalised.
    - No image's result depends on its batch. Sampling therefore starts every image's generator with the same seed:
      equal images get equal captions, and another seed gives another sample.
    - The log-probabilities of all steps are kept for the alternatives; with `alternatives` 0 they are not.
    """
    check(config)
    run = _Search(step, config, np.unique(np.asarray(forbidden, dtype=np.intp)), images)
    run.grow(state)
    return [run.hypotheses(image) for image in range(images)]


def check(config: SearchConfig) -> None:
    """Refuse settings that no search can follow."""
    limit = MAXIMUM_LENGTH_PREFERENCE
    rules = (
        ("method", config.method in METHODS, f"one of {', '.join(METHODS)}"),
        ("beam", 1 <= config.beam <= MAXIMUM_BEAM, f"a whole number from 1 to {MAXIMUM_BEAM}"),
        ("length_preference", abs(config.length_preference) <= limit, f"a number from {-limit:g} to {limit:g}"),
        ("temperature", 0 < config.temperature < math.inf, "a number above 0"),
        ("seed", config.seed >= 0, "0 or more"),
        ("maximum_words", config.maximum_words >= 1, "1 or more"),
        ("alternatives", config.alternatives >= 0, "0 or more"),
    )
    for name, fits, expected in rules:
        if not fits:
            raise ConfigError(f"The search setting '{name}' should be {expected}, but is {getattr(config, name)!r}.")


def take_best(scores: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The columns of the `count` highest scores of each row and those scores, highest first; they are taken out of `scores`.

    For the few columns of a beam, maximum after maximum is several times faster than a partition.
    """
    rows = np.arange(len(scores))
    columns = np.empty((len(scores), count), dtype=np.intp)
    values = np.empty((len(scores), count), dtype=scores.dtype)
    for place in range(count):
        columns[:, place] = column = scores.argmax(axis=1)
        values[:, place] = scores[rows, column]
        scores[rows, column] = -np.inf
    return columns, values


def _draw(scores: np.ndarray, temperature: float, uniform: float) -> np.ndarray:
    """One column per row, (rows, 1), drawn in proportion to exp(score / temperature)."""
    with np.errstate(over="ignore", invalid="ignore"):
        cumulative = np.exp((scores - scores.max(axis=1, keepdims=True)) / temperature).cumsum(axis=1)
    total = cumulative[:, -1:]
    # Rounding must not lift the threshold to the total itself, or the column after the last would be drawn.
    return (cumulative <= np.minimum(uniform * total, np.nextafter(total, 0))).sum(axis=1, keepdims=True)


class _Layer(NamedTuple):
    """All live hypotheses of one length, one per row: the last word, the row before, and the word's log-probability."""

    words: np.ndarray  # (rows,)
    parents: np.ndarray  # (rows,)
    gains: np.ndarray  # (rows,)


class _Leaf(NamedTuple):
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


class _Search:
    """The layers of one search; hypotheses are read from them backwards when it is over."""

    def __init__(self, step: Step, config: SearchConfig, forbidden: np.ndarray, images: int):
        self.step, self.config, self.forbidden = step, config, forbidden
        self.beam = config.beam if config.method == "beam" else 1
        self.uniform = np.random.default_rng(config.seed).random(config.maximum_words) if config.method == "sample" else None
        self.leaves: list[list[_Leaf]] = [[] for _ in range(images)]
        self.layers = [_Layer(np.full(images, START, dtype=np.int32), np.arange(images), np.zeros(images))]
        self.log_probabilities: list[np.ndarray] = []
        self.attention: list[np.ndarray] = []

    def grow(self, state: State) -> None:
        """Lengthen every live hypothesis word by word; an image that has enough leaves, and its rows with it."""
        live = np.arange(len(self.leaves), dtype=np.int32)  # (live,)
        totals = np.zeros((len(live), 1))  # (live, width)
        while live.size and len(self.layers) <= self.config.maximum_words:
            layer = self.layers[-1]
            log_probabilities, state, attention = self.step(state, layer.words, live.repeat(totals.shape[1]))
            if self.config.alternatives:
                self.log_probabilities.append(log_probabilities)
            if attention is not None:
                self.attention.append(attention)
            live, totals = self._lengthen(live, totals, log_probabilities)
            state = tuple(part.take(self.layers[-1].parents, axis=0) for part in state)
        self._close(live, totals)

    def _lengthen(self, live: np.ndarray, totals: np.ndarray, log_probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Add a layer; return the images that go on and the log-probabilities of their hypotheses."""
        if np.isnan(log_probabilities.max()):
            raise CheckpointError("The decoder gave a probability that is not a number: its weights are damaged, train it again.")
        vocabulary = log_probabilities.shape[1]
        scores = totals.reshape(-1, 1) + log_probabilities  # (rows, vocabulary)
        scores[:, self.forbidden] = -np.inf
        scores = scores.reshape(len(live), -1)  # (live, width * vocabulary)
        choices, sums = self._choose(scores)  # (live, choices)
        first_rows = np.arange(0, totals.size, totals.shape[1])[:, None]
        parents, words = choices // vocabulary + first_rows, choices % vocabulary
        ends = words == END
        self._finish(live, parents, ends & (sums > -np.inf), log_probabilities)
        kept = ends.argsort(axis=1, kind="stable")[:, : self.beam]
        places = np.arange(len(live))[:, None]
        sums = np.where(ends, -np.inf, sums)[places, kept]
        going = self._going(live, totals, (sums > -np.inf).any(axis=1))
        parents, words = (part[places, kept][going].ravel() for part in (parents, words))
        self.layers.append(_Layer(words.astype(np.int32), parents, log_probabilities[parents, words]))
        return live[going], sums[going]

    def _choose(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The columns to look at and their scores: the one drawn, or so many that `beam` are left without the ends."""
        if self.uniform is None:
            return take_best(scores, min(2 * self.beam, scores.shape[1]))
        drawn = _draw(scores, self.config.temperature, self.uniform[len(self.layers) - 1])
        return drawn, np.take_along_axis(scores, drawn, axis=1)

    def _finish(self, live: np.ndarray, parents: np.ndarray, ended: np.ndarray, log_probabilities: np.ndarray) -> None:
        if not ended.any():
            return
        for place, choice in np.argwhere(ended[:, : self.beam]).tolist():
            row = int(parents[place, choice])
            self.leaves[live[place]].append(_Leaf(len(self.layers) - 1, row, float(log_probabilities[row, END])))

    def _going(self, live: np.ndarray, totals: np.ndarray, possible: np.ndarray) -> np.ndarray:
        """Which images go on; one with nothing finished and nothing possible is closed as it stands, to return something."""
        counts = np.array([len(self.leaves[image]) for image in live.tolist()])
        stuck = ~possible & (counts == 0)
        if stuck.any():
            self._close(live, np.where(stuck[:, None], totals, -np.inf))
        return possible & (counts < self.beam)

    def _close(self, live: np.ndarray, totals: np.ndarray) -> None:
        """Take the hypotheses of the last layer as they are, unfinished."""
        for place, column in np.argwhere(totals > -np.inf).tolist():
            self.leaves[live[place]].append(_Leaf(len(self.layers) - 1, place * totals.shape[1] + column, None))

    def hypotheses(self, image: int) -> list[Hypothesis]:
        """The image's hypotheses, finished before unfinished, each kind best first."""
        power = self.config.length_preference
        paths = [self._path(leaf) for leaf in self.leaves[image]]
        paths = sorted(paths, key=lambda path: (not path.finished, -path.score(power)))[: self.beam]
        nodes = sorted({node for path in paths for node in enumerate(path.rows)})
        alternatives = dict(zip(nodes, self._alternatives(nodes), strict=True))
        return [
            Hypothesis(
                ids=tuple(path.ids),
                log_probabilities=tuple(path.gains),
                alternatives=tuple(alternatives[node] for node in enumerate(path.rows)),
                attention=self._attention(path.rows),
                score=path.score(power),
                finished=path.finished,
            )
            for path in paths
        ]

    def _path(self, leaf: _Leaf) -> _Path:
        finished, row = leaf.end is not None, leaf.row
        path = _Path([row] * finished, [], [leaf.end] * finished, finished)
        for layer in self.layers[leaf.layer : 0 : -1]:
            path.ids.append(int(layer.words[row]))
            path.gains.append(float(layer.gains[row]))
            row = int(layer.parents[row])
            path.rows.append(row)
        return _Path(path.rows[::-1], path.ids[::-1], path.gains[::-1], finished)

    def _alternatives(self, nodes: list[tuple[int, int]]) -> list[tuple[tuple[int, float], ...]]:
        """The most probable allowed words at each (step, row), with their probabilities."""
        if not nodes or not self.config.alternatives:
            return [()] * len(nodes)
        rows = np.stack([self.log_probabilities[step][row] for step, row in nodes])  # (nodes, vocabulary)
        rows[:, self.forbidden] = -np.inf
        words, values = take_best(rows, min(self.config.alternatives, rows.shape[1] - len(self.forbidden)))
        return [
            tuple(pair for pair in zip(*pairs, strict=True) if pair[1] > 0)
            for pairs in zip(words.tolist(), np.exp(values.astype(np.float64)).tolist(), strict=True)
        ]

    def _attention(self, rows: list[int]) -> np.ndarray | None:
        if not self.attention:
            return None
        steps = [self.attention[step][row] for step, row in enumerate(rows)]
        return np.stack(steps) if steps else self.attention[0][:0]  # (steps, regions)
