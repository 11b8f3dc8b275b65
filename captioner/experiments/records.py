"""Records: the settings, losses, scores and size of each run, in one JSON file for each plan.

Which trials a plan has is left to `captioner.experiments.plans`, means and differences to
`captioner.experiments.conclusions`.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from captioner.config import STAGES, STANDARD, find_stage, find_variant
from captioner.config_io import preset_from_json, to_json
from captioner.errors import CheckpointError, ConfigError
from captioner.experiments.plans import Plan, Trial
from captioner.model.checkpoints import finished_history
from captioner.model.stage_folders import CONFIG, read_stage
from captioner.storage import read_as, read_json, write_json

TRIALS = "trials"
KEPT = "tried"  # The file of `evaluate --keep`; no plan has this name.
MEASURED = ("cider", "bleu4", "rouge_l")
_EMPTY: tuple[Any, ...] = (None, "", (), {})
_AGAIN = "delete it, and python -m captioner study --plan {} --data DIR scores what is missing"


@dataclass(frozen=True)
class Scores:
    """The scores of the captions of one split, with 95% intervals, search setting, loss and style; older records lack some."""

    metrics: dict[str, float]
    beam: int
    length_preference: float
    images: int | None = None
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    loss: float | None = None
    strangest_cider: float | None = None  # of the fifth of the photographs that is least like those of training
    others_cider: float | None = None
    wording: dict[str, float | None] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)  # how often each word was used
    photographs: str = ""  # a hash of their names
    cider: tuple[float, ...] = ()  # of each photograph

    def __post_init__(self) -> None:
        if not set(MEASURED) <= set(self.metrics) or (self.intervals and not set(MEASURED) <= set(self.intervals)):
            raise ValueError(f"lacks one of {', '.join(MEASURED)}")


@dataclass(frozen=True, eq=False)
class Record:
    """One finished trial, or one whose loss diverged."""

    variant: str
    stage: str
    seed: int
    settings: dict[str, Any]
    data: str
    encoder: str
    made_with: str = ""  # a hash of everything that the run depends on
    splits: str = STANDARD
    name: str = ""  # given by `evaluate --keep`
    gave_up: str = ""  # the error that ended the run
    losses: tuple[tuple[float, float], ...] = ()  # training and dev, for each epoch of this stage
    best_epoch: int | None = None
    seconds: float | None = None
    fastest_epoch: float | None = None  # in seconds
    cores: int | None = None
    trained_on: int | None = None  # photographs
    words: int | None = None
    trainable: int | None = None  # parameters
    frozen: int | None = None
    ms_per_caption: float | None = None
    named: float | None = None  # share of captions of labelled photographs that name the object
    labels: str = ""  # the mark of these photographs
    part: str = ""  # of the training photographs, empty for all
    objects: tuple[dict[str, Any], ...] = ()  # for each object that was withheld and each search, how it is named
    scores: dict[str, Scores] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.gave_up and not (self.losses and self.scores):
            raise ValueError("lacks losses or scores")

    @cached_property
    def trial(self) -> Trial:
        settings = preset_from_json(self.settings)
        return Trial.of(settings, find_variant(self.variant).name, find_stage(self.stage).name, self.seed, self.splits, self.part)

    @property
    def title(self) -> str:
        return find_variant(self.variant).title

    @property
    def epochs(self) -> int:
        return len(self.losses)

    def metric(self, split: str, name: str) -> float:
        return self.scores[split].metrics[name]

    @property
    def dev_cider(self) -> float:
        """CIDEr on dev, the mean of the data sets."""
        return fmean(scores.metrics["cider"] for name, scores in self.scores.items() if name.split()[-1] == "dev")

    def lacks(self, names: Iterable[str]) -> list[str]:
        """The fields among these, of the record or of its scores, that are empty."""
        owners = (self, *self.scores.values())
        return [name for name in names if any(getattr(owner, name) in _EMPTY for owner in owners if hasattr(owner, name))]

    @property
    def row(self) -> dict[str, Any]:
        """The record as the command prints it: everything but the long parts."""
        own = {"preset": self.trial.preset, "overrides": dict(self.trial.overrides)}
        facts = _plain(self, but=("settings", "scores")) | {"epochs": self.epochs}
        short = {split: _plain(scores, but=("metrics", "used", "cider")) for split, scores in self.scores.items()}
        return own | facts | {split: self.scores[split].metrics | others for split, others in short.items()}


def taken(history: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record that come from a finished run's history; epochs of an earlier stage do not count."""
    earlier, photographs = history["earlier"], history.get("data", {}).get("photographs", {})
    own = history["epochs"][earlier:]
    seconds, cores = ([epoch.get(name) for epoch in own] for name in ("seconds", "cores"))
    return {
        "losses": tuple((epoch["train_loss"], epoch["dev_loss"]) for epoch in own),
        "best_epoch": history["best_epoch"] - earlier,
        "seconds": math.fsum(seconds),
        "fastest_epoch": min(seconds),
        "cores": None if None in cores else min(cores),
        "trained_on": photographs.get("train"),
    }


