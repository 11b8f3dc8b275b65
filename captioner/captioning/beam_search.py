"""Find captions over a step function: greedy, beam and sampling in one loop, batched over images.

Knows only NumPy and word ids; decoders supply the step, the vocabulary supplies the words.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from captioner.captioning.hypotheses import Hypothesis, Lattice, Layer, Leaf, take_best
from captioner.captioning.search_trace import Considered, Fate, Trace
from captioner.config import SearchConfig
from captioner.errors import CheckpointError, ConfigError
from captioner.vocabulary import END, PADDING, START, UNKNOWN

MAXIMUM_BEAM = 50
MAXIMUM_LENGTH_PREFERENCE = 10.0
METHODS = ("beam", "greedy", "sample")
FORBIDDEN = (PADDING, START, UNKNOWN)
_DAMAGED = "The decoder gave a probability that is not a number: its weights are damaged, train it again."

State = tuple[np.ndarray, ...]
"""What a step remembers; the first axis of every part is the row, one row per hypothesis."""


class Step(Protocol):
    """One word further. The search keeps the arrays that it returns, so a step must not write into them again."""

    def __call__(self, state: State, words: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, State, np.ndarray | None]:
        """Take the previous word and the image of each row, both int32 (rows,).

        Return log-probabilities (rows, vocabulary), the new state, and attention (rows, regions) or None.
        """


class Shortlist(Protocol):
    """A step that returns only the most probable words."""

    def __call__(
        self, state: State, words: np.ndarray, images: np.ndarray, count: int, forbidden: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, State, np.ndarray | None]:
        """Return each row's top `count` allowed words and their log-probabilities, both (rows, count); ties: lower id first.

        Then the new state and attention, as `Step` does.
        """


def search(
    step: Step,
    state: State,
    images: int,
    config: SearchConfig,
    forbidden: Sequence[int] = FORBIDDEN,
    prefix: Sequence[int] = (),
    trace: Trace | None = None,
    shortlist: Shortlist | None = None,
) -> list[list[Hypothesis]]:
    """Caption `images` images, whose first state has one row each; return the hypotheses of each, best first.

    - The end word finishes a hypothesis. Score: log-probability / (words + 1) ** length_preference.
    - Beam: of an image's best `beam` continuations those that end are finished, and the best `beam` that do not end
      live on, so the beam never narrows. The image stops as soon as `beam` hypotheses are finished.
    - Hypotheses without an end after `maximum_words` words only fill the list up to `beam`. They rank after every finished
      one, because their score lacks the end word.
    - Greedy is beam 1. Sampling draws each word from softmax(log-probability / temperature).
    - Forbidden words are never chosen; the probabilities reported are the step's own, not renormalised.
    - No image's result depends on its batch. Sampling therefore starts every image's generator with the same seed:
      equal images get equal captions, and another seed gives another sample.
    - The log-probabilities of all steps are kept for the alternatives; with `alternatives` 0 they are not.
    - Every caption begins with the words of `prefix`, whatever their probability, forbidden or not; an end word in it is
      the end. The words of the prefix count towards `maximum_words`.
    - `trace` records every continuation that was considered, for a single image.
    - `shortlist` replaces `step` where only the best words matter; it finds the same captions faster.
    """
    check(config)
    if trace is not None and images != 1:
        raise ConfigError(f"A search can be traced for one photograph at a time, not for {images}.")
    if len(prefix) > config.maximum_words:
        raise ConfigError(f"A caption may have {config.maximum_words} words, but its beginning has {len(prefix)}; shorten it.")
    short = not (config.method == "sample" or config.alternatives or prefix or trace)
    run = _Search(
        step, config, np.unique(np.asarray(forbidden, dtype=np.intp)), images, tuple(prefix), trace, shortlist if short else None
    )
    run.grow(state)
    return [
        run.lattice.read(leaves, run.beam, config.length_preference, config.alternatives, run.forbidden) for leaves in run.leaves
    ]


def follow(step: Step, state: State, ids: Sequence[int], alternatives: int = SearchConfig.alternatives) -> Hypothesis:
    """Score a given caption word by word, with its end word if it has one."""
    config = SearchConfig(method="greedy", maximum_words=max(1, len(ids)), alternatives=alternatives)
    return search(step, state, 1, config, prefix=ids)[0][0]


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


def _draw(scores: np.ndarray, temperature: float, uniform: float) -> np.ndarray:
    """One column per row, (rows, 1), drawn in proportion to exp(score / temperature)."""
    with np.errstate(over="ignore", invalid="ignore"):
        cumulative = np.exp((scores - scores.max(axis=1, keepdims=True)) / temperature).cumsum(axis=1)
    total = cumulative[:, -1:]
    # Rounding must not lift the threshold to the total itself, or the column after the last would be drawn.
    return (cumulative <= np.minimum(uniform * total, np.nextafter(total, 0))).sum(axis=1, keepdims=True)


def _rows_and_columns(choices: np.ndarray, columns: int, totals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places among the continuations of each image, (live, choices), as the row that is continued and the column in it."""
    first_rows = np.arange(0, totals.size, totals.shape[1])[:, None]
    return choices // columns + first_rows, choices % columns


