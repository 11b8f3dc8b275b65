"""Where every box of the architecture's drawing stands, wide for a screen and narrow for a phone. Knows numbers only, no SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from captioner.figures.decoder.architecture import Column, Layer


@dataclass(frozen=True)
class Layout:
    """The measures of a drawing. `lines` is how many lines of text a box has; a narrow trunk runs from top to bottom."""

    name: str
    width: float
    gap: float
    rail: float
    step: float
    font: float
    lines: int

    @property
    def box(self) -> float:
        return self.font * (1.35 * self.lines + 0.9)

    @property
    def stacked(self) -> bool:
        return self.lines > 2


WIDE = Layout("wide", 1120, 40, 17, 24, 15, 2)
NARROW = Layout("narrow", 358, 8, 6, 20, 12, 4)
LAYOUTS = (WIDE, NARROW)


@dataclass(frozen=True)
class Box:
    """Where a layer is drawn."""

    layer: Layer
    left: float
    top: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.left + self.width / 2

    @property
    def bottom(self) -> float:
        return self.top + self.height


def column_width(layout: Layout) -> float:
    """A third of the drawing, also where there are fewer decoders."""
    return (layout.width - 2 * layout.gap) / 3


def place_trunk(layers: Sequence[Layer], layout: Layout) -> Iterator[Box]:
    if layout.stacked:
        width, height = layout.width * 0.72, layout.font * 3.6
        for place, layer in enumerate(layers):
            yield Box(layer, (layout.width - width) / 2, 1 + place * (height + layout.step), width, height)
    else:
        width = column_width(layout) - layout.rail
        for place, layer in enumerate(layers):
            free = (layout.width - len(layers) * width) / (len(layers) - 1)
            yield Box(layer, 1 + place * (width + free - 1), 1, width - 1, layout.box)


def place_column(column: Column, left: float, top: float, layout: Layout) -> Iterator[Box]:
    width = column_width(layout)
    for place, layer in enumerate(column.layers):
        height = top + place * (layout.box + layout.step)
        yield Box(layer, left + 2 * layout.rail, height, width - 4 * layout.rail, layout.box)
