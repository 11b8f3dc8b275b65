"""A record of every continuation that a search considered, and whether it was kept, finished or dropped.

Filled by `captioner.captioning.beam_search` for one photograph and drawn by `captioner.figures.caption.search_tree`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Fate = Literal["kept", "finished", "dropped"]


class Considered(NamedTuple):
    """One continuation: the row it lengthens, its word and its scores."""

    row: int
    word: int
    log_probability: float
    total: float
    fate: Fate


@dataclass(frozen=True)
class Candidate:
    """One node of the tree: a word at a step, after another candidate (None after the start)."""

    number: int
    step: int
    parent: int | None
    word: int
    log_probability: float
    total: float  # log-probability of the sentence up to here
    fate: Fate


@dataclass
class Trace:
    """The candidates in the order in which they were considered: step by step, the likeliest sentence first."""

    candidates: list[Candidate] = field(default_factory=list)
    _steps: int = 0
    _rows: list[int | None] = field(default_factory=lambda: [None])

    def note(self, considered: Iterable[Considered]) -> None:
        """Add a step; those that are kept become, in this order, the rows of the next one."""
        added = [
            Candidate(number, self._steps, self._rows[found.row], found.word, found.log_probability, found.total, found.fate)
            for number, found in enumerate(considered, len(self.candidates))
        ]
        self.candidates += added
        self._rows = [candidate.number for candidate in added if candidate.fate == "kept"]
        self._steps += 1

    def find(self, words: Iterable[int]) -> list[int]:
        """The numbers of the candidates along a sentence, as far as it can be followed."""
        path: list[int] = []
        for step, word in enumerate(words):
            before = path[-1] if path else None
            fitting = (one for one in self.candidates if (one.step, one.parent, one.word) == (step, before, word))
            found = next((one.number for one in fitting if one.fate != "dropped"), None)
            if found is None:
                break
            path.append(found)
        return path
