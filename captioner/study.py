"""The comparison with repeated seeds: which runs it takes, what is kept of each, and what all of them say together.

Running them is left to `captioner.commands.study`. Whether a difference counts is settled by `RULE`, which was written
before any number was there.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from captioner.config import CONTROLS, FIRST, REWARD, VARIANTS
from captioner.errors import CheckpointError
from captioner.folders import read_json, write_json
from captioner.intervals import CONFIDENCE, Difference
from captioner.presets import PRESETS
from captioner.wording import only_one

STUDY, SEEDS, RECORD = "study.json", "seeds", "scores.json"
SPLITS = ("dev", "test")
MEASURED = ("cider", "bleu4", "rouge_l")
RESAMPLES = 2000
_TAKEN = ("seconds", "cores", "epochs", "best_epoch")  # What a run took.
_AS_IT_COMES = "-frozen"
_ANEW = "delete it, and the study scores that run again"
RULE = (
    "Two kinds of word vectors differ when the 95% interval of their difference in test CIDEr leaves out zero; the interval "
    "comes from drawing photographs and seeds again, the same ones for both."
)


@dataclass(frozen=True)
class Trial:
    """One run of the comparison."""

    preset: str
    stage: str
    variant: str
    seed: int
    apart: bool = False  # Whether it is of another preset than the study's own.

    @property
    def place(self) -> Path:
        """Where it lies, below any folder that holds a study."""
        return self.setting_place / str(self.seed) / self.variant

    @property
    def setting_place(self) -> Path:
        """Where the search setting of its like lies."""
        return Path(self.preset if self.apart else "") / self.stage / SEEDS

    @property
    def start(self) -> "Trial":
        """The run that one of the second stage goes on from."""
        return replace(self, stage=FIRST)

    def __str__(self) -> str:
        return f"{self.stage} stage, {self.variant}, seed {self.seed}" + (f", {self.preset}" if self.apart else "")


@dataclass(frozen=True)
class Plan:
    """How many seeds each part of the comparison has."""

    preset: str
    seeds: int = 5
    reward_seeds: int = 3
    control_seeds: int = 2
    frozen_seeds: int = 2

    def with_all_of(self, folder: Path) -> "Plan":
        """With as many seeds as there are records of, so that whoever asks for fewer forgets none."""
        name = self.frozen or ""
        there = {
            "seeds": _last_seed(folder, Trial(self.preset, FIRST, "", 0), VARIANTS),
            "reward_seeds": _last_seed(folder, Trial(self.preset, REWARD, "", 0), VARIANTS),
            "control_seeds": _last_seed(folder, Trial(self.preset, FIRST, "", 0), CONTROLS),
            "frozen_seeds": _last_seed(folder, Trial(name, FIRST, "", 0, True), VARIANTS),
        }
        return replace(self, **{part: max(getattr(self, part), last) for part, last in there.items()})

    @property
    def frozen(self) -> str | None:
        """The preset that is the same but for its encoder, which was never trained on."""
        name = f"{self.preset}{_AS_IT_COMES}"
        return name if name in PRESETS else None

    def trials(self) -> list[Trial]:
        """In an order that gives the most when it is cut short: whole seeds through both stages, then what is held against."""
        seeds = [trial for seed in range(1, self.seeds + 1) for trial in self._seed(seed)]
        controls = [trial for seed in range(1, self.control_seeds + 1) for trial in self._row(FIRST, CONTROLS, seed)]
        frozen = [trial for seed in range(1, self.frozen_seeds + 1) for trial in self._row(FIRST, VARIANTS, seed)]
        return seeds + controls + [replace(trial, preset=self.frozen, apart=True) for trial in frozen if self.frozen]

    def _seed(self, seed: int) -> list[Trial]:
        second = self._row(REWARD, VARIANTS, seed) if seed <= self.reward_seeds else []
        return self._row(FIRST, VARIANTS, seed) + second

    def _row(self, stage: str, variants: Mapping[str, Any], seed: int) -> list[Trial]:
        return [Trial(self.preset, stage, name, seed) for name in variants]


@dataclass(frozen=True, eq=False)
class Record:
    """What is kept of a finished run: plain data, a split's part under its name."""

    trial: Trial
    data: Mapping[str, Any]

    def metric(self, split: str, name: str) -> float:
        return float(self.data[split]["metrics"][name])

    def per_photograph(self, split: str) -> np.ndarray:
        """CIDEr of every photograph, (photographs,)."""
        return np.array(self.data[split]["cider"], np.float64)

    @property
    def row(self) -> dict[str, Any]:
        """What a reader of the study sees of the run."""
        splits = {split: {**self.data[split]["metrics"], **_measures(self.data[split])} for split in SPLITS}
        return {**_names(self.trial), **splits, **{key: self.data[key] for key in _TAKEN}}


