"""Find captions over a step function: greedy, beam and sampling in one loop, batched over images.

Knows only NumPy and word ids; decoders supply the step, the vocabulary supplies the words.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

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
    """One word further. The search keeps the attention and overwrites the scores, so a step must not use them again."""

    def __call__(
        self, state: State, words: np.ndarray, images: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, State, np.ndarray | None]:
        """Take the previous word of each row (rows,) and the images that go on (live,), both int32.

        The rows of an image follow each other; every image has as many. Return each word's score (rows, vocabulary), what
        to subtract from a row's scores to get log-probabilities (rows, 1), the new state, and attention (rows, regions) or
        None.
        """


def search(
    step: Step,
    state: State,
    images: int,
    config: SearchConfig,
    forbidden: Sequence[int] = FORBIDDEN,
    prefix: ArrayLike = (),
    trace: Trace | None = None,
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
    - Every caption begins with the words of `prefix`, (words,), or its image's own, (images, words), whatever their
      probability, forbidden or not; an end word in it is the end. They count towards `maximum_words`.
    - `trace` records every continuation that was considered, for a single image.
    """
    check(config)
    if trace is not None and images != 1:
        raise ConfigError(f"A search can be traced for one photograph at a time, not for {images}.")
    if (given := np.shape(prefix)[-1]) > config.maximum_words:
        raise ConfigError(f"A caption may have {config.maximum_words} words, but its beginning has {given}; shorten it.")
    prefixes = np.broadcast_to(np.asarray(prefix, np.int32), (images, given))
    run = Search(step, config, np.unique(np.asarray(forbidden, dtype=np.intp)), prefixes, trace)
    run.grow(state)
    return [run.lattice.read(leaves, run.beam, config.length_preference) for leaves in run.leaves]


def follow(step: Step, state: State, ids: Sequence[int], alternatives: int = SearchConfig.alternatives) -> Hypothesis:
    """Score a given caption word by word, with its end word if it has one."""
    config = SearchConfig(method="greedy", maximum_words=max(1, len(ids)), alternatives=alternatives)
    return search(step, state, 1, config, prefix=ids)[0][0]


def rate(step: Step, state: State, captions: Sequence[Sequence[int]]) -> np.ndarray:
    """The log-probabilities of several whole captions of one image, (captions,), each with its end word."""
    order = sorted(range(len(captions)), key=lambda number: -len(captions[number]))
    targets = [[*captions[number], END] for number in order]  # longest first, so that those that go on are the first rows
    rows, words, found = np.zeros(len(captions), int), np.full(len(captions), START, np.int32), np.zeros(len(captions))
    for place in range(len(targets[0]) if targets else 0):
        going = sum(place < len(words) for words in targets)
        scores, normalisers, state, _ = step(tuple(part[rows[:going]] for part in state), words[:going], np.zeros(1, np.int32))
        words = np.array([targets[row][place] for row in range(going)], np.int32)
        found[:going] += scores[np.arange(going), words] - normalisers[:, 0]
        rows = np.arange(going)
    return found[np.argsort(order)]


def follow_each(step: Step, state: State, captions: np.ndarray) -> np.ndarray:
    """The log-probability of each word of one caption for each image, both (images, words); its end counts if it is given."""
    images, words, found = np.arange(len(captions), dtype=np.int32), np.full(len(captions), START, np.int32), []
    for following in captions.T:
        scores, normalisers, state, _ = step(state, words, images)
        words = following.astype(np.int32)
        found.append(scores[images, words] - normalisers[:, 0])
    return np.stack(found, axis=1)


def next_word(step: Step, state: State, words: Sequence[int]) -> np.ndarray:
    """The probability of each word after the first words of one image's caption, (vocabulary,)."""
    image = np.zeros(1, np.int32)
    for word in (START, *words):
        scores, normalisers, state, _ = step(state, np.array([word], np.int32), image)
    return np.exp(scores[0] - normalisers[0])


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


class Choices(NamedTuple):
    """The candidates of each image, best first; every array is (live, choices)."""

    parents: np.ndarray
    words: np.ndarray
    sums: np.ndarray
    gains: np.ndarray