def stored(record: Record) -> dict[str, Any]:
    return _plain(record) | {"scores": {split: _plain(scores) for split, scores in record.scores.items()}}


def _plain(data: Record | Scores, but: Iterable[str] = ()) -> dict[str, Any]:
    """A record as plain data, without its empty fields."""
    return {name: value for name, value in asdict(data).items() if value not in _EMPTY and name not in but}


@dataclass(frozen=True)
class _File:
    trials: tuple[Record, ...]


def _path(folder: Path, name: str) -> Path:
    return folder / TRIALS / f"{name}.json"


def find_file(folder: Path, name: str) -> Path | None:
    """A file beside these decoders, or beside the folders of their stages; None if there is none."""
    places = (folder, folder.parent) if folder.name in STAGES else (folder,)
    return next((place / name for place in places if (place / name).is_file()), None)


def _read(path: Path, advice: str) -> list[Record]:
    found = list(read_as(path, _File, advice).trials) if path.is_file() else []
    try:
        if len({(record.name, record.trial) for record in found}) == len(found):
            return found
        reason = "It holds one trial twice."
    except (CheckpointError, ConfigError) as error:
        reason = str(error)
    raise CheckpointError(f"The file {path} is damaged; {advice}. {reason}")


def read_records(folder: Path, plan: Plan) -> list[Record]:
    """All records of the plan; refuse a damaged file, an incomplete record, and one that does not belong to the plan."""
    advice = _AGAIN.format(plan.name)
    path = find_file(folder, str(_path(Path(), plan.name)))
    found = _read(path, advice) if path else []
    for record in found:
        if record.trial not in plan.order:
            raise CheckpointError(f"The record of {record.trial} in {path} does not belong to this plan; {advice}.")
        missing = sorted({*record.trial.scored_on} - {*record.scores}) + record.lacks(plan.needs)
        if missing and not record.gave_up:
            raise CheckpointError(f"The record of {record.trial} in {path} lacks {', '.join(missing)}; {advice}.")
    return found


def save_record(folder: Path, plan: Plan, record: Record) -> None:
    """Add the record to its file, in the order of the plan."""
    _save(_path(folder, plan.name), record, lambda one: plan.order[one.trial])


def keep(folder: Path, name: str, run: Path, data: str, scores: Mapping[str, Mapping[str, Any]]) -> None:
    """Record a trained decoder of no plan under a name, with its scores on the dev photographs of each data set."""
    config, history = read_json(run / CONFIG), finished_history(run)
    settings, stage = replace(preset_from_json(config["preset"]), encoder=config["encoder"]["name"]), read_stage(run)
    record = Record(
        variant=config["variant"],
        stage=stage,
        seed=config["seed"],
        settings=to_json(settings.up_to(stage)),
        data=data,
        encoder=settings.encoder,
        made_with=history.get("made_with", ""),
        name=name,
        scores={split: Scores(**found) for split, found in scores.items()},
        **taken(history),
    )
    _save(_path(folder, KEPT), record, lambda one: (one.name, one.variant))


def read_kept(folder: Path) -> list[Record]:
    """The records that `keep` made, by name."""
    return _read(_path(folder, KEPT), "delete it")


def _save(path: Path, record: Record, order: Callable[[Record], Any]) -> None:
    key = (record.name, record.trial)  # The file is read again, for another process may have added to it.
    others = [one for one in _read(path, "delete it") if (one.name, one.trial) != key]
    write_json(path, {"trials": [stored(one) for one in sorted([*others, record], key=order)]})
