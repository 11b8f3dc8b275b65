"""A caption with its word probabilities, attention maps and copied words."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from captioner.captioning.seen_words import SeenWord
from captioner.vocabulary import END_WORD


@dataclass(frozen=True, eq=False)
class Caption:
    """One caption and why. The tuples over steps have one entry per word, and one for the end when it is finished."""

    variant: str
    text: str
    words: tuple[str, ...]
    log_probability: float
    word_log_probabilities: tuple[float, ...]
    alternatives: tuple[tuple[tuple[str, float], ...], ...] = field(repr=False)
    attention: np.ndarray | None = field(repr=False)  # (steps, rows, columns)
    finished: bool
    milliseconds: float
    words_seen: tuple[SeenWord, ...] = ()  # in the slots; all decoders' captions of a picture have the same
    slot_attention: np.ndarray | None = field(default=None, repr=False)  # (steps, slots)
    copied: np.ndarray | None = field(default=None, repr=False)  # the probability of copying each slot, (steps, slots)

    @property
    def steps(self) -> tuple[str, ...]:
        """The words, and the end where the caption has one: what the tuples over steps belong to."""
        return self.words + ((END_WORD,) if self.finished else ())

    def to_json(self) -> dict[str, Any]:
        """The JSON form, shared by command line, page and service."""
        words = len(self.words)
        return {
            "text": self.text,
            "log_probability": self.log_probability,
            "words": list(self.words),
            "word_log_probabilities": list(self.word_log_probabilities[:words]),
            "end_log_probability": self.word_log_probabilities[words] if self.finished else None,
        }
