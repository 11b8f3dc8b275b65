"""Sentences without photographs: an empty picture, and word slots that hold the nouns of the sentence.

They teach how people describe what the slots name. How they join a batch of photographs is left to
`captioner.training.batches`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from captioner.model.word_slots import SlotFinder, WordSlots
from captioner.scoring.object_names import forms
from captioner.vision.nouns import nouns
from captioner.vocabulary import PADDING, UNKNOWN, Vocabulary

# Forms of nouns that mostly mean something else in captions: a colour, a verb, spectacles.
_OTHER_MEANINGS = ("orange", "watch", "watches", "swing", "swings", "drink", "drinks", "can", "glasses", "clothes", "iron")
SHORTEST, LONGEST = 5, 20  # words; longer sentences are rare, and slow down a whole batch
_UNSURE = 0.1  # Weaker slots may hold a wrong noun.


@dataclass(frozen=True)
class Sentences:
    """Sentences as word numbers, each with the table rows of its nouns."""

    captions: tuple[tuple[int, ...], ...]
    nouns: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, lines: Iterable[Sequence[str]], vocabulary: Vocabulary, finder: SlotFinder) -> "Sentences":
        """The lines of usual length whose words are all known and that have a noun for a slot."""
        rows = {form: row for noun, row in zip(nouns().words, finder.rows.tolist(), strict=False) for form in forms(noun)}
        rows |= dict(zip(nouns().words, finder.rows.tolist(), strict=False))  # A noun of its own is no plural of another.
        rows |= dict.fromkeys(_OTHER_MEANINGS, PADDING)
        found = []
        for line in lines:
            caption = tuple(vocabulary.encode(line))
            held = tuple(dict.fromkeys(rows[word] for word in line if rows.get(word, PADDING) != PADDING))
            if held and SHORTEST <= len(line) <= LONGEST and UNKNOWN not in caption:
                found.append((caption, held))
        return cls(*zip(*found, strict=True)) if found else cls((), ())

    def draw(self, random: np.random.Generator, count: int, like: WordSlots) -> tuple[list[tuple[int, ...]], WordSlots]:
        """Draw sentences and fill their word slots; number and probabilities of the slots are a photograph's, drawn from `like`.

        The strongest hold the sentence's nouns in a random order; a weak one may hold a noun of another sentence.
        """
        chosen, patterns = random.integers(len(self.captions), size=count), random.integers(len(like.rows), size=count)
        rows, measures = np.full((count, like.rows.shape[1]), PADDING, np.int32), like.measures[patterns]
        for own, one, strengths in zip(rows, chosen, measures, strict=True):
            filled = np.flatnonzero(strengths.any(axis=1))
            held = random.permutation(self.nouns[one])[: len(filled)]
            own[filled[: len(held)]] = held
            for slot in filled[len(held) :]:
                wrong = random.choice(self.nouns[random.integers(len(self.nouns))])
                if strengths[slot, 0] < _UNSURE and wrong not in own:
                    own[slot] = wrong
        measures[rows == PADDING] = 0
        return [self.captions[one] for one in chosen], WordSlots(rows, measures)
