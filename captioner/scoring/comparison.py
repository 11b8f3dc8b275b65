"""Comparison of the scores of several decoders: which differences are significant, the baselines, and the caption style.

Each folder of decoders has one file with a comparison per split, tied to the decoders by the hashes of their manifests.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from captioner.config import VARIANTS
from captioner.data.datasets import Record
from captioner.errors import CheckpointError
from captioner.scoring import baselines, caption_style
from captioner.scoring.baselines import ScoreSummary
from captioner.scoring.bootstrap import Estimate
from captioner.scoring.caption_style import CaptionStyle, TrainingCaptions
from captioner.scoring.evaluation import Differences, Evaluation, Subjects, pairs_to_json
from captioner.storage import MANIFEST, exists, parse_as, read_as, read_bytes, write_json

COMPARISON = "comparison.json"
PEOPLE, CONSTANT = "people", "constant"
_LARGEST_MANIFEST = 1_000_000
_RENEW = "delete the file and evaluate again"


@dataclass(frozen=True)
class Subject:
    """What results belong to; equal subjects have equal results."""

    data: str
    images: int
    beam: int
    length_preference: float
    decoders: Mapping[str, str]  # the sha256 of each decoder's manifest


@dataclass(frozen=True, eq=False)
class Comparison:
    """The results on one split; `against_fewer` and `wording` go by decoder, the latter also by `PEOPLE`."""

    of: Subject
    differences: Differences
    yardsticks: Mapping[str, ScoreSummary]
    against_fewer: Mapping[str, ScoreSummary]
    wording: Mapping[str, CaptionStyle]


@dataclass(frozen=True)
class _Pair:
    first: str
    second: str
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True, eq=False)
class _Stored(Comparison):
    """A comparison as the file has it, with a list of pairs."""

    differences: tuple[_Pair, ...]  # type: ignore[assignment]


def subject(folder: Path, data: str, summary: Mapping[str, Any], variants: Sequence[str]) -> Subject:
    """What the results of these decoders belong to; `summary` has the number of images and the search setting."""
    facts = {key: summary[key] for key in ("images", "beam", "length_preference")}
    return Subject(data, **facts, decoders={name: fingerprint(folder / name) for name in variants})


def fingerprint(folder: Path) -> str:
    """The sha256 of a decoder's manifest, which has the sha256 of every other file."""
    return hashlib.sha256(read_bytes(folder / MANIFEST, _LARGEST_MANIFEST)).hexdigest()


def complete(folder: Path, variants: Sequence[str]) -> bool:
    """Whether these are all the decoders of the folder, and more than one."""
    return len(variants) > 1 and {name for name in VARIANTS if exists(folder / name)} == set(variants)


def compare(of: Subject, evaluation: Evaluation, subjects: Subjects, training: Sequence[Record]) -> Comparison:
    """Compare the decoders with each other, with people, and with one constant caption."""
    known = TrainingCaptions.of([caption for record in training for caption in record.captions])
    captions = {name: list(texts.values()) for name, texts in evaluation.captions.items()}
    folds = baselines.folds(subjects.records)
    wording = {name: known.judge(texts, _references(subjects)) for name, texts in captions.items()}
    yardsticks: dict[str, ScoreSummary] = {}
    if folds:
        yardsticks[PEOPLE] = baselines.people(folds)
        others = [_references(subjects, without=place) for place in range(len(folds))]
        styles = [known.judge(fold.captions, left) for fold, left in zip(folds, others, strict=True)]
        wording[PEOPLE] = caption_style.mean(styles)
    if training:
        constant = [baselines.constant_caption(training)] * len(subjects.records)
        yardsticks[CONSTANT] = baselines.mean_score([subjects.scorer.score(constant)])
    fewer = {name: baselines.against_fewer(texts, folds) for name, texts in captions.items()} if folds else {}
    return Comparison(of, evaluation.differences, yardsticks, fewer, wording)


def _references(subjects: Subjects, without: int | None = None) -> list[list[str]]:
    """Every photograph's captions by people, except the one at a place."""
    return [[text for place, text in enumerate(record.captions) if place != without] for record in subjects.records]


def save_comparison(folder: Path, split: str, comparison: Comparison) -> None:
    """Write the comparison of a split; that of the other split stays."""
    data = asdict(comparison) | {"differences": pairs_to_json(comparison.differences)}
    write_json(Path(folder) / COMPARISON, _stored(folder) | {split: data.pop("of") | data})


def load_comparison(folder: Path, split: str) -> Comparison | None:
    """The comparison of a split; None if there is none."""
    stored = _stored(folder)
    if split not in stored:
        return None
    name = f"{COMPARISON}, {split}"
    found = parse_as(stored[split] | {"of": stored[split]}, _Stored, name, _RENEW)
    if not _names_match(found):
        raise CheckpointError(f"{name}: its parts are about different decoders; {_RENEW}.")
    differences = {(pair.first, pair.second): pair.metrics for pair in found.differences}
    return Comparison(found.of, differences, found.yardsticks, found.against_fewer, found.wording)


def _stored(folder: Path) -> dict[str, dict[str, Any]]:
    path = Path(folder) / COMPARISON
    return read_as(path, dict[str, dict[str, Any]], _RENEW) if path.is_file() else {}


def _names_match(found: _Stored) -> bool:
    """Whether all parts are about the same decoders, and people have every metric that decoders are compared with them by."""
    decoders, fewer = set(found.of.decoders), found.against_fewer
    known = decoders <= set(VARIANTS) and set(found.yardsticks) <= {PEOPLE, CONSTANT}
    paired = decoders.issuperset(name for pair in found.differences for name in (pair.first, pair.second))
    by_people = set(found.yardsticks[PEOPLE].metrics) if PEOPLE in found.yardsticks else set()
    fair = not fewer or (set(fewer) == decoders and all(by_people.issuperset(one.metrics) for one in fewer.values()))
    return known and paired and fair and set(found.wording) - {PEOPLE} == decoders
