"""The scores of a folder of decoders, read from the files that `evaluate` wrote and validated.

`captioner.figures.scores.verdict` puts them into words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioner.config import SHIPPED, STAGES, VARIANTS, Variant, find_variant
from captioner.errors import CheckpointError
from captioner.scoring.baselines import Yardstick
from captioner.scoring.comparison import Comparison, finite, load_comparison, subject, yardstick
from captioner.scoring.evaluation import SEARCH, load_scores
from captioner.storage import read_json
from captioner.training.provenance import trained_on_dev

SPLITS = (TEST, DEV) = ("test", "dev")
_SEEN = f"These decoders were also trained on {DEV}"
VERDICT_METRIC = "cider"  # required of every score
TITLES = {
    "cider": "CIDEr",
    "bleu1": "BLEU-1",
    "bleu2": "BLEU-2",
    "bleu3": "BLEU-3",
    "bleu4": "BLEU-4",
    "rouge_l": "ROUGE-L",
    "meteor": "METEOR",
}


@dataclass(frozen=True, eq=False)
class Entry:
    """One decoder's scores on a split, and the setting they belong to."""

    variant: Variant
    score: Yardstick
    setting: Mapping[str, Any]  # data, images, beam, length_preference


@dataclass(frozen=True, eq=False)
class Board:
    """All decoders that were scored on a split, and the comparison, if it is of exactly these scores."""

    split: str
    entries: tuple[Entry, ...]
    comparison: Comparison | None

    @property
    def images(self) -> int:
        return self.entries[0].setting["images"]

    @property
    def data(self) -> str:
        return self.entries[0].setting["data"]

    @property
    def metrics(self) -> dict[str, str]:
        """Titles by name of the metrics that every decoder has."""
        return {name: title for name, title in TITLES.items() if all(name in entry.score.metrics for entry in self.entries)}


@dataclass(frozen=True)
class Trial:
    """A search setting tried on dev, and the CIDEr of each decoder."""

    beam: int
    length_preference: float
    cider: Mapping[str, float]


@dataclass(frozen=True)
class TriedBeams:
    """Every setting that was tried, and the chosen one."""

    beam: int
    length_preference: float
    trials: tuple[Trial, ...]

    @property
    def by_beam(self) -> list[Trial]:
        """The trials with the chosen length preference, which a beam of 1 does not use."""
        return [trial for trial in self.trials if trial.beam == 1 or trial.length_preference == self.length_preference]


def read_board(folder: Path, split: str) -> tuple[Board | None, list[CheckpointError]]:
    """The scores of a split, and an error for everything that is missing."""
    if split == DEV and trained_on_dev(folder):
        return None, [CheckpointError(f"{_SEEN}, so only {TEST} is a fair report.")]
    entries, problems = [], []
    for name in VARIANTS:
        try:
            entries.append(read_entry(folder, name, split))
        except CheckpointError as error:
            problems.append(error)
    if not entries:
        return None, problems
    try:
        return Board(split, tuple(entries), _comparison(folder, split, entries)), problems
    except CheckpointError as error:
        return Board(split, tuple(entries), None), [*problems, error]


def read_beams(folder: Path) -> TriedBeams:
    if trained_on_dev(folder):
        raise CheckpointError(f"{_SEEN}, so no beam size was chosen there; they use their recipe's search.")
    if not (folder / SEARCH).is_file():
        raise CheckpointError(f"No beam sizes were tried with these decoders; run {_advice(folder, 'dev')} --choose.")
    data = read_json(folder / SEARCH)
    try:
        trials = tuple(map(_trial, data["trials"]))
        tried = TriedBeams(_count(data["beam"]), finite(data["length_preference"]), trials)
        decoders = {tuple(trial.cider) for trial in trials}
        if not tried.by_beam or len(decoders) > 1 or () in decoders:
            raise ValueError
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"The file {SEARCH} holds no settings that were tried; copy it again or choose again.") from error
    return tried


def _trial(row: Mapping[str, Any]) -> Trial:
    cider = {name: finite(row["variants"][name][VERDICT_METRIC]) for name in VARIANTS if name in row["variants"]}
    return Trial(_count(row["beam"]), finite(row["length_preference"]), cider)


def read_entry(folder: Path, name: str, split: str) -> Entry:
    """One decoder's scores on a split."""
    stored, variant = load_scores(folder, name), find_variant(name)
    title = variant.title
    if split not in stored:
        raise CheckpointError(f"{title} has no scores on {split} yet; run {_advice(folder, split)}.")
    try:
        score = yardstick(stored[split])
        if VERDICT_METRIC not in score.metrics:
            raise KeyError(VERDICT_METRIC)
        return Entry(variant, score, {key: read(stored[split][key]) for key, read in _SETTING.items()})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"The scores of {title} on {split} are damaged; run {_advice(folder, split)}.") from error


def _count(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError
    return value


_SETTING = {"data": _text, "images": _count, "beam": _count, "length_preference": finite}


def _comparison(folder: Path, split: str, entries: list[Entry]) -> Comparison:
    found, first = load_comparison(folder, split), entries[0].setting
    if any(entry.setting != first for entry in entries):
        raise CheckpointError(f"The decoders were scored on {split} with different settings; run {_advice(folder, split)}.")
    if found is None:
        raise CheckpointError(f"The decoders have not been compared on {split}; run {_advice(folder, split)}.")
    if found.of != subject(folder, first["data"], first, [entry.variant.name for entry in entries]):
        raise CheckpointError(
            f"The comparison on {split} is of other decoders or another setting than these scores; "
            f"run {_advice(folder, split)}."
        )
    return found


def _advice(folder: Path, split: str) -> str:
    ours = folder.name in STAGES and folder.resolve().parent == SHIPPED
    place = f" --stage {folder.name}" if ours else f" --checkpoints {folder}"
    return f"python -m captioner evaluate --data DIR{place} --split {split}"