def _names(trial: Trial) -> dict[str, Any]:
    return {"preset": trial.preset, "variant": trial.variant, "stage": trial.stage, "seed": trial.seed}


def _measures(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part[name] for name in ("loss", "wording", "strangest_cider", "others_cider") if name in part}


def _last_seed(folder: Path, like: Trial, variants: Iterable[str]) -> int:
    """The highest seed of which there is a record of one of these, or 0."""
    found = (path for name in variants for path in (folder / like.setting_place).glob(f"*/{name}/{RECORD}"))
    return max((int(path.parts[-3]) for path in found if path.parts[-3].isdecimal()), default=0)


def read_record(folder: Path, trial: Trial) -> Record | None:
    """The record of a finished run, or None; one that belongs to another run is refused."""
    path = folder / trial.place / RECORD
    if not path.is_file():
        return None
    data = read_json(path)
    try:
        whole = all(_is_whole(data[split]) for split in SPLITS) and _are_finite(data[name] for name in _TAKEN)
        own = {name: data[name] for name in _names(trial)} == _names(trial)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"The record {path} is damaged; {_ANEW}.") from error
    if not (whole and own):
        raise CheckpointError(f"The record {path} is not that of the run {trial}; {_ANEW}.")
    return Record(trial, data)


def _is_whole(part: Mapping[str, Any]) -> bool:
    numbers = [*part["cider"], part["loss"], *part["metrics"].values()]
    return bool(part["cider"]) and set(MEASURED) <= set(part["metrics"]) and _are_finite(numbers)


def _are_finite(numbers: Iterable[float]) -> bool:
    return all(math.isfinite(number) for number in numbers)


def records(folder: Path, plan: Plan) -> list[Record]:
    """What is there of the plan so far, and of more seeds than it asks for."""
    found = (read_record(folder, trial) for trial in plan.with_all_of(folder).trials())
    return [record for record in found if record is not None]


def save_record(folder: Path, trial: Trial, data: Mapping[str, Any], history: Any) -> None:
    place = folder / trial.place
    write_json(place / "history.json", history)
    write_json(place / RECORD, _names(trial) | dict(data))


def conclude(finished: Sequence[Record]) -> dict[str, Any]:
    """Everything that the finished runs say together, as plain data."""
    return {
        "rule": RULE,
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
        "runs": [record.row for record in finished],
        "summary": summaries(finished),
        "pairs": pairs(finished),
        "changes": changes(finished),
        "own_words": own_words(finished),
    }


def own_words(finished: Sequence[Record], split: str = "test") -> list[dict[str, Any]]:
    """By stage and seed, which words of theirs no other of the three decoders ever uses."""
    used: dict[tuple[str, int], dict[str, Any]] = {}
    for record in finished:
        trial = record.trial
        if trial.variant in VARIANTS and not trial.apart:
            used.setdefault((trial.stage, trial.seed), {})[trial.variant] = record.data[split].get("used", {})
    whole = {key: words for key, words in sorted(used.items()) if set(words) == set(VARIANTS)}
    return [{"stage": stage, "seed": seed} | only_one(words) for (stage, seed), words in whole.items()]


def summaries(finished: Sequence[Record]) -> list[dict[str, Any]]:
    """Mean and standard deviation over seeds of every number, for each stage and variant."""
    return [
        {
            "preset": group[0].trial.preset,
            "stage": group[0].trial.stage,
            "variant": group[0].trial.variant,
            "seeds": [record.trial.seed for record in group],
            **{split: _spread([_numbers(record.row[split]) for record in group]) for split in SPLITS},
            **_spread([{key: record.data[key] for key in _TAKEN} for record in group]),
        }
        for group in _groups(finished).values()
    ]


def _groups(finished: Sequence[Record]) -> dict[Trial, list[Record]]:
    """All seeds of what differs in the seed alone, under the trial that it would be with seed 0."""
    groups: dict[Trial, list[Record]] = {}
    for record in finished:
        groups.setdefault(replace(record.trial, seed=0), []).append(record)
    return groups