class Search:
    """One search: the live images, and the finished hypotheses of each."""

    def __init__(
        self,
        step: Step,
        config: SearchConfig,
        forbidden: np.ndarray,
        prefixes: np.ndarray,
        trace: Trace | None = None,
    ):
        images = len(prefixes)
        self.step, self.config, self.forbidden, self.prefixes, self.trace = step, config, forbidden, prefixes, trace
        self.beam = config.beam if config.method == "beam" else 1
        self.uniform = np.random.default_rng(config.seed).random(config.maximum_words) if config.method == "sample" else None
        self.leaves: list[list[Leaf]] = [[] for _ in range(images)]
        self.lattice = Lattice(images, START)

    def grow(self, state: State) -> None:
        """Lengthen every live hypothesis word by word; drop an image once `beam` of its hypotheses are finished."""
        live = np.arange(len(self.leaves), dtype=np.int32)  # (live,)
        totals = np.zeros((len(live), 1))  # (live, width)
        while live.size and len(self.lattice) < self.config.maximum_words:
            scores, normalisers, state, attention = self.step(state, self.lattice.last.words, live)
            if np.isnan(normalisers).any():
                raise CheckpointError(_DAMAGED)
            live, totals = self._extend(live, totals, scores, normalisers)
            if attention is not None:
                self.lattice.attention.append(attention)
            state = tuple(part.take(self.lattice.last.parents, axis=0) for part in state)
        self._close(live, totals)

    def _extend(
        self, live: np.ndarray, totals: np.ndarray, scores: np.ndarray, normalisers: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Add a layer; return the images that go on and the log-probabilities of their hypotheses."""
        place = len(self.lattice)
        if place < self.prefixes.shape[1]:
            words = self.prefixes[live, place]
            gains = scores[np.arange(len(live)), words] - normalisers[:, 0]
            self._best(scores, normalisers, self.config.alternatives)
            return self._force(live, totals, words, gains)
        if self.uniform is None:
            words, gains = self._best(scores, normalisers, max(2 * self.beam, self.config.alternatives))
        else:
            words, gains = self._sample(scores, normalisers, self.uniform[place])
        return self._lengthen(live, totals, self._choose(totals, words, gains))

    def _best(self, scores: np.ndarray, normalisers: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The best allowed words of each row and their log-probabilities, (rows, count) each; notes the alternatives."""
        scores[:, self.forbidden] = -np.inf
        words, values = take_best(scores, min(count, scores.shape[1]))
        values -= normalisers
        self.lattice.note(words, values, self.config.alternatives)
        return words, values

    def _sample(self, scores: np.ndarray, normalisers: np.ndarray, uniform: float) -> tuple[np.ndarray, np.ndarray]:
        """One drawn word per row and its log-probability, both (rows, 1)."""
        log_probabilities = scores - normalisers
        log_probabilities[:, self.forbidden] = -np.inf
        drawn = _draw(log_probabilities.astype(np.float64), self.config.temperature, uniform)
        self._best(scores, normalisers, self.config.alternatives)
        return drawn, np.take_along_axis(log_probabilities, drawn, axis=1)

    def _choose(self, totals: np.ndarray, words: np.ndarray, gains: np.ndarray) -> Choices:
        """The best 2 * beam continuations of each image, so that `beam` remain without the ended ones; ties: lower row first."""
        sums = (totals.reshape(-1, 1) + gains).reshape(len(totals), -1)  # (live, width * count)
        order = (-sums).argsort(axis=1, kind="stable")[:, : 2 * self.beam]
        places = order + np.arange(0, sums.size, sums.shape[1])[:, None]
        return Choices(places // words.shape[1], words.take(places), sums.take(places), gains.take(places))

    def _lengthen(self, live: np.ndarray, totals: np.ndarray, choices: Choices) -> tuple[np.ndarray, np.ndarray]:
        """Finish the choices that end, add a layer of the others; return as `_extend`."""
        parents, words, sums, gains = choices
        ends = words == END
        self._finish(live, parents, ends & (sums > -np.inf), gains)
        kept = self._kept(choices)
        if self.trace is not None:
            self.trace.note(self._considered(choices, kept[0]))
        kept = kept + np.arange(0, words.size, words.shape[1])[:, None]
        sums = np.where(ends, -np.inf, sums).take(kept)
        going = self._going(live, totals, np.asarray((sums > -np.inf).any(axis=1)))
        if not going.all():
            live, sums, kept = live[going], sums[going], kept[going]
        kept = kept.ravel()
        self.lattice.layers.append(Layer(words.take(kept).astype(np.int32), parents.take(kept), gains.take(kept)))
        return live, sums

    def _kept(self, choices: Choices) -> np.ndarray:
        """The places of the choices that live on, (live, rows of each image); they do not end, if there are enough."""
        return (choices.words == END).argsort(axis=1, kind="stable")[:, : self.beam]

    def _force(self, live: np.ndarray, totals: np.ndarray, words: np.ndarray, gains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Add the prefixes' words, and nothing else, to the one hypothesis of each image."""
        rows, ends, totals = np.arange(len(live)), words == END, totals + gains[:, None]
        if self.trace is not None:
            fate: Fate = "finished" if ends[0] else "kept"
            self.trace.note([Considered(0, int(words[0]), float(gains[0]), float(totals[0, 0]), fate)])
        self._finish(live, rows[:, None], ends[:, None], gains[:, None])
        if not ends.all():
            self.lattice.layers.append(Layer(words[~ends], rows[~ends], gains[~ends]))
        return live[~ends], totals[~ends]

    def _considered(self, choices: Choices, kept: np.ndarray) -> Iterator[Considered]:
        """The continuations of the one image; those that go on come in the order of the next layer's rows."""
        parents, words, sums, gains = (part[0].tolist() for part in choices)
        going = {int(place) for place in kept if words[place] != END}
        for place, (parent, word, total, gain) in enumerate(zip(parents, words, sums, gains, strict=True)):
            if total > -math.inf:
                finished = word == END and place < self.beam
                fate: Fate = "kept" if place in going else "finished" if finished else "dropped"
                yield Considered(parent, word, gain, total, fate)

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
