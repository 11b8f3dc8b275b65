"""Where the names of the best epochs stand in a chart of losses: clear of its lines and of each other. Draws nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from captioner.config import Variant

# As parts of the chart: the height of one name, the most that one takes of the width, and the margin above and below.
_ROOM, _WIDTH, _MARGIN = 0.065, 0.4, 0.03

Spot = tuple[float, float]  # a place on the axis of epochs or minutes, and a loss


@dataclass(frozen=True)
class Scale:
    """From losses to heights in the chart, 0 at the bottom and 1 at the top, and back."""

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
        """The scale stretched so that these heights, and a margin, are inside; there is no loss below 0."""
        low, high = min([0, *(height - _ROOM / 2 for height in heights)]), max([1, *(height + _ROOM / 2 for height in heights)])
        return Scale(max(0.0, self.loss(low - _MARGIN)), self.loss(high + _MARGIN), self.log)


@dataclass(frozen=True)
class Label:
    """The best epoch of a decoder: where its dot lies, and at which loss its name stands, above or below it."""

    variant: Variant
    place: float
    loss: float
    text: str
    to_the_left: bool
    name_at: float = math.nan


def laid_out(labels: Sequence[Label], spots: Sequence[Spot], width: float, scale: Scale) -> list[Label]:
    """Stack the names over all lines that they would cover, or under them where that is nearer to the dots.

    A name whose pole would run through the others' names comes first, then the one whose dot is nearest.
    """
    if not labels:
        return []
    dots = [scale.height(label.loss) for label in labels]
    covered = [scale.height(loss) for place, loss in spots if any(_covers(label, place, width) for label in labels)]
    low, high = min(dots + covered), max(dots + covered)
    room_below = scale.loss(low - len(labels) * _ROOM - _MARGIN) > 0  # There is no loss below 0, so the axis ends there.
    down = room_below and max(dots) - low < high - min(dots)
    edge, step = (low, -_ROOM) if down else (high, _ROOM)
    ordered = sorted(labels, key=lambda label: (_inwards(label), -label.loss if down else label.loss))
    return [replace(label, name_at=scale.loss(edge + number * step)) for number, label in enumerate(ordered, 1)]


def _inwards(label: Label) -> float:
    """Smallest for the dot over which the names of all others, which stand on the same side of theirs, would reach."""
    return label.place if label.to_the_left else -label.place


def _covers(label: Label, place: float, width: float) -> bool:
    """Whether the name reaches over this place; it stands on one side of its dot."""
    aside = label.place - place if label.to_the_left else place - label.place
    return 0 <= aside <= _WIDTH * width
