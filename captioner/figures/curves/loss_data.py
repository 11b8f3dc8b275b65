"""The numbers behind the picture of the losses: what a visitor wants to see of the curves, smoothed, laid out and as a table.

Drawing them is left to `captioner.figures.curves.loss_chart` (on the page) and `captioner.figures.curves.loss_file` (in a file), so that both
show the same.
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
_MOST_OF_THE_FALL, _LATEST_START = 0.75, 0.25  # of the way to the best dev loss; of the epochs
_SHORTEST = {EPOCHS: 1.0, MINUTES: 0.01}  # lengths of the axis, for the time after the first epoch


@dataclass(frozen=True)
class Look:
    """How the curves are to be shown; every choice is a control of the page."""

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
        """The project published no times, so its curves cannot stand over minutes."""
        return self.course and self.axis == EPOCHS


def smooth(values: Sequence[float], weight: float) -> list[float]:
    """Exponential moving average; divided by the weights it holds so far, so that its beginning is not pulled to zero.

    >>> smooth([4.0, 2.0, 2.0], 0.5)
    [4.0, 2.6666666666666665, 2.2857142857142856]
    """
    smoothed, average = [], 0.0
    for count, value in enumerate(values, 1):
        average = weight * average + (1 - weight) * value
        smoothed.append(average / (1 - weight**count))
    return smoothed


@dataclass(frozen=True)
class Picture:
    """Curves and a look, worked out: every line, the limits of both axes, and the labels.

    Of a run that goes on, the epochs to come are expected on the axis, so that it stays as it is while the curves grow.
    """

    curves: tuple[Curve, ...]
    look: Look
    expected_epochs: int = 0

    @property
    def variants(self) -> list[Variant]:
        shown = {curve.variant.name for curve in (*self.curves, *self.course)}
        return [variant for variant in VARIANTS.values() if variant.name in shown]

    @property
    def course(self) -> tuple[CourseCurve, ...]:
        return read_course() if self.look.course_shown else ()

    @cached_property
    def lines(self) -> "pd.DataFrame":
        """One row per decoder, split and epoch: the loss as shown, as it was, and between which seeds it lies."""
        import pandas as pd

        columns = ["decoder", "split", "epoch", "place", "loss", "raw", "low", "high"]
        rows = [row for curve in self.curves for split in SPLITS for row in self._line(curve, split)]
        return pd.DataFrame(rows, columns=columns)

    def _line(self, curve: Curve, split: str) -> Iterator[tuple]:
        bands = [getattr(point, split) for point in curve.points]
        shown = smooth([band.mean for band in bands], self.look.smoothing)
        for point, band, loss in zip(curve.points, bands, shown, strict=True):
            if point.epoch >= self.look.first_epoch:
                row = (curve.variant.title, split, point.epoch, self.look.place(point), loss, band.mean, band.low, band.high)
                yield row

    @cached_property
    def course_lines(self) -> "pd.DataFrame":
        import pandas as pd

        first = self.look.first_epoch
        rows = [
            (curve.variant.title, curve.name, epoch, loss)
            for curve in self.course
            for epoch, loss in enumerate(curve.losses, 1)
            if epoch >= first
        ]
        return pd.DataFrame(rows, columns=["decoder", "name", "place", "loss"])

    @cached_property
    def places(self) -> tuple[float, float]:
        """The first and the last place on the axis of epochs or minutes; never the same, so that it has a length."""
        places = [*self.lines.place, *self.course_lines.place]
        if self.look.axis == EPOCHS and self.expected_epochs:
            places.append(self.expected_epochs)
        return min(places), max(max(places), min(places) + _SHORTEST[self.look.axis])

    @cached_property
    def scale(self) -> Scale:
        """The losses from bottom to top, the names of the best epochs among them."""
        return self._lines_scale.with_room_for([self._lines_scale.height(label.name_at) for label in self.labels])

    @property
    def _lines_scale(self) -> Scale:
        losses = [loss for _, loss in self._spots]
        return Scale(min(losses), max(max(losses), min(losses) * 1.01), self.look.log)

    @property
    def _spots(self) -> list[Spot]:
        """Every place and loss where something is drawn."""
        drawn = [self.lines[["place", kind]] for kind in ("loss", "low", "high")] + [self.course_lines[["place", "loss"]]]
        return [spot for rows in drawn for spot in rows.itertuples(index=False, name=None)]

    @cached_property
    def labels(self) -> list[Label]:
        """The best epochs that are shown; a name stands left of its dot in the right half, and right of it in the left."""
        first, last = self.places
        labels = [
            Label(curve.variant, place, best.dev.mean, _best_text(curve), to_the_left=place > (first + last) / 2)
            for curve in self.curves
            for best in [curve.best]
            for place in [self.look.place(best)]
            if best.epoch >= self.look.first_epoch
        ]
        return laid_out(labels, self._spots, last - first, self._lines_scale)

    @property
    def second_stage(self) -> list[tuple[float, str]]:
        """Where the decoders went on from an earlier stage or run, as far as it is shown, with what begins there."""
        places: dict[float, list[Curve]] = {}
        for curve in self.curves:
            if (place := self._boundary(curve)) is not None:
                places.setdefault(place, []).append(curve)
        return [(place, self._beginning(curves)) for place, curves in sorted(places.items())]

    def _beginning(self, curves: Sequence[Curve]) -> str:
        """The decoders are named where not all of them begin it there."""
        name = "reward" if curves[0].stage == REWARD else "second stage"
        whose = ", ".join(curve.variant.title for curve in curves) + ": " if len(curves) < len(self.curves) else ""
        return f"{whose}{name}"

    def _boundary(self, curve: Curve) -> float | None:
        points = [point for point in curve.points if point.epoch in (curve.earlier, curve.earlier + 1)]
        if len(points) < 2 or points[0].epoch < self.look.first_epoch:
            return None
        return curve.earlier + 0.5 if self.look.axis == EPOCHS else points[0].minutes


def settled(curves: Sequence[Curve]) -> int:
    """The epoch at which to begin, so that the first ones do not squeeze the rest: the steep fall is over in every curve.

    No more than a quarter of the epochs are left out.
    """
    epochs = max((len(curve.points) for curve in curves), default=1)
    return min(max(map(_settled, curves), default=1), 1 + int(epochs * _LATEST_START))


def _settled(curve: Curve) -> int:
    first, best = curve.points[0].dev.mean, curve.best.dev.mean
    limit = first - _MOST_OF_THE_FALL * (first - best)
    return next(point.epoch for point in curve.points if point.dev.mean <= limit)


def _best_text(curve: Curve) -> str:
    return f"{curve.variant.title}: best epoch {curve.best.epoch}"


def loss_table(curves: Sequence[Curve]) -> "pd.DataFrame":
    """One row per epoch, two columns per decoder, and two more for epochs of reward: what a person reads."""
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
    """Every figure of every seed as it was written down, for another program."""
    import pandas as pd

    rows = [
        {"decoder": history.variant.name, "seed": history.seed, **{name: getattr(epoch, name) for name in _WRITTEN}}
        for curve in curves
        for history in curve.histories
        for epoch in history.epochs
    ]
    return pd.DataFrame(rows).dropna(axis="columns", how="all").to_csv(index=False)


def summary(curves: Sequence[Curve]) -> str:
    """The chart in words, for who cannot see it."""
    return "Loss per word after each epoch. " + " ".join(map(_in_words, curves))


def _in_words(curve: Curve) -> str:
    best = curve.best
    end = f"{best.dev.mean:.2f} where CIDEr is best" if best.dev_cider else f"its best, {best.dev.mean:.2f}"
    start = f"{curve.variant.title}: dev loss from {curve.points[0].dev.mean:.2f} to {end}"
    return f"{start}, in epoch {best.epoch} of {len(curve.points)}."
