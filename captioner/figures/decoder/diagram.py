"""The architecture as an SVG in the colour of the text around it, wide for a screen and narrow for a phone.

The layers come from `captioner.figures.decoder.architecture`.
"""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from captioner.figures.decoder.architecture import FROZEN, NOTHING, Architecture, Column, Layer, size
from captioner.figures.style import INK
from captioner.model.blueprint import NORM, TABLE_WEIGHT


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


def draw(architecture: Architecture, layout: Layout) -> str:
    """One SVG; without line breaks between its elements, so that no reader of markdown takes it apart."""
    trunk = list(place_trunk(architecture.trunk, layout))
    top = trunk[-1].bottom + layout.step * 2 + layout.font * 3
    width = column_width(layout)
    lefts = [place * (width + layout.gap) for place in range(len(architecture.columns))]
    lefts = [left + (layout.width - lefts[-1] - width) / 2 for left in lefts]
    parts = [*_draw_trunk(trunk, layout), *_draw_branches(trunk[-1], lefts, top - layout.font * 3, layout)]
    bottom = top
    for column, left in zip(architecture.columns, lefts, strict=True):
        boxes = list(place_column(column, left, top, layout))
        parts += _draw_column(column, boxes, left, layout)
        bottom = max(bottom, boxes[-1].bottom + layout.font * 3.1)
    return (
        f'<svg class="{layout.name}" viewBox="0 0 {layout.width:g} {bottom:.0f}" role="img" '
        f'aria-label="{html.escape(describe(architecture))}"><defs>{_tip(layout)}</defs>{"".join(parts)}</svg>'
    )


def describe(architecture: Architecture) -> str:
    """The drawing in words, for who cannot see it."""
    trunk = ", then ".join(f"{layer.name} ({_tell(layer)})" for layer in architecture.trunk)
    columns = " ".join(
        f"{column.variant.title}: " + ", ".join(f"{layer.name} ({_tell(layer)})" for layer in column.layers)
        + f"; {column.parameters:,} parameters, {column.trained:,} of them trained."
        for column in architecture.columns
    )  # fmt: skip
    return f"From a photograph to the next word. All decoders share: {trunk}. Then each decoder by itself. {columns}"


def _tell(layer: Layer) -> str:
    return f"{size(layer.shape)}, {amount(layer)}"


def amount(layer: Layer) -> str:
    """How many parameters a layer has, and whether they were trained."""
    if layer.state == NOTHING:
        return "no parameters"
    return f"{layer.parameters:,} parameters, {layer.state}" if layer.parameters is not None else layer.state


def _draw_trunk(boxes: Sequence[Box], layout: Layout) -> Iterator[str]:
    for box in boxes:
        yield _draw_box(box, layout, lines=2)
    for one, other in zip(boxes, boxes[1:], strict=False):
        if layout.stacked:
            yield _arrow([(one.middle, one.bottom), (other.middle, other.top)], layout)
        else:
            height = one.top + one.height / 2
            yield _arrow([(one.left + one.width, height), (other.left, height)], layout)


def _draw_branches(grid: Box, lefts: Sequence[float], top: float, layout: Layout) -> Iterator[str]:
    """From the grid to the head of every column."""
    split = grid.bottom + layout.step
    for left in lefts:
        middle = left + column_width(layout) / 2
        yield _arrow([(grid.middle, grid.bottom), (grid.middle, split), (middle, split), (middle, top)], layout)


def _draw_column(column: Column, boxes: Sequence[Box], left: float, layout: Layout) -> Iterator[str]:
    variant, font = column.variant, layout.font
    first, last, width = boxes[0], boxes[-1], column_width(layout)
    line = first.top - font * 1.1
    yield _text(variant.title, first.middle, line - font * 0.5, font * 1.2, weight=650)
    yield (
        f'<line x1="{left + 2:.1f}" x2="{left + width - 2:.1f}" y1="{line:.1f}" y2="{line:.1f}" stroke="{variant.colour}" '
        f'stroke-width="4"{_dashes(column)}></line>'
    )
    yield _arrow([(first.middle, line + 3), (first.middle, first.top)], layout)
    for box in boxes:
        yield _draw_box(box, layout, layout.lines, variant.colour if box.layer.key == TABLE_WEIGHT else None)
    yield from _draw_wires(boxes, layout)
    total = f"{column.parameters:,}" if layout.stacked else f"{column.parameters:,} parameters"
    yield _text(total, last.middle, last.bottom + font * 1.5, font, weight=650)
    yield _text(f"{column.trained:,} trained", last.middle, last.bottom + font * 2.7, font * (0.9 if layout.stacked else 1))


