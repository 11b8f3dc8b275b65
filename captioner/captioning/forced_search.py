"""A search for the best captions of one photograph that say a given word.

Two beams grow side by side: sentences that have said the word, and sentences that have not, which cannot end. Without the
second, the word would be said as soon as it is likely, rather than where it fits. For the same reason the search goes on
after enough sentences have ended, as long as one that has not ended is likelier.
"""

import math

import numpy as np

from captioner.captioning.beam_search import FORBIDDEN, Choices, Search, State, Step, check
from captioner.captioning.hypotheses import Hypothesis
from captioner.config import SearchConfig
from captioner.errors import ConfigError
from captioner.vocabulary import END


def force(step: Step, state: State, word: int, config: SearchConfig) -> list[Hypothesis]:
    """The best captions with the word, best first; `state` has one row."""
    check(config)
    if config.method != "beam":
        raise ConfigError(f"A word can be forced in a beam search alone, not with the method '{config.method}'.")
    run = _ForcedSearch(step, config, word)
    run.grow(state)
    return run.lattice.read(run.leaves[0], run.beam, config.length_preference)


class _ForcedSearch(Search):
    """`said`: one flag per row, whether its sentence has the word."""

    def __init__(self, step: Step, config: SearchConfig, word: int):
        super().__init__(step, config, np.array(FORBIDDEN), np.zeros((1, 0), np.int32))
        self.word, self.said = word, np.zeros(1, bool)
        self.best = self.hope = -math.inf  # scores: of those that have ended, and of those that go on

    def _extend(
        self, live: np.ndarray, totals: np.ndarray, scores: np.ndarray, normalisers: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        own = scores[:, self.word] - normalisers[:, 0]  # Taken before the search overwrites the scores.
        words, gains = self._best(scores, normalisers, max(2 * self.beam + 1, self.config.alternatives))
        return self._lengthen(live, totals, self._both(totals, words, gains, own))

    def _both(self, totals: np.ndarray, words: np.ndarray, gains: np.ndarray, own: np.ndarray) -> Choices:
        """The best continuations with the word, then the best without it that do not end."""
        rows = np.arange(len(words))
        parents = np.concatenate([rows.repeat(words.shape[1]), rows])
        words = np.concatenate([words.ravel(), np.full(len(rows), self.word)])
        gains = np.concatenate([gains.ravel(), np.where(self.said, -np.inf, own)])
        sums = totals.ravel()[parents] + gains
        saying = np.arange(len(words)) >= len(words) - len(rows)
        sums[~saying & ~self.said[parents] & ((words == END) | (words == self.word))] = -np.inf
        self._says = saying | self.said[parents]
        order = (-sums).argsort(kind="stable")
        with_it, without = order[self._says[order]][: 2 * self.beam], order[~self._says[order]][: self.beam]
        chosen = np.concatenate([with_it, without])
        self._says = self._says[chosen]
        return Choices(*(part[chosen][None] for part in (parents, words, sums, gains)))

    def _lengthen(self, live: np.ndarray, totals: np.ndarray, choices: Choices) -> tuple[np.ndarray, np.ndarray]:
        ended = choices.sums[0][: self.beam][choices.words[0][: self.beam] == END]
        self.best = max(self.best, self._per_word(ended, len(self.lattice)))
        return super()._lengthen(live, totals, choices)

    def _kept(self, choices: Choices) -> np.ndarray:
        going = choices.words[0] != END
        kept = np.concatenate([np.flatnonzero(going & self._says)[: self.beam], np.flatnonzero(~self._says)])
        self.said, self.hope = self._says[kept], self._per_word(choices.sums[0][kept], len(self.lattice) + 1)
        return kept[None]

    def _going(self, live: np.ndarray, totals: np.ndarray, possible: np.ndarray) -> np.ndarray:
        return super()._going(live, totals, possible) | (possible & (self.hope > self.best))

    def _per_word(self, sums: np.ndarray, words: int) -> float:
        """The best score of sentences with so many words, as if they ended at no further cost."""
        return max(sums, default=-math.inf) / (words + 1) ** self.config.length_preference

    def _close(self, live: np.ndarray, totals: np.ndarray) -> None:
        """Only sentences with the word count, unless the beam is too short for any."""
        super()._close(live, np.where(self.said, totals, -np.inf) if self.said.any() else totals)
