"""Conclusions from the repeated-seeds comparison: means, paired differences, changes by the reward stage.

`SIGNIFICANCE_RULE` was fixed before the first run. Running is left to the runner.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean, stdev

import numpy as np

from captioner.config import CONTROLS, STAGES, VARIANTS, Variant, find_variant
from captioner.errors import CheckpointError
from captioner.experiments.own_words import Words, own_words, own_words_by_chance
from captioner.experiments.plans import FLICKR8K, PLANS, SEEDS, SPLITS, Plan, Trial
from captioner.experiments.records import Record, find_file
from captioner.scoring.bootstrap import Estimate, percentiles
from captioner.storage import read_as, write_json

STUDY = "study.json"
RESAMPLES = 2000
SIGNIFICANCE_RULE = (
    "Two embeddings differ significantly if the 95% interval of their difference in test CIDEr excludes 0. The interval is a "
    "paired bootstrap over photographs and seeds."
)
_COSTS, _OWN = ("seconds", "cores", "epochs", "best_epoch"), "own"  # The costs of a run have a key beside the splits.

Spread = tuple[float, float | None]  # mean and standard deviation over seeds; a single seed has no deviation
Member = tuple[str, bool]  # the variant of a group, and whether it is on the original encoder


@dataclass(frozen=True)
class Group:
    """All seeds of a variant in one stage, on one encoder."""

    stage: str
    name: str  # of the variant
    on_original_encoder: bool
    seeds: tuple[int, ...]
    numbers: dict[str, dict[str, Spread]]  # by split, then by name; what the runs took is under "own"
    runs: dict[str, tuple[float, ...]]  # by metric, a value for each seed on test

    def __post_init__(self) -> None:
        whole = {*SPLITS, _OWN} <= set(self.numbers) and "cider" in self.runs and set(self.runs) <= set(self.numbers["test"])
        if not whole or self.stage not in STAGES or {*map(len, self.runs.values())} != {len(self.seeds)}:
            raise ValueError("is incomplete")

    @property
    def variant(self) -> Variant:
        return find_variant(self.name)

    @property
    def title(self) -> str:
        return title(self.name, self.on_original_encoder)


def title(variant: str, on_original_encoder: bool) -> str:
    return find_variant(variant).title + (", original CNN" if on_original_encoder else "")


@dataclass(frozen=True)
class Pair:
    """How two groups of a stage differ in CIDEr over the seeds that both have: the first minus the second."""

    stage: str
    groups: tuple[Member, Member]
    seeds: int
    cider: Estimate
    counts: bool  # whether it is significant, by the rule above


@dataclass(frozen=True)
class Moves:
    """What the reward stage changed: means over the seeds that went through both stages."""

    seeds: tuple[int, ...]
    numbers: dict[str, dict[str, tuple[float, float]]]  # by split, then by name: before and after


@dataclass(frozen=True)
class Study:
    """All conclusions, as their file holds them."""

    preset: str
    planned: int
    finished: int
    groups: tuple[Group, ...]
    pairs: tuple[Pair, ...]
    moves: dict[str, Moves]  # by variant
    own_words: dict[str, tuple[Words, ...]]  # by stage, for each seed: words that only one variant uses, and how often
    own_words_by_chance: dict[str, dict[str, float]]  # by stage and variant: how many, where only the seeds differ
    photographs: dict[str, int] = field(default_factory=dict)  # how many, by split; every data set has its own splits

    def __post_init__(self) -> None:
        names = {group.name for group in self.groups} | {name for pair in self.pairs for name, _ in pair.groups}
        rows = itertools.chain(self.own_words_by_chance.values(), *self.own_words.values())
        known = names <= {*VARIANTS, *CONTROLS} and all({*row} == {*VARIANTS} for row in rows)
        moved = {*self.moves} <= {*VARIANTS} and all({*SPLITS} <= {*one.numbers} for one in self.moves.values())
        if not (self.groups and known and moved and {*self.own_words} == {*STAGES}) or self.planned < self.finished:
            raise ValueError("is incomplete")

    @property
    def further_tests(self) -> dict[str, int]:
        """The test splits of further data sets, such as "wide test", with the number of their photographs."""
        return {split: count for split, count in self.photographs.items() if split.endswith(" test")}

    def stage(self, stage: str) -> list[Group]:
        return [group for group in self.groups if group.stage == stage]


def read_study(folder: Path, plan: Plan) -> Study | None:
    """The conclusions of a plan beside these decoders, or beside the folders of their stages; None if there are none."""
    path = find_file(folder, str(Path(plan.place, STUDY)))
    advice = f"run python -m captioner study --plan {plan.name} --data DIR, which makes it anew"
    return read_as(path, Study, advice) if path else None


def read_studies(folder: Path) -> tuple[Study, ...]:
    """All studies beside these decoders, the latest first."""
    found = (read_study(folder, plan) for plan in (PLANS[SEEDS], FLICKR8K))
    return tuple(study for study in found if study)


def save_study(folder: Path, study: Study, plan: Plan) -> None:
    write_json(folder / plan.place / STUDY, asdict(study))


def conclude(finished: Sequence[Record], plan: Plan) -> Study:
    """All conclusions from the finished runs."""
    own = [record for record in finished if record.trial.preset == plan.preset]
    return Study(
        preset=plan.preset,
        planned=len({*plan.trials(), *(record.trial for record in finished)}),
        finished=len(finished),
        groups=tuple(_group(trial, records, plan.preset) for trial, records in _groups(finished).items()),
        pairs=tuple(pairs(finished, plan.preset)),
        moves=moves(own),
        own_words=own_words(own),
        own_words_by_chance=own_words_by_chance(own),
        photographs={split: len(finished[0].scores[split].cider) for split in _splits(finished)},
    )


def _groups(finished: Sequence[Record]) -> dict[Trial, list[Record]]:
    """Records that differ only in their seed, by their trial with seed 1."""
    groups: dict[Trial, list[Record]] = {}
    for record in finished:
        groups.setdefault(replace(record.trial, seed=1), []).append(record)
    return groups


def _group(trial: Trial, records: Sequence[Record], own: str) -> Group:
    numbers = {split: _spread([_numbers(record, split) for record in records]) for split in _splits(records)}
    numbers[_OWN] = _spread([{name: getattr(record, name) for name in _COSTS} for record in records])
    metrics = [name for name in records[0].scores["test"].metrics if name in numbers["test"]]
    values = {name: tuple(record.metric("test", name) for record in records) for name in metrics}
    return Group(trial.stage, trial.variant, trial.preset != own, tuple(record.seed for record in records), numbers, values)


def _splits(records: Sequence[Record]) -> list[str]:
    """The splits, of any data set, that all were scored on."""
    return [split for split in records[0].scores if all(split in record.scores for record in records)]


def _numbers(record: Record, split: str) -> dict[str, float]:
    """All numbers of a split, by name."""
    scores = record.scores[split]
    found = scores.metrics | {name: getattr(scores, name) for name in ("loss", "strangest_cider", "others_cider")}
    found |= {f"wording_{name}": value for name, value in scores.wording.items()}
    return {name: float(value) for name, value in found.items() if value is not None}


def _spread(rows: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """Mean and standard deviation of each number that all rows have."""
    shared = [name for name in rows[0] if all(name in row for row in rows)]
    columns = {name: [float(row[name]) for row in rows] for name in shared}
    return {name: (fmean(values), stdev(values) if len(values) > 1 else None) for name, values in columns.items()}


def pairs(finished: Sequence[Record], own: str) -> Iterator[Pair]:
    """Every two variants of a stage and preset, and every variant on the two encoders."""
    _check_paired(finished)
    for (one, first), (two, second) in itertools.combinations(_groups(finished).items(), 2):
        seeds = sorted({record.seed for record in first} & {record.seed for record in second})
        alike = one.stage == two.stage and (one.preset == two.preset or one.variant == two.variant)
        if alike and seeds:
            difference = seed_difference(_matrix(first, seeds), _matrix(second, seeds))
            counts = len(seeds) > 1 and not difference.low <= 0 <= difference.high
            members = (one.variant, one.preset != own), (two.variant, two.preset != own)
            yield Pair(one.stage, members, len(seeds), difference, counts)


def _check_paired(finished: Sequence[Record]) -> None:
    """Refuse scores of different photographs, which cannot be compared photograph by photograph."""
    parts = [record.scores["test"] for record in finished]
    if len({(part.photographs, len(part.cider)) for part in parts}) > 1:
        raise CheckpointError(
            "The runs of this study were scored on different test photographs, so they cannot be compared. Delete the records of "
            "runs that were scored on others; the study scores them again."
        )


def _matrix(group: Sequence[Record], seeds: Sequence[int]) -> np.ndarray:
    by_seed = {record.seed: record.scores["test"].cider for record in group}
    return np.array([by_seed[seed] for seed in seeds], np.float64)  # (seeds, photographs)


def seed_difference(first: np.ndarray, second: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """First minus second, each (seeds, photographs); the interval draws seeds and photographs again, the same for both."""
    apart, random = first - second, np.random.default_rng(seed)
    seeds, photographs = apart.shape
    drawn_seeds = random.multinomial(seeds, np.full(seeds, 1 / seeds), resamples) / seeds  # (resamples, seeds)
    drawn = random.multinomial(photographs, np.full(photographs, 1 / photographs), resamples) / photographs
    means = np.einsum("rs,sp,rp->r", drawn_seeds, apart, drawn, optimize=True)
    return Estimate(float(apart.mean()), *percentiles(means))


def moves(own: Sequence[Record]) -> dict[str, Moves]:
    """What the reward stage changed, by variant."""
    found = {}
    for variant in VARIANTS:
        before, after = ({one.seed: one for one in own if (one.variant, one.stage) == (variant, stage)} for stage in STAGES)
        seeds = sorted(set(before) & set(after))
        if seeds:
            earlier, later = ([stage[seed] for seed in seeds] for stage in (before, after))
            found[variant] = Moves(tuple(seeds), {split: _moved(earlier, later, split) for split in _splits(earlier + later)})
    return found


def _moved(before: Sequence[Record], after: Sequence[Record], split: str) -> dict[str, tuple[float, float]]:
    earlier, later = (_spread([_numbers(record, split) for record in group]) for group in (before, after))
    return {name: (earlier[name][0], later[name][0]) for name in later if name in earlier}
