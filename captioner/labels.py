"""Where the names of the best epochs stand in a chart of losses, so that none covers another; knows no drawing library."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from captioner.config import Variant

# As parts of the height: of one name, and of the space between dots that share a stack of names.
LABEL_ROOM, _CLOSE = 0.05, 0.15


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


@dataclass(frozen=True)
class Label:
    """The best epoch of a decoder: where its dot lies, and where its name stands so that no two cover each other."""

    variant: Variant
    place: float
    loss: float
    text: str
    to_the_left: bool
    height: float = 0.0


def stacked(labels: Sequence[Label], scale: Scale, direction: int) -> Iterator[Label]:
    """Give the labels their heights: those of dots that lie close together beyond the outermost, upwards (1) or down (-1)."""
    ordered = sorted(labels, key=lambda label: direction * label.loss)
    while ordered:
        heights = [direction * scale.height(label.loss) for label in ordered]
        near = next((n for n in range(1, len(heights)) if heights[n] - heights[n - 1] > _CLOSE), len(heights))
        for number, label in enumerate(ordered[:near], 1):
            yield replace(label, height=scale.loss(direction * (heights[near - 1] + number * LABEL_ROOM)))
        ordered = ordered[near:]
