"""Evaluation of decoders on a split: captions, scores and intervals, and the choice of one search setting on dev.

`captioner.captioning.captioner` writes the captions; `captioner.scoring.metrics` and `bootstrap` compute the numbers.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from captioner.captioning.search_settings import SEARCH
from captioner.config import SearchConfig
from captioner.data.datasets import Record
from captioner.errors import DatasetError
from captioner.model.checkpoints import SCORES
from captioner.progress import Progress
from captioner.scoring.bootstrap import Estimate, Interval, interval, paired_difference
from captioner.scoring.metrics import Scorer, Scores
from captioner.storage import read_as, write_json
from captioner.vision.feature_cache import FeatureCache

if TYPE_CHECKING:
    from captioner.captioning.captioner import Captioner

BEAMS = (1, 3, 5)
LENGTH_PREFERENCES = (0.4, 0.7, 1.0, 1.3)
_PHOTOGRAPHS_AT_ONCE = 50

Differences = Mapping[tuple[str, str], Mapping[str, Estimate]]  # by pair of variants and by metric


@dataclass(frozen=True, eq=False)
class Subjects:
    """Photographs with cached features, their references prepared for scoring, and the reasons for unreadable ones."""

    records: tuple[Record, ...]
    cache: FeatureCache
    scorer: Scorer
    failed: Mapping[str, str]

    @classmethod
    def of(cls, records: Sequence[Record], cache: FeatureCache) -> "Subjects":
        failed = cache.fill(records)
        usable = tuple(record for record in records if record.name not in failed)
        if not usable:
            raise DatasetError(f"None of the {len(records)} photographs to evaluate is readable; check the image files.")
        return cls(usable, cache, Scorer([record.captions for record in usable]), failed)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The decoders' captions of every photograph with one search setting, and their scores."""

    config: SearchConfig
    captions: dict[str, dict[str, str]] = field(repr=False)  # by variant, then by photograph
    scores: dict[str, Scores]

    @property
    def mean_cider(self) -> float:
        return float(np.mean([scores.metrics["cider"] for scores in self.scores.values()]))

    @cached_property
    def intervals(self) -> dict[str, dict[str, Interval]]:
        """The 95% interval of every metric by variant."""
        return {variant: interval(scores) for variant, scores in self.scores.items()}

    @cached_property
    def differences(self) -> Differences:
        """For each pair of variants, first minus second on the same photographs."""
        pairs = itertools.combinations(self.scores, 2)
        return {(first, second): paired_difference(self.scores[first], self.scores[second]) for first, second in pairs}

    def summary(self, variant: str) -> dict[str, Any]:
        """One variant's numbers and their search setting, as plain data."""
        return {
            "images": len(self.captions[variant]),
            **setting(self.config),
            "metrics": self.scores[variant].metrics,
            "intervals": {name: list(ends) for name, ends in self.intervals[variant].items()},
        }


def setting(config: SearchConfig) -> dict[str, Any]:
    """The two numbers of a search that are chosen on dev."""
    return {"beam": config.beam, "length_preference": config.length_preference}


def pairs_to_json(differences: Differences) -> list[dict[str, Any]]:
    """Differences as plain data: a list of pairs."""
    return [
        {"first": first, "second": second, "metrics": {name: found._asdict() for name, found in metrics.items()}}
        for (first, second), metrics in differences.items()
    ]


def evaluate(
    captioner: "Captioner",
    subjects: Subjects,
    config: SearchConfig,
    variants: Sequence[str] | None = None,
    label: str = "captions",
) -> Evaluation:
    """Caption every photograph with every variant, and score the best captions."""
    config = replace(config, alternatives=0)
    captions = caption_all(captioner, subjects.records, subjects.cache, config, variants or captioner.variants, label)
    return Evaluation(config, captions, {name: subjects.scorer.score(list(texts.values())) for name, texts in captions.items()})