def _numbers(part: Mapping[str, Any]) -> dict[str, float]:
    """All numbers of a split by one name each, those that stand in tables of their own with the table's name before."""
    flat: dict[str, float] = {}
    for name, value in part.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}_{inner}": number for inner, number in _numbers(value).items()}
        elif value is not None:
            flat[name] = float(value)
    return flat


def _spread(rows: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation of what all of the rows have; one row has no deviation."""
    shared = [name for name in rows[0] if all(name in row for row in rows)]
    values = {name: [float(row[name]) for row in rows] for name in shared}
    return {
        name: {"mean": fmean(column)} | ({"sd": stdev(column)} if len(column) > 1 else {}) for name, column in values.items()
    }


def pairs(finished: Sequence[Record], split: str = "test") -> list[dict[str, Any]]:
    """First minus second in CIDEr over the seeds that both have, by `RULE`.

    Held against each other are every two variants of a stage and preset, and every variant on the two encoders.
    """
    _check_paired(finished, split)
    found = []
    for (one, first), (two, second) in itertools.combinations(_groups(finished).items(), 2):
        seeds = sorted({record.trial.seed for record in first} & {record.trial.seed for record in second})
        alike = one.stage == two.stage and (one.preset == two.preset or one.variant == two.variant)
        if alike and seeds:
            difference = seed_difference(*(_matrix(group, seeds, split) for group in (first, second)))
            counts = len(seeds) > 1 and not difference.low <= 0 <= difference.high
            names = {"stage": one.stage, "first": one.variant, "second": two.variant, "presets": [one.preset, two.preset]}
            found.append(names | {"seeds": seeds, "cider": difference._asdict(), "counts": counts})
    return found


def changes(finished: Sequence[Record]) -> list[dict[str, Any]]:
    """What the second stage changed: means over the seeds that went through both, before it and after."""
    found = []
    for variant in VARIANTS:
        own = [record for record in finished if record.trial.variant == variant and not record.trial.apart]
        before, after = ({one.trial.seed: one for one in own if one.trial.stage == stage} for stage in (FIRST, REWARD))
        seeds = sorted(set(before) & set(after))
        if seeds:
            splits = {split: _moved([before[seed] for seed in seeds], [after[seed] for seed in seeds], split) for split in SPLITS}
            found.append({"variant": variant, "seeds": seeds, **splits})
    return found


def _moved(before: Sequence[Record], after: Sequence[Record], split: str) -> dict[str, dict[str, float]]:
    earlier, later = (_spread([_numbers(record.row[split]) for record in group]) for group in (before, after))
    return {name: {"before": earlier[name]["mean"], "after": later[name]["mean"]} for name in later if name in earlier}


def _check_paired(finished: Sequence[Record], split: str) -> None:
    """Only what was said of the same photographs can be compared photograph by photograph."""
    of = {(record.data[split].get("photographs"), len(record.data[split]["cider"])) for record in finished}
    if len(of) > 1:
        raise CheckpointError(
            f"The runs of this study were scored on different {split} photographs, so they cannot be compared; delete the "
            f"records ({RECORD}) of those that were scored on others, and the study scores them again."
        )


def _matrix(group: Sequence[Record], seeds: Sequence[int], split: str) -> np.ndarray:
    by_seed = {record.trial.seed: record.per_photograph(split) for record in group}
    return np.stack([by_seed[seed] for seed in seeds])  # (seeds, photographs)


def seed_difference(first: np.ndarray, second: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> Difference:
    """First minus second, each (seeds, photographs); the interval draws seeds and photographs again, the same for both."""
    apart, random = first - second, np.random.default_rng(seed)
    seeds, photographs = apart.shape
    drawn_seeds = random.multinomial(seeds, np.full(seeds, 1 / seeds), resamples) / seeds  # (resamples, seeds)
    drawn = random.multinomial(photographs, np.full(photographs, 1 / photographs), resamples) / photographs
    means = np.einsum("rs,sp,rp->r", drawn_seeds, apart, drawn, optimize=True)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Difference(float(apart.mean()), float(low), float(high))


def best_seed(finished: Sequence[Record], stage: str, variant: str) -> Record:
    """The run that ships: the one whose CIDEr is highest on dev."""
    own = [one for one in finished if (one.trial.stage, one.trial.variant) == (stage, variant) and not one.trial.apart]
    return max(own, key=lambda record: record.metric("dev", "cider"))
