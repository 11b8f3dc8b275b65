"""The comparison with repeated seeds as its file holds it, checked as it is read. Knows no Streamlit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioner.config import STAGES, VARIANTS, Variant, find_variant
from captioner.errors import CheckpointError, ConfigError
from captioner.experiments.study import STUDY
from captioner.experiments.trial_records import SPLITS
from captioner.figures.scores.scoreboard import TITLES, VERDICT_METRIC
from captioner.figures.scores.verdict import Gap
from captioner.scoring.comparison import finite
from captioner.storage import read_json

_OWN = ("best_epoch", "seconds", "cores")  # What a run took, of which means are shown.


@dataclass(frozen=True)
class Group:
    """All seeds of a variant in one stage, on one encoder."""

    stage: str
    variant: Variant
    apart: bool  # Whether on the encoder as it comes, not on the study's own.
    seeds: tuple[int, ...]
    numbers: Mapping[str, Mapping[str, tuple[float, float | None]]]  # by split, then name: mean and standard deviation
    runs: Mapping[str, tuple[float, ...]]  # by metric, a value per seed on test

    @property
    def title(self) -> str:
        return title(self.variant.name, self.apart)


@dataclass(frozen=True)
class Pair:
    """Two groups of a stage, each by its variant and whether it is apart, and how they differ."""

    stage: str
    groups: tuple[tuple[str, bool], tuple[str, bool]]
    seeds: int
    gap: Gap


@dataclass(frozen=True)
class Moves:
    """Means before the second stage and after it, over the seeds of a variant that went through both."""

    seeds: tuple[int, ...]
    numbers: Mapping[str, Mapping[str, tuple[float, float]]]  # by split, then name


@dataclass(frozen=True)
class Study:
    """The file as the page uses it."""

    rule: str
    planned: int
    finished: int
    groups: tuple[Group, ...]
    pairs: tuple[Pair, ...]
    moves: Mapping[str, Moves]  # by variant, what the second stage changed
    own_words: Mapping[str, tuple[Mapping[str, tuple[str, ...]], ...]]  # by stage, per seed: by variant, words of its alone
    own_words_by_chance: Mapping[str, Mapping[str, float]]  # by stage and variant, how many where only the seeds differ

    def stage(self, stage: str) -> list[Group]:
        return [group for group in self.groups if group.stage == stage]

    def gaps(self, stage: str, names: Sequence[str] = tuple(VARIANTS)) -> list[Gap]:
        """The differences between these variants in a stage, on the study's own encoder, where several seeds tell of them."""
        wanted = {(name, False) for name in names}
        return [pair.gap for pair in self.pairs if pair.stage == stage and pair.seeds > 1 and set(pair.groups) <= wanted]


def read_study(folder: Path) -> Study | None:
    """The study of a folder of decoders, or of the folder that holds its stages; None where there is none."""
    places = (folder, folder.parent) if folder.name in STAGES else (folder,)
    path = next((place / STUDY for place in places if (place / STUDY).is_file()), None)
    if path is None:
        return None
    try:
        return parsed(read_json(path))
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, ConfigError) as error:
        raise CheckpointError(f"The file {STUDY} is damaged; run python -m captioner study, which makes it anew.") from error


def parsed(data: Mapping[str, Any]) -> Study:
    """The study from the words of its file."""
    own = data["preset"]
    groups = tuple(_group(row, data["runs"], own) for row in data["summary"])
    pairs = tuple(_pair(pair, own) for pair in data["pairs"])
    planned, finished = int(data["planned"]), len(data["runs"])
    if not groups or any(group.stage not in STAGES for group in groups) or planned < finished:
        raise ValueError
    moves = {find_variant(row["variant"]).name: _moves(row) for row in data["changes"]}
    own_words = {stage: tuple(_own(row) for row in data["own_words"] if row["stage"] == stage) for stage in STAGES}
    chance = {row["stage"]: {name: finite(row[name]) for name in VARIANTS} for row in data["own_words_by_chance"]}
    return Study(str(data["rule"]), planned, finished, groups, pairs, moves, own_words, chance)


def _own(row: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(map(str, row[name])) for name in VARIANTS}


def _moves(row: Mapping[str, Any]) -> Moves:
    def both(value: Mapping[str, Any]) -> tuple[float, float]:
        return finite(value["before"]), finite(value["after"])

    numbers = {split: {name: both(value) for name, value in row[split].items()} for split in SPLITS}
    return Moves(tuple(map(int, row["seeds"])), numbers)


def _group(row: Mapping[str, Any], runs: Sequence[Mapping[str, Any]], preset: str) -> Group:
    own = [run for run in runs if all(run[name] == row[name] for name in ("preset", "stage", "variant"))]
    numbers = {split: {name: _spread(value) for name, value in row[split].items()} for split in SPLITS}
    numbers["own"] = {name: _spread(row[name]) for name in _OWN}
    values = {metric: tuple(finite(run["test"][metric]) for run in own) for metric in TITLES if metric in own[0]["test"]}
    seeds, apart = tuple(map(int, row["seeds"])), row["preset"] != preset
    group = Group(row["stage"], find_variant(row["variant"]), apart, seeds, numbers, values)
    whole = VERDICT_METRIC in values and set(values) <= set(numbers["test"])
    if not whole or group.seeds != tuple(run["seed"] for run in own):
        raise ValueError
    return group


def _spread(value: Mapping[str, Any]) -> tuple[float, float | None]:
    return finite(value["mean"]), finite(value["sd"]) if "sd" in value else None


def _pair(pair: Mapping[str, Any], own: str) -> Pair:
    one, two = ((pair[name], preset != own) for name, preset in zip(("first", "second"), pair["presets"], strict=True))
    titles = [title(*group) for group in (one, two)]
    value, low, high = (finite(pair["cider"][name]) for name in ("value", "low", "high"))
    return Pair(pair["stage"], (one, two), len(pair["seeds"]), Gap.of(*titles, value, low, high))


def title(variant: str, apart: bool) -> str:
    return find_variant(variant).title + (", CNN as it comes" if apart else "")
