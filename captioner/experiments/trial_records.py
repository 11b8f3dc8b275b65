"""The runs of a comparison with repeated seeds: which it takes, where they lie, and what is kept of each.

What the records say together is left to `captioner.experiments.study`.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from captioner.config import CONTROLS, FIRST, REWARD, VARIANTS
from captioner.errors import CheckpointError
from captioner.presets import PRESETS
from captioner.storage import read_json, write_json

SEEDS, RECORD = "seeds", "scores.json"
SPLITS = ("dev", "test")
CHOSEN_WITH = 1  # The seed whose decoders the settings were chosen with: the recipe by us, the search by the study.
MEASURED = ("cider", "bleu4", "rouge_l")
TAKEN = ("seconds", "cores", "epochs", "best_epoch")  # What a run took.
_AS_IT_COMES = "-frozen"
_ANEW = "delete it, and the study scores that run again"


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
        return {**_names(self.trial), **splits, **{key: self.data[key] for key in TAKEN}}


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
        whole = all(_is_whole(data[split]) for split in SPLITS) and _are_finite(data[name] for name in TAKEN)
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
