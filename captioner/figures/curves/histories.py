"""Training histories: find runs, read their histories, and combine seeds into curves.

A run is a folder that holds `learned/`, `word2vec/`, `fasttext/`; further seeds of it, or all, lie in `seeds/<seed>/`.
"""

import glob
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from statistics import fmean, median

from captioner.config import STAGES, VARIANTS, Variant, find_variant
from captioner.errors import CheckpointError
from captioner.model.checkpoints import HISTORY
from captioner.storage import read_as
from captioner.training.history import FINISHED, RUNNING, STOPPED, Epoch

INTERRUPTED = "interrupted"  # found by the age of the file; a killed process cannot write it
SEEDS = "seeds"
_WRITTEN_STATES = (RUNNING, FINISHED, STOPPED)
_DEPTH = 3  # levels below a named folder that are searched for runs
# A running history that was not written for this long belongs to a killed run.
_SILENT_EPOCHS, _SILENT_SECONDS = 5, 60


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """A history as its file has it; `earlier` epochs belong to the run it started from."""

    seed: int
    state: str
    epochs: tuple[Epoch, ...]
    best_epoch: int
    earlier: int = 0

    @property
    def sound(self) -> bool:
        numbers = list(range(1, len(self.epochs) + 1))
        known = self.state in _WRITTEN_STATES and {epoch.stage for epoch in self.epochs} <= set(STAGES)
        if not known or self.best_epoch not in numbers or not 0 <= self.earlier <= len(numbers):
            return False
        stages = [list(STAGES).index(epoch.stage) for epoch in self.epochs]
        ordered = [epoch.epoch for epoch in self.epochs] == numbers and stages == sorted(stages)
        return ordered and all(min(epoch.train_loss, epoch.dev_loss) > 0 <= epoch.seconds for epoch in self.epochs)


@dataclass(frozen=True, kw_only=True)
class History(_Stored):
    """One decoder's training with one seed so far."""

    variant: Variant
    silent: float  # seconds since it was written

    @property
    def best(self) -> Epoch:
        return next(epoch for epoch in self.epochs if epoch.epoch == self.best_epoch)

    @property
    def seconds_per_epoch(self) -> float:
        """The median over the last stage, since the first epoch also compiles and the machine may be busy."""
        return median(epoch.seconds for epoch in self.epochs if epoch.stage == self.epochs[-1].stage)

    @property
    def fresh(self) -> bool:
        """Whether it was written recently enough for training to be in progress.

        A time in the future, from before the clock was set back, counts by its distance too.
        """
        return abs(self.silent) < max(_SILENT_SECONDS, _SILENT_EPOCHS * self.seconds_per_epoch)


@dataclass(frozen=True)
class Band:
    """Mean and range of a figure over the seeds of a run."""

    mean: float
    low: float
    high: float

    @classmethod
    def over(cls, values: Sequence[float]) -> "Band":
        return cls(fmean(values), min(values), max(values))


@dataclass(frozen=True)
class Point:
    """A decoder's figures after an epoch."""

    epoch: int
    minutes: float
    stage: str
    training: Band
    dev: Band
    reward: Band | None
    dev_cider: Band | None