def caption_all(
    captioner: "Captioner",
    records: Sequence[Record],
    cache: FeatureCache,
    config: SearchConfig,
    variants: Sequence[str],
    label: str = "captions",
) -> dict[str, dict[str, str]]:
    """The best caption of every photograph by variant, then by the photograph's name."""
    captions: dict[str, dict[str, str]] = {name: {} for name in variants}
    with Progress(label, len(records), "photographs") as progress:
        for first in range(0, len(records), _PHOTOGRAPHS_AT_ONCE):
            part = records[first : first + _PHOTOGRAPHS_AT_ONCE]
            found_of_all = captioner.caption_seen(cache.seen(part), config, tuple(captions))
            for record, found in zip(part, found_of_all, strict=True):
                for name, best_first in found.items():
                    captions[name][record.name] = best_first[0].text
            progress.advance(len(part))
    return captions


@dataclass(frozen=True, eq=False)
class BeamTrial:
    """One search setting, evaluated on each data set."""

    evaluations: tuple[Evaluation, ...]

    @property
    def config(self) -> SearchConfig:
        return self.evaluations[0].config

    @property
    def mean_cider(self) -> float:
        return float(np.mean([found.mean_cider for found in self.evaluations]))

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Each variant's metrics, averaged over the data sets."""
        return {name: _mean([found.scores[name].metrics for found in self.evaluations]) for name in self.evaluations[0].scores}


def _mean(metrics: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in metrics])) for name in metrics[0]}


@dataclass(frozen=True, eq=False)
class BeamTrials:
    """The search settings tried on dev; the best has the highest CIDEr, averaged over variants and data sets."""

    trials: tuple[BeamTrial, ...]

    @property
    def best(self) -> BeamTrial:
        return max(self.trials, key=lambda trial: trial.mean_cider)  # Ties go to the first, which has the smallest beam.

    def table(self) -> list[dict[str, Any]]:
        """One row per setting, as plain data."""
        return [
            {
                **setting(trial.config),
                "mean_cider": trial.mean_cider,
                "variants": trial.metrics,
            }
            for trial in self.trials
        ]


def choose_beam(
    captioner: "Captioner",
    dev: Sequence[Subjects],
    base: SearchConfig,
    beams: Sequence[int] = BEAMS,
    length_preferences: Sequence[float] = LENGTH_PREFERENCES,
) -> BeamTrials:
    """Try search settings on the dev split of each data set, the same for all variants, with everything else as in `base`.

    A beam of 1 has no use for a length preference.
    """
    settings = [
        replace(base, beam=beam, length_preference=preference)
        for beam in sorted(beams)
        for preference in (length_preferences if beam > 1 else (base.length_preference,))
    ]
    labels = [f"setting {number} of {len(settings)}" for number in range(1, len(settings) + 1)]
    return BeamTrials(
        tuple(
            BeamTrial(tuple(evaluate(captioner, own, config, label=label) for own in dev))
            for config, label in zip(settings, labels, strict=True)
        )
    )


def save_beam(folder: Path, tried: BeamTrials, data: str, **more: Any) -> None:
    """Store the chosen setting, for everything that captions with these decoders."""
    chosen = setting(tried.best.config) | {"data": data, "split": "dev"}
    write_json(Path(folder) / SEARCH, chosen | more | {"trials": tried.table()})


def save_scores(folder: Path, split: str, data: str, evaluation: Evaluation) -> None:
    """Store the scores of every evaluated variant and keep the stored scores of other splits and data sets."""
    for variant in evaluation.scores:
        add_scores(folder, variant, split, {"data": data} | evaluation.summary(variant))


def add_scores(folder: Path, variant: str, name: str, scores: Mapping[str, Any]) -> None:
    """Add to a variant's stored scores, under a name; the others stay."""
    write_json(Path(folder) / variant / SCORES, load_scores(folder, variant) | {name: scores})


def load_scores(folder: Path, variant: str) -> dict[str, dict[str, Any]]:
    """A variant's stored scores by split; empty if it was never evaluated."""
    path = Path(folder) / variant / SCORES
    return read_as(path, dict[str, dict[str, Any]], "delete it and evaluate again") if path.is_file() else {}
