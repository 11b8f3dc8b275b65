"""The numbers of a loss chart, its table and its CSV: smoothing, axes and labels.

`loss_chart` draws them on the page and `loss_file` in a file, so that both agree.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from captioner.config import REWARD, VARIANTS, Variant
from captioner.figures.curves.best_epoch_labels import Label, Scale, Spot, laid_out
from captioner.figures.curves.course_project import CourseCurve, read_course
from captioner.figures.curves.histories import Curve, Point

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("training", "dev")
REWARDS = {"dev_cider": "CIDEr on dev", "reward": "reward in training"}
_WRITTEN = ("epoch", "stage", "train_loss", "dev_loss", "seconds", *REWARDS)
EPOCHS, MINUTES = "epochs", "minutes"
_MOST_OF_THE_FALL, _LATEST_START = 0.75, 0.25  # share of the way to the best dev loss; share of the epochs
_SHORTEST = {EPOCHS: 1.0, MINUTES: 0.01}  # shortest axis, after the first epoch


@dataclass(frozen=True)
class LossView:
    """How to show the curves; every field is a control of the page."""

    axis: str = EPOCHS
    log: bool = False
    smoothing: float = 0.0
    first_epoch: int = 1
    course: bool = False

    @property
    def smoothed(self) -> bool:
        return self.smoothing > 0

    def place(self, point: Point) -> float:
        return point.minutes if self.axis == MINUTES else point.epoch

    @property
    def course_shown(self) -> bool:
        """Only over epochs, since the project published no times."""
        return self.course and self.axis == EPOCHS


def smooth(values: Sequence[float], weight: float) -> list[float]:
    """Exponential moving average with bias correction.

    >>> smooth([4.0, 2.0, 2.0], 0.5)
    [4.0, 2.6666666666666665, 2.2857142857142856]
    """
    smoothed, average = [], 0.0
    for count, value in enumerate(values, 1):
        average = weight * average + (1 - weight) * value
        smoothed.append(average / (1 - weight**count))
    return smoothed


@dataclass(frozen=True)
class LossPlot:
    """Every line of a chart, the limits of both axes, and the labels.

    The axis of a run in progress includes the expected epochs, so that it does not change while the curves grow.
    """

    curves: tuple[Curve, ...]
    view: LossView
    expected_epochs: int = 0

    @property
    def variants(self) -> list[Variant]:
        shown = {curve.variant.name for curve in (*self.curves, *self.course)}
        return [variant for variant in VARIANTS.values() if variant.name in shown]

    @property
    def course(self) -> tuple[CourseCurve, ...]:
        return tuple(read_course().values()) if self.view.course_shown else ()

    @cached_property
    def lines(self) -> "pd.DataFrame":
        """One row per decoder, split and epoch: the loss as shown, as measured, and its range over seeds."""
        import pandas as pd

        columns = ["decoder", "split", "epoch", "place", "loss", "raw", "low", "high"]
        rows = [row for curve in self.curves for split in SPLITS for row in self._line(curve, split)]
        return pd.DataFrame(rows, columns=columns)

    def _line(self, curve: Curve, split: str) -> Iterator[tuple]:
        bands = [getattr(point, split) for point in curve.points]
        shown = smooth([band.mean for band in bands], self.view.smoothing)
        for point, band, loss in zip(curve.points, bands, shown, strict=True):
            if point.epoch >= self.view.first_epoch:
                row = (curve.variant.title, split, point.epoch, self.view.place(point), loss, band.mean, band.low, band.high)
                yield row

    @cached_property
    def course_lines(self) -> "pd.DataFrame":
        import pandas as pd

        first = self.view.first_epoch
        rows = [
            (curve.variant.title, curve.name, epoch, loss)
            for curve in self.course
            for epoch, loss in enumerate(curve.losses, 1)
            if epoch >= first
        ]
        return pd.DataFrame(rows, columns=["decoder", "name", "place", "loss"])

    @cached_property
    def places(self) -> tuple[float, float]:
        """The limits of the horizontal axis, which never coincide."""
        places = [*self.lines.place, *self.course_lines.place]
        if self.view.axis == EPOCHS and self.expected_epochs:
            places.append(self.expected_epochs)
        return min(places), max(max(places), min(places) + _SHORTEST[self.view.axis])

    @cached_property
    def scale(self) -> Scale:
        """The range of losses, including the names of the best epochs."""
        return self._lines_scale.with_room_for([self._lines_scale.height(label.name_at) for label in self.labels])

    @property
    def _lines_scale(self) -> Scale:
        losses = [loss for _, loss in self._spots]
        return Scale(min(losses), max(max(losses), min(losses) * 1.01), self.view.log)

    @property
    def _spots(self) -> list[Spot]:
        """Every position and loss where something is drawn."""
        drawn = [self.lines[["place", kind]] for kind in ("loss", "low", "high")] + [self.course_lines[["place", "loss"]]]
        return [spot for rows in drawn for spot in rows.itertuples(index=False, name=None)]

    @cached_property
    def labels(self) -> list[Label]:
        """The best epochs shown; names stand left of dots in the right half, and right of them in the left half."""
        first, last = self.places
        labels = [
            Label(curve.variant, place, best.dev.mean, text, to_the_left=place > (first + last) / 2)
            for curve in self.curves
            for best in [curve.best]
            for place, text in [(self.view.place(best), f"{curve.variant.title}: best epoch {best.epoch}")]
            if best.epoch >= self.view.first_epoch
        ]
        return laid_out(labels, self._spots, last - first, self._lines_scale)

    @property
    def second_stage(self) -> list[tuple[float, str]]:
        """The visible positions where a second stage or run begins, with its name."""
        places: dict[float, list[Curve]] = {}
        for curve in self.curves:
            if (place := self._boundary(curve)) is not None:
                places.setdefault(place, []).append(curve)
        return [(place, self._beginning(curves)) for place, curves in sorted(places.items())]

    def _beginning(self, curves: Sequence[Curve]) -> str:
        """The name of a stage, with the decoders if only some of them begin it there."""
        name = "reward" if curves[0].stage == REWARD else "second stage"
        whose = ", ".join(curve.variant.title for curve in curves) + ": " if len(curves) < len(self.curves) else ""
        return f"{whose}{name}"

    def _boundary(self, curve: Curve) -> float | None:
        points = [point for point in curve.points if point.epoch in (curve.earlier, curve.earlier + 1)]
        if len(points) < 2 or points[0].epoch < self.view.first_epoch:
            return None
        return curve.earlier + 0.5 if self.view.axis == EPOCHS else points[0].minutes


def settled(curves: Sequence[Curve]) -> int:
    """The first epoch to show: the steep fall is over in every curve, but at most a quarter of the epochs is left out."""
    epochs = max((len(curve.points) for curve in curves), default=1)
    return min(max(map(_settled, curves), default=1), 1 + int(epochs * _LATEST_START))


def _settled(curve: Curve) -> int:
    first, best = curve.points[0].dev.mean, curve.best.dev.mean
    limit = first - _MOST_OF_THE_FALL * (first - best)
    return next(point.epoch for point in curve.points if point.dev.mean <= limit)


def loss_table(curves: Sequence[Curve]) -> "pd.DataFrame":
    """One row per epoch, two columns per decoder, and two more for the reward stage."""
    import pandas as pd

    columns = {
        f"{curve.variant.title}, {title}": pd.Series({point.epoch: getattr(point, name).mean for point in points})
        for curve in curves
        for names, points in ((dict(zip(SPLITS, SPLITS, strict=True)), curve.points), (REWARDS, curve.rewarded))
        for name, title in names.items()
        if points
    }
    return pd.DataFrame(columns).rename_axis("epoch")


def loss_csv(curves: Sequence[Curve]) -> str:
    """Every recorded figure of every seed, for another program."""
    import pandas as pd

    rows = [
        {"decoder": history.variant.name, "seed": history.seed, **{name: getattr(epoch, name) for name in _WRITTEN}}
        for curve in curves
        for history in curve.histories
        for epoch in history.epochs
    ]
    return pd.DataFrame(rows).dropna(axis="columns", how="all").to_csv(index=False)


def summary(curves: Sequence[Curve]) -> str:
    """A text alternative of the chart."""
    return "Loss per word after each epoch. " + " ".join(map(_in_words, curves))


def _in_words(curve: Curve) -> str:
    best = curve.best
    end = f"{best.dev.mean:.2f} where CIDEr is best" if best.dev_cider else f"its best, {best.dev.mean:.2f}"
    start = f"{curve.variant.title}: dev loss from {curve.points[0].dev.mean:.2f} to {end}"
    return f"{start}, in epoch {best.epoch} of {len(curve.points)}."
