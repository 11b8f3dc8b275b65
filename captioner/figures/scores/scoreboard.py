"""The scores of a folder of decoders, read from the files that `evaluate` wrote and validated.

`captioner.figures.scores.verdict` puts them into words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from captioner.captioning.search_settings import SEARCH
from captioner.config import SHIPPED, STAGES, VARIANTS, Variant, find_variant
from captioner.errors import CheckpointError
from captioner.scoring.baselines import ScoreSummary
from captioner.scoring.comparison import Comparison, load_comparison, subject
from captioner.scoring.evaluation import load_scores
from captioner.storage import parse_as, read_as
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


@dataclass(frozen=True)
class Stored(ScoreSummary):
    """Scores as `evaluate` stores them."""

    data: str
    images: int
    beam: int
    length_preference: float


@dataclass(frozen=True, eq=False)
class Entry:
    """One decoder's scores on a split, and the setting they belong to."""

    variant: Variant
    score: ScoreSummary
    setting: Mapping[str, Any]  # data, images, beam, length_preference
    further: Mapping[str, Stored] = field(default_factory=dict)  # on the same split of further data sets, by their names


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

    @property
    def further(self) -> dict[str, int]:
        """The further data sets on which every decoder was scored, with the number of their photographs."""
        first, *others = (entry.further for entry in self.entries)
        return {name: found.images for name, found in first.items() if all(name in one for one in others)}


@dataclass(frozen=True)
class Trial:
    """A search setting tried on dev, and the CIDEr of each decoder."""

    beam: int
    length_preference: float
    variants: Mapping[str, Mapping[str, float]]  # metrics by variant

    @property
    def cider(self) -> dict[str, float]:
        return {name: self.variants[name][VERDICT_METRIC] for name in VARIANTS if name in self.variants}


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
    tried = read_as(folder / SEARCH, TriedBeams, "copy it again or choose again")
    scored = all(VERDICT_METRIC in metrics for trial in tried.trials for metrics in trial.variants.values())
    names = {tuple(trial.cider) for trial in tried.trials if scored}
    if not tried.by_beam or len(names) != 1 or () in names or min(trial.beam for trial in tried.trials) < 1:
        raise CheckpointError(f"The trials in {SEARCH} do not fit together; copy it again or choose again.")
    return tried


def read_entry(folder: Path, name: str, split: str) -> Entry:
    """One decoder's scores on a split."""
    stored, variant = load_scores(folder, name), find_variant(name)
    title, remedy = variant.title, f"run {_advice(folder, split)}"
    if split not in stored:
        raise CheckpointError(f"{title} has no scores on {split} yet; {remedy}.")
    found = _checked(stored[split], f"The scores of {title} on {split}", remedy)
    more = [_checked(stored[key], f"The scores of {title} on {key}", remedy) for key in stored if key.endswith(f" {split}")]
    setting = {key: getattr(found, key) for key in ("data", "images", "beam", "length_preference")}
    return Entry(variant, ScoreSummary(found.metrics, found.intervals), setting, {one.data: one for one in more})


def _checked(scores: Any, what: str, remedy: str) -> Stored:
    found = parse_as(scores, Stored, what, remedy)
    if VERDICT_METRIC not in found.metrics or min(found.images, found.beam) < 1:
        raise CheckpointError(f"{what} are damaged; {remedy}.")
    return found


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
