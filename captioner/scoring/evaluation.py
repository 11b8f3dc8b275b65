"""A split of a data set through the decoders: their captions, their scores, and how sure both are.

Also finds the one search setting for all decoders, on dev. Captioning is left to `captioner.captioning.captioner`, counting to
`captioner.scoring.metrics` and `captioner.scoring.bootstrap`.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from captioner.captioning.beam_search import check
from captioner.config import SearchConfig
from captioner.config_io import preset_from_json
from captioner.data.datasets import Record
from captioner.errors import CheckpointError, DatasetError
from captioner.model.checkpoints import SCORES, told_by_settings
from captioner.progress import Progress
from captioner.scoring.bootstrap import Difference, interval, paired_difference
from captioner.scoring.metrics import Scorer, Scores
from captioner.storage import read_json, write_json
from captioner.vision.feature_cache import FeatureCache

if TYPE_CHECKING:
    from captioner.captioning.captioner import Captioner

SEARCH = "search.json"
BEAMS = (1, 3, 5)
LENGTH_PREFERENCES = (0.4, 0.7, 1.0, 1.3)
_PHOTOGRAPHS_AT_ONCE = 50


@dataclass(frozen=True, eq=False)
class Subjects:
    """Photographs whose features are there, their references prepared for scoring, and those that could not be read."""

    records: tuple[Record, ...]
    cache: FeatureCache
    scorer: Scorer
    failed: Mapping[str, str]

    @classmethod
    def of(cls, records: Sequence[Record], cache: FeatureCache) -> "Subjects":
        failed = cache.fill(records)
        usable = tuple(record for record in records if record.name not in failed)
        if not usable:
            raise DatasetError(f"None of the {len(records)} photographs to evaluate can be read; check the picture files.")
        return cls(usable, cache, Scorer([record.captions for record in usable]), failed)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What the decoders said about every photograph with one search setting, and how it scored."""

    config: SearchConfig
    captions: dict[str, dict[str, str]] = field(repr=False)  # by variant, then by photograph
    scores: dict[str, Scores]

    @property
    def mean_cider(self) -> float:
        return float(np.mean([scores.metrics["cider"] for scores in self.scores.values()]))

    @cached_property
    def intervals(self) -> dict[str, dict[str, tuple[float, float]]]:
        """By variant the 95% interval of every metric."""
        return {variant: interval(scores) for variant, scores in self.scores.items()}

    @cached_property
    def differences(self) -> dict[tuple[str, str], dict[str, Difference]]:
        """For every two variants, first minus second on the same photographs."""
        pairs = itertools.combinations(self.scores, 2)
        return {(first, second): paired_difference(self.scores[first], self.scores[second]) for first, second in pairs}

    def summary(self, variant: str) -> dict[str, Any]:
        """One variant's numbers and the setting they belong to, as plain data."""
        return {
            "images": len(self.captions[variant]),
            "beam": self.config.beam,
            "length_preference": self.config.length_preference,
            "metrics": self.scores[variant].metrics,
            "intervals": {name: list(ends) for name, ends in self.intervals[variant].items()},
        }


def evaluate(
    captioner: "Captioner",
    subjects: Subjects,
    config: SearchConfig,
    variants: Sequence[str] | None = None,
    label: str = "captions",
) -> Evaluation:
    """Caption every photograph with every variant, and score the best caption of each."""
    config = replace(config, alternatives=0)
    captions: dict[str, dict[str, str]] = {name: {} for name in variants or captioner.variants}
    with Progress(label, len(subjects.records), "photographs") as progress:
        for first in range(0, len(subjects.records), _PHOTOGRAPHS_AT_ONCE):
            part = subjects.records[first : first + _PHOTOGRAPHS_AT_ONCE]
            features = subjects.cache.rows(part).astype(np.float32)  # (photographs, regions, channels)
            for record, found in zip(part, captioner.caption_features(features, config, tuple(captions)), strict=True):
                for name, best_first in found.items():
                    captions[name][record.name] = best_first[0].text
            progress.advance(len(part))
    return Evaluation(config, captions, {name: subjects.scorer.score(list(texts.values())) for name, texts in captions.items()})


@dataclass(frozen=True, eq=False)
class BeamTrials:
    """The search settings that were tried on dev; the best is the one whose CIDEr, mean over the variants, is highest."""

    trials: tuple[Evaluation, ...]

    @property
    def best(self) -> Evaluation:
        return max(self.trials, key=lambda trial: trial.mean_cider)  # Of equals the first, which looks least far.

    def table(self) -> list[dict[str, Any]]:
        """One row per setting, as plain data."""
        return [
            {
                "beam": trial.config.beam,
                "length_preference": trial.config.length_preference,
                "mean_cider": trial.mean_cider,
                "variants": {name: dict(scores.metrics) for name, scores in trial.scores.items()},
            }
            for trial in self.trials
        ]


def choose_beam(
    captioner: "Captioner",
    dev: Subjects,
    base: SearchConfig,
    beams: Sequence[int] = BEAMS,
    length_preferences: Sequence[float] = LENGTH_PREFERENCES,
) -> BeamTrials:
    """Try search settings on dev, the same for all variants; a beam of 1 has no use for a length preference.

    All but these two is as in `base`, the recipe's own search.
    """
    settings = [
        replace(base, beam=beam, length_preference=preference)
        for beam in sorted(beams)
        for preference in (length_preferences if beam > 1 else (base.length_preference,))
    ]
    labels = [f"setting {number} of {len(settings)}" for number in range(1, len(settings) + 1)]
    found = (evaluate(captioner, dev, config, label=label) for config, label in zip(settings, labels, strict=True))
    return BeamTrials(tuple(found))


def save_beam(folder: Path, tried: BeamTrials, data: str, **more: Any) -> None:
    """Write down the chosen setting, where everything that captions with these decoders finds it."""
    best = tried.best.config
    chosen = {"beam": best.beam, "length_preference": best.length_preference, "data": data, "split": "dev"}
    write_json(Path(folder) / SEARCH, chosen | more | {"trials": tried.table()})


def load_search_config(folder: Path) -> SearchConfig:
    """The search setting chosen for the decoders of this folder, or their recipe's own where none was chosen."""
    path, config = Path(folder) / SEARCH, search_of_recipe(folder)
    if not path.is_file():
        return config
    stored = read_json(path)
    try:
        config = replace(config, beam=int(stored["beam"]), length_preference=float(stored["length_preference"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"The file {SEARCH} holds no beam and length preference; copy it again or choose anew.") from error
    check(config)
    return config


def search_of_recipe(folder: Path) -> SearchConfig:
    """That of the preset that the decoders of this folder were trained with."""
    return told_by_settings(Path(folder), lambda config: preset_from_json(config["preset"]).search, SearchConfig())


def save_scores(folder: Path, split: str, data: str, evaluation: Evaluation) -> None:
    """Write the scores beside every variant that was evaluated; those of the other split stay."""
    for variant in evaluation.scores:
        stored = load_scores(folder, variant) | {split: {"data": data} | evaluation.summary(variant)}
        write_json(Path(folder) / variant / SCORES, stored)


def load_scores(folder: Path, variant: str) -> dict[str, dict[str, Any]]:
    """A variant's stored scores by split; none where it was never evaluated."""
    path = Path(folder) / variant / SCORES
    stored = read_json(path) if path.is_file() else {}
    if not isinstance(stored, dict) or not all(isinstance(scores, dict) for scores in stored.values()):
        raise CheckpointError(f"The file {SCORES} of {variant} does not hold scores by split; delete it and evaluate again.")
    return stored