def _dashes(column: Column) -> str:
    drawn, left_out = column.variant.dash
    return f' stroke-dasharray="{drawn} {left_out}"' if left_out else ""


def _draw_wires(boxes: Sequence[Box], layout: Layout) -> Iterator[str]:
    """A straight arrow to the next box; to a later one along a rail: what comes from the photograph left, all else right."""
    places = {box.layer.key: place for place, box in enumerate(boxes)}
    for place, box in enumerate(boxes):
        for source in box.layer.sources:
            if source not in places:
                continue
            one = boxes[places[source]]
            if places[source] == place - 1:
                yield _arrow([(one.middle, one.bottom), (box.middle, box.top)], layout)
            else:
                yield _along_a_rail(one, box, layout)


def _along_a_rail(one: Box, other: Box, layout: Layout) -> str:
    """The outer rail of a side is for what attention reads and for the word that goes back; the inner one for the rest."""
    photograph = ("image", NORM, "slot")
    left_side = one.layer.key in (*photograph, "start")
    away = layout.rail * (1.75 if one.layer.key in (*photograph, "words") else 0.9)
    rail = one.left - away if left_side else one.left + one.width + away
    edge = one.left if left_side else one.left + one.width
    start, end = one.top + one.height * 0.62, other.top + other.height * 0.38
    return _arrow([(edge, start), (rail, start), (rail, end), (edge, end)], layout)


def _draw_box(box: Box, layout: Layout, lines: int, colour: str | None = None) -> str:
    frozen = f' fill="{INK}" fill-opacity="0.09"' if box.layer.state == FROZEN else ' fill="none"'
    outline = f'stroke="{colour}" stroke-width="3"' if colour else f'stroke="{INK}" stroke-opacity="0.55"'
    rect = (
        f'<rect x="{box.left:.1f}" y="{box.top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="6" '
        f"{frozen} {outline}></rect>"
    )
    return rect + "".join(_write(box, layout, lines))


def _write(box: Box, layout: Layout, lines: int) -> Iterator[str]:
    layer, font = box.layer, layout.font
    first = box.top + (box.height - 1.35 * font * lines) / 2 + font
    if lines == 2:
        yield _text(layer.name, box.left + font * 0.7, first, font * 1.05, weight=650, anchor="start")
        yield _text(size(layer.shape), box.left + box.width - font * 0.7, first, font, anchor="end")
        yield _text(amount(layer), box.left + font * 0.7, first + 1.35 * font, font * 0.93, anchor="start")
        return
    count = ("no", "parameters") if layer.state == NOTHING else (f"{layer.parameters:,}", layer.state)
    for line, text in enumerate((layer.name, size(layer.shape), *count)):
        yield _text(text, box.middle, first + line * 1.35 * font, font, weight=650 if line == 0 else 400)


def _text(text: str, left: float, line: float, font: float, weight: int = 400, anchor: str = "middle") -> str:
    return (
        f'<text x="{left:.1f}" y="{line:.1f}" font-size="{font:.1f}" font-weight="{weight}" text-anchor="{anchor}" '
        f'fill="{INK}">{html.escape(text)}</text>'
    )


def _tip(layout: Layout) -> str:
    """The head of every arrow."""
    size_and_place = 'viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7"'
    return (
        f'<marker id="tip-{layout.name}" {size_and_place} orient="auto">'
        f'<path d="M0 0L10 5L0 10z" fill="{INK}"></path></marker>'
    )


def _arrow(points: Sequence[tuple[float, float]], layout: Layout) -> str:
    path = "L".join(f"{left:.1f} {top:.1f}" for left, top in points)
    return f'<path d="M{path}" fill="none" stroke="{INK}" stroke-width="1.5" marker-end="url(#tip-{layout.name})"></path>'


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
