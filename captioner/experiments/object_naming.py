"""How a decoder names objects that were withheld from its training, searching freely and when it must say the word.

An object's photographs are those in which at least one person names it, or whose label names it, and a slot holds its noun.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean
from typing import Any

import numpy as np

from captioner.captioning.captioner import Captioner
from captioner.config import SearchConfig
from captioner.data.datasets import Record
from captioner.data.labels import Labelled
from captioner.experiments.withheld import OBJECTS, Unseen
from captioner.model.word_slots import strongest_nouns
from captioner.presets import find_preset
from captioner.scoring.caption_style import is_cut, repeats, says_twice
from captioner.scoring.evaluation import Evaluation, Subjects, caption_all
from captioner.scoring.metrics import Scorer
from captioner.scoring.object_names import noun_of
from captioner.vision.feature_cache import FeatureCache
from captioner.vision.nouns import nouns
from captioner.vocabulary import tokenize

FREE, FORCED = "free", "forced"
_LABELLED = "labelled"  # in place of a split
_AT_ONCE, _DIGITS = 50, 4

Photograph = Record | Labelled
Texts = Mapping[str, Mapping[str, str]]  # captions by split, then by photograph


@dataclass(frozen=True, eq=False)
class ObjectNaming:
    """The held-out photographs, those with people's captions and those with a label."""

    subjects: Mapping[str, Subjects]  # by split
    labelled: Sequence[Labelled]
    cache: FeatureCache

    def examine(self, captioner: Captioner, variant: str, free: Mapping[str, Evaluation]) -> list[dict[str, Any]]:
        """A row for each search and object, from the captions of a free search."""
        config = next(iter(free.values())).config
        texts = {split: found.captions[variant] for split, found in free.items()}
        own = caption_all(captioner, self.labelled, self.cache, config, (variant,), "labelled")[variant] if self.labelled else {}
        texts |= {_LABELLED: own}
        rows = [
            self._row(FREE, one, texts) | {"f1": self._f1(one, texts), "surprise_after": self._surprise(captioner, variant, one)}
            for one in OBJECTS
        ]
        if captioner.word_slots:
            rows += [self._row(FORCED, one, self._forced(captioner, variant, one, config, texts)) for one in OBJECTS]
        return [row | {"cider_other": self._cider_other(texts)} for row in rows]

    @cached_property
    def _named(self) -> dict[Unseen, list[tuple[str, Photograph]]]:
        """The photographs in which people name each object, or whose labels name it, with their splits."""
        held_out = [(split, record) for split, subjects in self.subjects.items() for record in subjects.records]
        return {
            one: [(split, record) for split, record in held_out if any(map(one.is_named, record.captions))]
            + [(_LABELLED, record) for record in self.labelled if one.is_named(record.label) or noun_of(record.label) == one.noun]
            for one in OBJECTS
        }

    @cached_property
    def _shown(self) -> dict[Unseen, list[tuple[str, Photograph]]]:
        """The photographs of `_named` that have the object's noun in a slot."""
        found = {}
        for one, named in self._named.items():
            number, held = nouns().words.index(one.noun), []
            for first in range(0, len(named), _AT_ONCE):
                part = named[first : first + _AT_ONCE]
                slots = find_preset("triptych").decoder
                numbers, _ = strongest_nouns(self.cache.seen([record for _, record in part]), slots.word_slots, slots.slot_floor)
                held += [place for place, own in zip(part, numbers, strict=True) if number in own]
            found[one] = held
        return found

    def _forced(self, captioner: Captioner, variant: str, one: Unseen, config: SearchConfig, free: Texts) -> Texts:
        """The captions with the object's photographs captioned anew; those that cannot be, and cut-off ones, stay."""
        found, config = {split: dict(texts) for split, texts in free.items()}, replace(config, alternatives=0)
        for split, record in self._shown[one]:
            caption = captioner.force(self.cache.seen([record]), one.noun, config, (variant,))[variant]
            if caption and caption.finished:
                found[split][record.name] = caption.text
        return found

    def _row(self, search: str, one: Unseen, texts: Texts) -> dict[str, Any]:
        """Shares of the photographs with people's captions, of which it keeps every value, and of the labelled ones."""
        captioned = [(split, record) for split, record in self._shown[one] if split != _LABELLED]
        labelled = [texts[split][record.name] for split, record in self._shown[one] if split == _LABELLED]
        captions = [texts[split][record.name] for split, record in captioned]
        named = [one.is_named(text) for text in captions]
        sound = [says and is_sound(text) for says, text in zip(named, captions, strict=True)]
        ciders = [self._scorer(split).cider(self._place(split, record), texts[split][record.name]) for split, record in captioned]
        return {
            "search": search,
            "object": one.name,
            "photographs": len(captions),
            "named": _mean(named),
            "sound": _mean(sound),
            "cider_object": _mean(ciders),
            "labelled": len(labelled),
            "labelled_named": _mean([one.is_named(text) for text in labelled]),
            # Photograph by photograph, in the same order for every decoder.
            "says": [int(says) for says in named],
            "says_soundly": [int(one_of_them) for one_of_them in sound],
            "ciders": [round(value, _DIGITS) for value in ciders],
        }

    def _surprise(self, captioner: Captioner, variant: str, one: Unseen) -> float | None:
        """Minus the mean log-probability of a word after the object's name, in people's captions of its photographs.

        The name is read by its vector if the decoder has one.
        """
        found = []
        for split, record in self._shown[one]:
            for words in map(tokenize, record.captions):
                names = [place for place, word in enumerate(words) if word in one.words]
                if split != _LABELLED and names:
                    caption = captioner.follow(self.cache.seen([record]), words, (variant,), by_vector=True)[variant]
                    found.append(-fmean(caption.word_log_probabilities[names[0] + 1 :]))
        return _mean(found)

    def _f1(self, one: Unseen, texts: Texts) -> float | None:
        """Over all photographs with people's captions, whatever their slots hold; None if neither names the object."""
        pairs = [
            (any(map(one.is_named, record.captions)), one.is_named(texts[split][record.name]))
            for split, subjects in self.subjects.items()
            for record in subjects.records
        ]
        people, decoder, both = (int(sum(column)) for column in (*zip(*pairs, strict=True), [a and b for a, b in pairs]))
        return 2 * both / (people + decoder) if people + decoder else None

    def _cider_other(self, texts: Texts) -> float:
        """CIDEr of the photographs in which people name none of the objects."""
        named = {(split, record.name) for own in self._named.values() for split, record in own}
        return fmean(
            self._scorer(split).cider(self._place(split, record), texts[split][record.name])
            for split, subjects in self.subjects.items()
            for record in subjects.records
            if (split, record.name) not in named
        )

    def _scorer(self, split: str) -> Scorer:
        return self.subjects[split].scorer

    def _place(self, split: str, record: Photograph) -> int:
        return self._places[split, record.name]

    @cached_property
    def _places(self) -> dict[tuple[str, str], int]:
        return {
            (split, record.name): place
            for split, subjects in self.subjects.items()
            for place, record in enumerate(subjects.records)
        }


def is_sound(caption: str) -> bool:
    """Whether a caption repeats nothing and has an end.

    >>> is_sound("a man plays a guitar"), is_sound("a guitar on a guitar"), is_sound("a man with a")
    (True, False, False)
    """
    words = tokenize(caption)
    return not (repeats(words) or says_twice(words) or is_cut(words))


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None
