"""Layout of the best-epoch labels in a loss chart, clear of its lines and of each other. Draws nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from captioner.config import Variant

# As fractions of the chart: the height of a name, its greatest width, and the margin above and below.
_ROOM, _WIDTH, _MARGIN = 0.065, 0.4, 0.03

Spot = tuple[float, float]  # a position on the horizontal axis, and a loss


@dataclass(frozen=True)
class Scale:
    """Conversion between losses and heights in the chart, from 0 at the bottom to 1 at the top."""

    low: float
    high: float
    log: bool

    def height(self, loss: float) -> float:
        low, high, loss = (math.log(value) if self.log else value for value in (self.low, self.high, loss))
        return (loss - low) / (high - low)

    def loss(self, height: float) -> float:
        if self.log:
            return self.low * (self.high / self.low) ** height
        return self.low + height * (self.high - self.low)

    def with_room_for(self, heights: Sequence[float]) -> "Scale":
        """The scale extended to include these heights and a margin, but no loss below 0."""
        low, high = min([0, *(height - _ROOM / 2 for height in heights)]), max([1, *(height + _ROOM / 2 for height in heights)])
        return Scale(max(0.0, self.loss(low - _MARGIN)), self.loss(high + _MARGIN), self.log)


@dataclass(frozen=True)
class Label:
    """A decoder's best epoch: the position of its dot, and the loss at which its name stands above or below it."""

    variant: Variant
    place: float
    loss: float
    text: str
    to_the_left: bool
    name_at: float = math.nan


def laid_out(labels: Sequence[Label], spots: Sequence[Spot], width: float, scale: Scale) -> list[Label]:
    """Stack the names above all lines that they would cover, or below them if that is nearer to the dots.

    Names whose pole would cross other names come first, then those with the nearest dots.
    """
    if not labels:
        return []
    dots = [scale.height(label.loss) for label in labels]
    covered = [scale.height(loss) for place, loss in spots if any(_covers(label, place, width) for label in labels)]
    low, high = min(dots + covered), max(dots + covered)
    room_below = scale.loss(low - len(labels) * _ROOM - _MARGIN) > 0  # No loss is below 0, so the axis ends there.
    down = room_below and max(dots) - low < high - min(dots)
    edge, step = (low, -_ROOM) if down else (high, _ROOM)
    ordered = sorted(labels, key=lambda label: (_inwards(label), -label.loss if down else label.loss))
    return [replace(label, name_at=scale.loss(edge + number * step)) for number, label in enumerate(ordered, 1)]


def _inwards(label: Label) -> float:
    """Smallest for the dot that the names of all others would reach over."""
    return label.place if label.to_the_left else -label.place


def _covers(label: Label, place: float, width: float) -> bool:
    """Whether the name, which stands on one side of its dot, reaches over this position."""
    aside = label.place - place if label.to_the_left else place - label.place
    return 0 <= aside <= _WIDTH * width
