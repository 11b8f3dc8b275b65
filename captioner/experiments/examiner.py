"""Examines a trained decoder on held-out photographs: scores, loss, caption style, size and speed.

Storing the result is left to `captioner.experiments.records`.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from captioner.captioning.captioner import Captioner
from captioner.config import SearchConfig
from captioner.data.datasets import Record as Photograph
from captioner.data.labels import Labelled
from captioner.experiments.object_naming import ObjectNaming
from captioner.experiments.records import Scores
from captioner.model.checkpoints import Checkpoint
from captioner.model.word_slots import SlotFinder
from captioner.scoring import familiarity
from captioner.scoring.caption_style import TrainingCaptions, occurrences
from captioner.scoring.evaluation import Evaluation, Subjects, evaluate
from captioner.scoring.labelled import LabelledSubjects
from captioner.training.batches import Examples
from captioner.training.run_inputs import RunInputs
from captioner.training.trainer import losses_of, mean_loss
from captioner.vision.encoder import Encoder
from captioner.vision.feature_cache import FeatureCache
from captioner.vocabulary import Vocabulary

_UNFAMILIAR = 0.2  # The share of photographs in the group least like the training photographs.
_DIGITS = 4  # Decimals of each photograph's CIDEr: a mean of a thousand needs no more.
_TIMED = 30  # Photographs that captioning is timed on.


@dataclass(frozen=True, eq=False)
class Examiner:
    """Scores decoders that share an encoder and training photographs."""

    subjects: Mapping[str, Subjects]  # by split, or data set and split
    known: TrainingCaptions
    unfamiliar: Mapping[str, np.ndarray]  # by split: a mask of the fifth that is least like the training photographs
    labelled: LabelledSubjects | None  # photographs that are held out
    cache: FeatureCache
    naming: ObjectNaming | None = None  # of objects that were withheld from training

    @classmethod
    def of(cls, splits: Mapping[str, Sequence[Photograph]], inputs: RunInputs, labelled: Sequence[Labelled] = ()) -> "Examiner":
        cache = inputs.cache
        subjects = {split: Subjects.of(records, cache) for split, records in splits.items()}
        known = familiarity.principal_components(cache.pooled(inputs.train))
        unfamiliar = {
            split: _highest(familiarity.novelty(cache.pooled(part.records), *known)) for split, part in subjects.items()
        }
        read = [caption for record in inputs.train for caption in record.captions]
        own = LabelledSubjects.of(labelled, cache) if labelled else None
        naming = ObjectNaming(subjects, own.records if own else (), cache) if inputs.withheld.words else None
        return cls(subjects, TrainingCaptions.of(read), unfamiliar, own, cache, naming)

    def of_split(self, split: str) -> list[Subjects]:
        """The photographs of a split, by data set."""
        return [subjects for name, subjects in self.subjects.items() if name.split()[-1] == split]

    @property
    def test_mark(self) -> str:
        """A hash of the test photographs and their captions."""
        pictures = [(test.cache.key(record), record.captions) for test in self.of_split("test") for record in test.records]
        return hashlib.sha256(json.dumps(pictures).encode()).hexdigest()[:8]

    @property
    def labels(self) -> str:
        """The mark of the labelled photographs; empty without any."""
        return self.labelled.mark if self.labelled else ""

    def examine(self, checkpoint: Checkpoint, encoder: Encoder, search: SearchConfig, label: str) -> dict[str, Any]:
        """Score the decoder; the result is a part of its record's fields."""
        captioner, config = Captioner.of({checkpoint.variant: checkpoint}, encoder), replace(search, alternatives=0)
        decoder = checkpoint.build()
        trainable = sum(int(np.prod(variable.shape)) for variable in decoder.trainable_variables)
        finder, known = SlotFinder.of(decoder.config, checkpoint.table.words), Vocabulary(checkpoint.table.words)
        found, scores = {}, {}
        for split, subjects in self.subjects.items():
            found[split] = evaluate(captioner, subjects, config, label=f"{label}, {split}")
            examples = Examples.of(subjects.records, known, subjects.cache, finder)
            scores[split] = self._scores(found[split], checkpoint.variant, split, mean_loss(losses_of(decoder), examples))
        return {
            "scores": scores,
            "named": self._named(captioner, config, label),
            "objects": self.naming.examine(captioner, checkpoint.variant, found) if self.naming else (),
            "words": len(checkpoint.vocabulary),
            "trainable": trainable,
            "frozen": decoder.count_params() - trainable,
            "ms_per_caption": self._milliseconds(captioner, config),
        }

    def _named(self, captioner: Captioner, config: SearchConfig, label: str) -> float | None:
        """The share of the labelled photographs whose caption names the object."""
        if not self.labelled:
            return None
        (share,) = self.labelled.evaluate(captioner, config, f"{label}, labelled").shares.values()
        return share

    def _scores(self, found: Evaluation, variant: str, split: str, loss: float) -> Scores:
        captions, scores, unfamiliar = found.captions[variant], found.scores[variant], self.unfamiliar[split]
        references = [record.captions for record in self.subjects[split].records]
        return Scores(
            **found.summary(variant) | {"intervals": found.intervals[variant]},
            loss=loss,
            strangest_cider=_mean(scores.cider[unfamiliar]),
            others_cider=_mean(scores.cider[~unfamiliar]),
            wording=asdict(self.known.judge(list(captions.values()), references)),
            used=dict(sorted(occurrences(captions.values()).items())),
            photographs=hashlib.sha256(json.dumps(list(captions)).encode()).hexdigest()[:16],
            cider=tuple(round(float(value), _DIGITS) for value in scores.cider),
        )

    def _milliseconds(self, captioner: Captioner, config: SearchConfig) -> float:
        """Median time from features to caption, one photograph at a time."""
        subjects, times = self.subjects["test"], []
        for record in subjects.records[:_TIMED]:
            seen = subjects.cache.seen([record])
            start = time.perf_counter()
            captioner.caption_seen(seen, config)
            times.append((time.perf_counter() - start) * 1000)
        return median(times)


def _highest(values: np.ndarray) -> np.ndarray:
    """A mask of the highest fifth."""
    order = np.argsort(np.argsort(values))
    return order >= round((1 - _UNFAMILIAR) * len(order))


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
