"""Word slots: nouns of the CNN's own classes, as rows of a decoder's word table, which it may read and copy.

Choosing the nouns is left to `captioner.vision.nouns`; the layers are in `captioner.model.decoder` and, for captions, in
`captioner.captioning.numpy_decoder`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from captioner.config import DecoderConfig
from captioner.errors import ConfigError
from captioner.vision.encoder import Seen
from captioner.vision.nouns import Strongest, nouns
from captioner.vocabulary import PADDING

MEASURES = 4  # numbers beside a slot's vector: the noun's two probabilities, and their logarithms
NO_ROW = -1  # of a word that has a vector, but no row in the table
_LEAST = 1e-4  # below it, a probability's logarithm says nothing more


class WordSlots(NamedTuple):
    """The slots of some photographs. An empty slot has the row of padding, whose vector is zero."""

    rows: np.ndarray  # (photographs, slots), int32: the noun's row in the word table
    measures: np.ndarray  # (photographs, slots, MEASURES), float32
    vectors: np.ndarray | None = None  # (photographs, slots, dimensions), if some words have no row in the table

    @classmethod
    def none(cls, photographs: int, slots: int = 0) -> "WordSlots":
        """Empty slots; no slots at all for a decoder without them."""
        return cls(np.full((photographs, slots), PADDING, np.int32), np.zeros((photographs, slots, MEASURES), np.float32))

    @classmethod
    def of(cls, rows: np.ndarray, probabilities: np.ndarray, vectors: np.ndarray | None = None) -> "WordSlots":
        """Slots from table rows (photographs, slots) and both probabilities, (photographs, slots, 2)."""
        logarithms = np.log(np.maximum(probabilities, _LEAST))
        measures = np.concatenate([probabilities, logarithms], axis=2).astype(np.float32)
        measures[rows == PADDING] = 0
        return cls(rows.astype(np.int32), measures, vectors)

    @property
    def empty(self) -> np.ndarray:
        """(photographs, slots)"""
        return self.rows == PADDING


def inputs(config: DecoderConfig) -> int:
    """The numbers that describe a slot: its word's vector and its measures."""
    return config.embedding_dimensions + MEASURES


@dataclass(frozen=True)
class SlotFinder:
    """Finds the slots of photographs whose nouns have a row in one table; a decoder without slots gets none."""

    count: int
    floor: float
    rows: np.ndarray  # of each noun, padding where the table lacks it; last, padding for no noun, number -1

    @classmethod
    def of(cls, config: DecoderConfig, words: Sequence[str]) -> "SlotFinder":
        places = {word: row for row, word in enumerate(words)}
        rows = np.array([*(places.get(noun, PADDING) for noun in nouns().words), PADDING], np.int32)
        return cls(config.word_slots, config.slot_floor, rows)

    def find(self, seen: Seen) -> WordSlots:
        if not self.count:
            return WordSlots.none(len(seen.features))
        numbers, probabilities = strongest_nouns(seen, self.count, self.floor)
        return WordSlots.of(self.rows[numbers], probabilities)


def strongest_nouns(seen: Seen, count: int, floor: float) -> Strongest:
    """The nouns for the slots of photographs."""
    if seen.classes is None or seen.regional is None:
        raise ConfigError("Word slots need a CNN with a classifier of its own; choose another encoder, or word_slots=0.")
    return nouns().strongest(seen.classes, seen.regional, count, floor)
