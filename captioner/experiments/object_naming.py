"""How a decoder names objects that were withheld from its training, searching freely and when it must say the word.

An object's photographs are those in which people name it, or whose label is its noun, and a slot holds its noun.
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
from captioner.scoring.object_names import noun_of
from captioner.vision.feature_cache import FeatureCache
from captioner.vision.nouns import nouns
from captioner.vocabulary import tokenize

FREE, FORCED = SEARCHES = ("free", "forced")
_AT_ONCE = 50

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
        rows = self._rows(FREE, texts, own)
        if not captioner.word_slots:
            return rows
        forced, forced_own = ({split: dict(found) for split, found in texts.items()}, dict(own))
        for one, shown in self._shown.items():
            for split, record in shown:
                if text := _forced(captioner, variant, self.cache.seen([record]), one, config):
                    (forced[split] if split else forced_own)[record.name] = text
        return rows + self._rows(FORCED, forced, forced_own)

    @cached_property
    def _shown(self) -> dict[Unseen, list[tuple[str, Record | Labelled]]]:
        """The photographs of each object with their splits, empty for labelled ones."""
        named = [
            (one, split, record)
            for split, subjects in self.subjects.items()
            for record in subjects.records
            for one in OBJECTS
            if any(map(one.is_named, record.captions))
        ]
        named += [(one, "", record) for record in self.labelled for one in OBJECTS if noun_of(record.label) == one.noun]
        found: dict[Unseen, list[tuple[str, Record | Labelled]]] = {one: [] for one in OBJECTS}
        for first in range(0, len(named), _AT_ONCE):
            part = named[first : first + _AT_ONCE]
            slots = find_preset("triptych").decoder
            numbers, _ = strongest_nouns(self.cache.seen([record for *_, record in part]), slots.word_slots, slots.slot_floor)
            for (one, split, record), held in zip(part, numbers, strict=True):
                if nouns().words.index(one.noun) in held:
                    found[one].append((split, record))
        return found

    def _rows(self, search: str, texts: Texts, own: Mapping[str, str]) -> list[dict[str, Any]]:
        ciders = {
            split: dict(zip(texts[split], subjects.scorer.score(list(texts[split].values())).cider.tolist(), strict=True))
            for split, subjects in self.subjects.items()
        }
        of_objects = {(split, record.name) for shown in self._shown.values() for split, record in shown}
        other = fmean(
            value for split, found in ciders.items() for name, value in found.items() if (split, name) not in of_objects
        )
        return [self._row(search, one, texts, own, ciders) | {"cider_other": other} for one in OBJECTS]

    def _row(
        self, search: str, one: Unseen, texts: Texts, own: Mapping[str, str], ciders: Mapping[str, Mapping[str, float]]
    ) -> dict[str, Any]:
        shown = self._shown[one]
        captions = [(texts[split] if split else own)[record.name] for split, record in shown]
        named = [one.is_named(text) for text in captions]
        scored = [ciders[split][record.name] for split, record in shown if split]
        return {
            "search": search,
            "object": one.name,
            "photographs": len(shown),
            "says": [int(says) for says in named],  # photograph by photograph, the same for every decoder
            "named": _mean(named),
            "sound": _mean([says and is_sound(text) for says, text in zip(named, captions, strict=True)]),
            "f1": self._f1(one, texts),
            "cider_object": _mean(scored),
        }

    def _f1(self, one: Unseen, texts: Texts) -> float | None:
        """Over all photographs with people's captions, whatever their slots hold; None if neither names the object."""
        pairs = [
            (any(map(one.is_named, record.captions)), one.is_named(texts[split][record.name]))
            for split, subjects in self.subjects.items()
            for record in subjects.records
        ]
        people, decoder, both = (int(sum(column)) for column in (*zip(*pairs, strict=True), [a and b for a, b in pairs]))
        return 2 * both / (people + decoder) if people + decoder else None


def is_sound(caption: str) -> bool:
    """Whether a caption repeats nothing and has an end.

    >>> is_sound("a man plays a guitar"), is_sound("a guitar on a guitar"), is_sound("a man with a")
    (True, False, False)
    """
    words = tokenize(caption)
    return not (repeats(words) or says_twice(words) or is_cut(words))


def _forced(captioner: Captioner, variant: str, seen: Any, one: Unseen, config: SearchConfig) -> str | None:
    """The best caption with the object's noun; None if the decoder can neither choose nor copy it."""
    found = captioner.force(seen, one.noun, replace(config, alternatives=0), (variant,))[variant]
    return found.text if found else None


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None