def _check_numbers(log_probabilities: np.ndarray) -> None:
    if np.isnan(log_probabilities.max()):
        raise CheckpointError(_DAMAGED)


class Choices(NamedTuple):
    """The candidates of each image, best first; every array is (live, choices)."""

    parents: np.ndarray
    words: np.ndarray
    sums: np.ndarray
    gains: np.ndarray


_Grown = tuple[np.ndarray, np.ndarray, State, np.ndarray | None]  # the images that go on, their totals, and what a step gave


class _Search:
    """One search: the live images, and the finished hypotheses of each."""

    def __init__(
        self,
        step: Step,
        config: SearchConfig,
        forbidden: np.ndarray,
        images: int,
        prefix: tuple[int, ...] = (),
        trace: Trace | None = None,
        shortlist: Shortlist | None = None,
    ):
        self.step, self.config, self.forbidden, self.prefix, self.trace = step, config, forbidden, prefix, trace
        self.shortlist = shortlist
        self.beam = config.beam if config.method == "beam" else 1
        self.uniform = np.random.default_rng(config.seed).random(config.maximum_words) if config.method == "sample" else None
        self.leaves: list[list[Leaf]] = [[] for _ in range(images)]
        self.lattice = Lattice(images, START)

    def grow(self, state: State) -> None:
        """Lengthen every live hypothesis word by word; drop an image once `beam` of its hypotheses are finished."""
        live = np.arange(len(self.leaves), dtype=np.int32)  # (live,)
        totals = np.zeros((len(live), 1))  # (live, width)
        while live.size and len(self.lattice) < self.config.maximum_words:
            further = self._look_at_few if self.shortlist else self._look_at_all
            live, totals, state, attention = further(live, totals, state)
            if attention is not None:
                self.lattice.attention.append(attention)
            state = tuple(part.take(self.lattice.last.parents, axis=0) for part in state)
        self._close(live, totals)

    def _look_at_few(self, live: np.ndarray, totals: np.ndarray, state: State) -> _Grown:
        """Lengthen by the best words of every row; the best continuations of an image are among them."""
        owners, count = live.repeat(totals.shape[1]), 2 * self.beam
        assert self.shortlist is not None  # grow chooses this method only with one.
        words, gains, state, attention = self.shortlist(state, self.lattice.last.words, owners, count, self.forbidden)
        _check_numbers(gains)
        scores = (totals.reshape(-1, 1) + gains).reshape(len(live), -1)  # (live, width * count)
        choices, sums = take_best(scores, min(count, scores.shape[1]))
        parents, places = _rows_and_columns(choices, gains.shape[1], totals)
        found = Choices(parents, words[parents, places], sums, gains[parents, places])
        return *self._lengthen(live, totals, found), state, attention

    def _look_at_all(self, live: np.ndarray, totals: np.ndarray, state: State) -> _Grown:
        """Lengthen by any word of the vocabulary, or by that of the prefix."""
        owners = live.repeat(totals.shape[1])
        log_probabilities, state, attention = self.step(state, self.lattice.last.words, owners)
        if self.config.alternatives:
            self.lattice.log_probabilities.append(log_probabilities)
        _check_numbers(log_probabilities)
        if len(self.lattice) < len(self.prefix):
            return *self._force(live, totals, log_probabilities), state, attention
        scores = totals.reshape(-1, 1) + log_probabilities  # (rows, vocabulary)
        scores[:, self.forbidden] = -np.inf
        choices, sums = self._choose(scores.reshape(len(live), -1))  # (live, choices)
        parents, words = _rows_and_columns(choices, scores.shape[1], totals)
        found = Choices(parents, words, sums, log_probabilities[parents, words])
        return *self._lengthen(live, totals, found), state, attention

    def _lengthen(self, live: np.ndarray, totals: np.ndarray, choices: Choices) -> tuple[np.ndarray, np.ndarray]:
        """Add a layer; return the images that go on and the log-probabilities of their hypotheses."""
        parents, words, sums, gains = choices
        ends = words == END
        self._finish(live, parents, ends & (sums > -np.inf), gains)
        kept = ends.argsort(axis=1, kind="stable")[:, : self.beam]
        if self.trace is not None:
            self.trace.note(self._considered(choices, kept[0]))
        places = np.arange(len(live))[:, None]
        sums = np.where(ends, -np.inf, sums)[places, kept]
        going = self._going(live, totals, (sums > -np.inf).any(axis=1))
        parents, words, gains = (part[places, kept][going].ravel() for part in (parents, words, gains))
        self.lattice.layers.append(Layer(words.astype(np.int32), parents, gains))
        return live[going], sums[going]

    def _force(self, live: np.ndarray, totals: np.ndarray, log_probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Add the prefix's word, and nothing else, to the one hypothesis of each image."""
        word, rows = self.prefix[len(self.lattice)], np.arange(len(live))
        gains = log_probabilities[:, word]
        totals = totals + gains[:, None]
        if self.trace is not None:
            fate: Fate = "finished" if word == END else "kept"
            self.trace.note([Considered(0, word, float(gains[0]), float(totals[0, 0]), fate)])
        if word == END:
            self._finish(live, rows[:, None], np.ones((len(live), 1), bool), gains[:, None])
            return live[:0], totals[:0]
        self.lattice.layers.append(Layer(np.full(len(live), word, np.int32), rows, gains))
        return live, totals

    def _considered(self, choices: Choices, kept: np.ndarray) -> Iterator[Considered]:
        """The continuations of the one image; those that go on come in the order of the next layer's rows."""
        parents, words, sums, gains = (part[0].tolist() for part in choices)
        going = {int(place) for place in kept if words[place] != END}
        for place, (parent, word, total, gain) in enumerate(zip(parents, words, sums, gains, strict=True)):
            if total > -math.inf:
                finished = word == END and place < self.beam
                fate: Fate = "kept" if place in going else "finished" if finished else "dropped"
                yield Considered(parent, word, gain, total, fate)

    def _choose(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The candidates and their scores: the one drawn, or 2 * beam, so that `beam` remain without the ended ones."""
        if self.uniform is None:
            return take_best(scores, min(2 * self.beam, scores.shape[1]))
        drawn = _draw(scores, self.config.temperature, self.uniform[len(self.lattice)])
        return drawn, np.take_along_axis(scores, drawn, axis=1)

    def _finish(self, live: np.ndarray, parents: np.ndarray, ended: np.ndarray, gains: np.ndarray) -> None:
        if not ended.any():
            return
        for place, choice in np.argwhere(ended[:, : self.beam]).tolist():
            leaf = self.lattice.leaf(int(parents[place, choice]), float(gains[place, choice]))
            self.leaves[live[place]].append(leaf)

    def _going(self, live: np.ndarray, totals: np.ndarray, possible: np.ndarray) -> np.ndarray:
        """Which images go on; one with no continuation and nothing finished returns its unfinished hypotheses."""
        counts = np.array([len(self.leaves[image]) for image in live.tolist()])
        stuck = ~possible & (counts == 0)
        if stuck.any():
            self._close(live, np.where(stuck[:, None], totals, -np.inf))
        return possible & (counts < self.beam)

    def _close(self, live: np.ndarray, totals: np.ndarray) -> None:
        """Take the hypotheses of the last layer as they are, unfinished."""
        for place, column in np.argwhere(totals > -np.inf).tolist():
            self.leaves[live[place]].append(self.lattice.leaf(place * totals.shape[1] + column))
