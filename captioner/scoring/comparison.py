"""What the scores of several decoders mean beside each other: which differences are more than chance, and the yardsticks.

Kept in one file per folder of decoders, by split, with the hash of each decoder's manifest: of other decoders it says nothing.
"""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from captioner.config import VARIANTS
from captioner.data.datasets import Record
from captioner.errors import CheckpointError
from captioner.scoring import baselines as yardsticks
from captioner.scoring import caption_style as wording
from captioner.scoring.baselines import Yardstick
from captioner.scoring.bootstrap import Difference
from captioner.scoring.caption_style import Wording
from captioner.scoring.evaluation import Evaluation, Subjects
from captioner.storage import MANIFEST, exists, read_bytes, read_json, write_json

COMPARISON = "comparison.json"
PEOPLE, CONSTANT = "people", "constant"
_LARGEST_MANIFEST = 1_000_000
_UNMEASURED = {"copied", *(field.name for field in fields(Wording) if field.default is None)}  # what may be None


@dataclass(frozen=True, eq=False)
class Comparison:
    """What was found on one split; `wording` and `against_fewer` go by decoder, the former with `people` besides."""

    of: Mapping[str, Any]  # data, images, search setting and manifests that it belongs to
    differences: Mapping[tuple[str, str], Mapping[str, Difference]]
    yardsticks: Mapping[str, Yardstick]
    against_fewer: Mapping[str, Yardstick]
    wording: Mapping[str, Wording]


def subject(folder: Path, data: str, summary: Mapping[str, Any], variants: Sequence[str]) -> dict[str, Any]:
    """What a comparison belongs to: equal subjects, equal numbers."""
    manifests = {name: fingerprint(folder / name) for name in variants}
    return {"data": data} | {key: summary[key] for key in ("images", "beam", "length_preference")} | {"decoders": manifests}


def fingerprint(folder: Path) -> str:
    """The sha256 of a decoder's manifest, which holds the sha256 of everything else."""
    return hashlib.sha256(read_bytes(folder / MANIFEST, _LARGEST_MANIFEST)).hexdigest()


def complete(folder: Path, variants: Sequence[str]) -> bool:
    """Whether these are all the decoders of the folder, and more than one."""
    return len(variants) > 1 and {name for name in VARIANTS if exists(folder / name)} == set(variants)


def compare(of: Mapping[str, Any], evaluation: Evaluation, subjects: Subjects, training: Sequence[Record]) -> Comparison:
    """Hold the decoders against each other, against people, and against one sentence for every photograph."""
    known = wording.Known.of([caption for record in training for caption in record.captions])
    said = {name: list(captions.values()) for name, captions in evaluation.captions.items()}
    sides = yardsticks.folds(subjects.records)
    held = {name: known.judge(captions, _references(subjects)) for name, captions in said.items()}
    rods: dict[str, Yardstick] = {}
    if sides:
        rods[PEOPLE] = yardsticks.people(sides)
        others = (_references(subjects, without=place) for place in range(len(sides)))
        held[PEOPLE] = wording.mean([known.judge(fold.captions, left) for fold, left in zip(sides, others, strict=True)])
    if training:
        same = [yardsticks.constant_caption(training)] * len(subjects.records)
        rods[CONSTANT] = yardsticks.mean_score([subjects.scorer.score(same)])
    fewer = {name: yardsticks.against_fewer(captions, sides) for name, captions in said.items()} if sides else {}
    return Comparison(of, evaluation.differences, rods, fewer, held)


def _references(subjects: Subjects, without: int | None = None) -> list[list[str]]:
    """What people said of each photograph, but for the caption in one place."""
    return [[text for place, text in enumerate(record.captions) if place != without] for record in subjects.records]


def save_comparison(folder: Path, split: str, comparison: Comparison) -> None:
    """Write it beside the decoders; that of the other split stays."""
    write_json(Path(folder) / COMPARISON, _stored(folder) | {split: _to_json(comparison)})


def load_comparison(folder: Path, split: str) -> Comparison | None:
    """The comparison of a split; none where it was never made."""
    stored = _stored(folder)
    try:
        return _from_json(stored[split]) if split in stored else None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        told = f"The file {COMPARISON} is damaged in its part on {split}; delete it and evaluate again."
        raise CheckpointError(told) from error


def _stored(folder: Path) -> dict[str, Any]:
    path = Path(folder) / COMPARISON
    stored = read_json(path) if path.is_file() else {}
    if not isinstance(stored, dict):
        raise CheckpointError(f"The file {COMPARISON} does not hold comparisons by split; delete it and evaluate again.")
    return stored


def _to_json(comparison: Comparison) -> dict[str, Any]:
    return {
        **comparison.of,
        "differences": [
            {"first": first, "second": second, "metrics": {name: found._asdict() for name, found in metrics.items()}}
            for (first, second), metrics in comparison.differences.items()
        ],
        "yardsticks": {name: rod._asdict() for name, rod in comparison.yardsticks.items()},
        "against_fewer": {name: rod._asdict() for name, rod in comparison.against_fewer.items()},
        "wording": {name: asdict(held) for name, held in comparison.wording.items()},
    }


def _from_json(data: dict[str, Any]) -> Comparison:
    found = Comparison(
        of={key: data[key] for key in ("data", "images", "beam", "length_preference", "decoders")},
        differences={
            (pair["first"], pair["second"]): {name: _difference(found) for name, found in pair["metrics"].items()}
            for pair in data["differences"]
        },
        yardsticks={name: yardstick(rod) for name, rod in data["yardsticks"].items()},
        against_fewer={name: yardstick(rod) for name, rod in data["against_fewer"].items()},
        wording={name: _wording(held) for name, held in data["wording"].items()},
    )
    _check_names(found)
    return found


def _check_names(found: Comparison) -> None:
    """Everything is of the decoders that were compared, and people stand beside those that are held against as few captions."""
    decoders = set(found.of["decoders"])
    known = decoders <= set(VARIANTS) and set(found.yardsticks) <= {PEOPLE, CONSTANT}
    paired = decoders.issuperset(name for pair in found.differences for name in pair)
    worded, fewer = set(found.wording) - {PEOPLE} == decoders, found.against_fewer
    beside = set(found.yardsticks[PEOPLE].metrics) if PEOPLE in found.yardsticks else set()
    held = not fewer or (set(fewer) == decoders and all(beside.issuperset(rod.metrics) for rod in fewer.values()))
    if not (known and paired and worded and held):
        raise ValueError


def yardstick(data: Mapping[str, Any]) -> Yardstick:
    """Metrics and intervals as they stand in a file, every one a number."""
    intervals = {name: (finite(low), finite(high)) for name, (low, high) in data["intervals"].items()}
    return Yardstick({name: finite(value) for name, value in data["metrics"].items()}, intervals)


def finite(value: Any) -> float:
    """A number as it stands in a file; neither NaN nor infinity, which JSON lets through, nor a text that looks like one."""
    if type(value) not in (int, float) or not abs(value) <= sys.float_info.max:
        raise ValueError
    return float(value)


def _difference(data: Mapping[str, Any]) -> Difference:
    return Difference(**{name: finite(value) for name, value in data.items()})


def _wording(data: Mapping[str, Any]) -> Wording:
    """As it stands in the file; an older one lacks what was not measured then."""
    return Wording(**{name: None if value is None and name in _UNMEASURED else finite(value) for name, value in data.items()})