@dataclass(frozen=True)
class Curve:
    """One decoder's training in a run, over all seeds."""

    histories: tuple[History, ...]

    @property
    def variant(self) -> Variant:
        return self.histories[0].variant

    @property
    def state(self) -> str:
        states = {history.state for history in self.histories}
        return next(state for state in (RUNNING, INTERRUPTED, STOPPED, FINISHED) if state in states)

    @property
    def stage(self) -> str:
        """The current stage."""
        return self.points[-1].stage

    @property
    def earlier(self) -> int:
        """The number of epochs before the last stage, or before the continuation of another run."""
        return sum(point.stage != self.stage for point in self.points) or self.histories[0].earlier

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Each stage up to the last epoch that every seed has reached, so that the mean does not jump where a seed ends."""
        rows = [row for stage in STAGES for row in zip(*(_timed(history, stage) for history in self.histories), strict=False)]
        return tuple(_point(number, row) for number, row in enumerate(rows, 1))

    @property
    def best(self) -> Point:
        """The epoch whose weights are kept; for several seeds, the one with the best mean."""
        if len(self.histories) == 1:
            return next(point for point in self.points if point.epoch == self.histories[0].best_epoch)
        if self.rewarded:
            return max(self.rewarded, key=lambda point: point.dev_cider.mean)
        return min(self.points, key=lambda point: point.dev.mean)

    @property
    def rewarded(self) -> list[Point]:
        """The epochs of the reward stage."""
        return [point for point in self.points if point.reward and point.dev_cider]

    @property
    def seconds_per_epoch(self) -> float:
        return fmean(history.seconds_per_epoch for history in self.histories)


def _timed(history: History, stage: str) -> list[tuple[Epoch, float]]:
    """Every epoch of a stage, with the training minutes up to its end."""
    passed = accumulate(epoch.seconds / 60 for epoch in history.epochs)
    return [(epoch, minutes) for epoch, minutes in zip(history.epochs, passed, strict=True) if epoch.stage == stage]


def _point(number: int, seeds: Sequence[tuple[Epoch, float]]) -> Point:
    def band(name: str) -> Band | None:
        values = [getattr(epoch, name) for epoch, _ in seeds]
        return None if None in values else Band.over(values)

    figures = [band(name) for name in ("train_loss", "dev_loss", "reward", "dev_cider")]
    return Point(number, fmean(minutes for _, minutes in seeds), seeds[0][0].stage, *figures)


def find_runs(folders: Sequence[Path]) -> list[Path]:
    """The runs in these folders: the folder itself if it is a run, then those below it, sorted by name."""
    return list(dict.fromkeys(run for folder in folders for run in _runs_below(folder)))


def _runs_below(top: Path) -> Iterator[Path]:
    for place, folders, _ in os.walk(top):
        folder = Path(place)
        if any(_histories(folder, name) for name in VARIANTS):
            yield folder
        deep = len(folder.parts) - len(top.parts) == _DEPTH
        inner = (name for name in folders if name not in (*VARIANTS, SEEDS) and not name.startswith("."))
        folders[:] = [] if deep else sorted(inner)


def _histories(folder: Path, name: str) -> list[str]:
    """The histories of one decoder of a run, the run's own seed first."""
    own = [f"{name}/{HISTORY}"] if os.path.isfile(folder / name / HISTORY) else []
    return own + sorted(glob.glob(f"{SEEDS}/*/{name}/{HISTORY}", root_dir=folder))


def read_run(folder: Path, alive: bool | None = None) -> tuple[list[Curve], list[CheckpointError]]:
    """The curves of a run, and an error for every decoder or seed without a usable history.

    `alive` tells whether the run is in progress; if None, the age of the files decides.
    """
    curves, problems = [], []
    for name in VARIANTS:
        histories = []
        for path in _histories(folder, name) or [f"{name}/{HISTORY}"]:
            try:
                found = _judged(read_history(folder / path), alive)
                if found.seed not in {history.seed for history in histories}:  # The shipped decoder is one of the seeds.
                    histories.append(found)
            except CheckpointError as error:
                problems.append(error)
        if histories:
            curves.append(Curve(tuple(histories)))
    return curves, problems


def in_progress(curves: Sequence[Curve]) -> bool:
    """Whether a decoder is being trained, or one has just finished and the next has not begun."""
    between = 0 < len(curves) < len(VARIANTS) and all(curve.state == FINISHED for curve in curves)
    return any(curve.state == RUNNING for curve in curves) or (between and any(curve.histories[0].fresh for curve in curves))


def read_history(path: Path) -> History:
    """Read one history file; its folder names the decoder."""
    variant = find_variant(path.parent.name)
    try:
        written = path.stat().st_mtime
    except OSError as error:
        raise CheckpointError(
            f"{variant.title} has no curve yet: there is no {HISTORY} in {path.parent}; "
            "it appears after the first epoch of training."
        ) from error
    stored = read_as(path, _Stored, "copy it again, or train this decoder anew")
    if not stored.sound:
        raise CheckpointError(
            f"The {HISTORY} of {variant.title} is not complete: it should hold a state, epochs with their losses, and the best "
            "epoch; copy it again, or train this decoder anew."
        )
    return History(variant=variant, silent=time.time() - written, **vars(stored))


def _judged(history: History, alive: bool | None) -> History:
    """Mark a running history as interrupted if nobody writes it any more, since a killed process cannot."""
    going = history.fresh if alive is None else alive
    return history if going or history.state != RUNNING else replace(history, state=INTERRUPTED)
