"""The drawing read back as XML: a box for every layer with its numbers, nothing outside the drawing, nothing overlapping."""

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest

from captioner.config import SHIPPED, VARIANTS
from captioner.figures.decoder.architecture import read_architecture
from captioner.figures.decoder.diagram import LAYOUTS, NARROW, WIDE, describe, draw
from captioner.model.checkpoints import load, load_all
from support.fakes import MARK, SHAPES, small_checkpoint


@pytest.fixture(scope="module")
def shipped():
    return read_architecture(load_all(SHIPPED / "first"))


@pytest.fixture(scope="module")
def width():
    """How many numbers the decoders that ship make of a region."""
    return load(SHIPPED / "first" / "learned").preset.decoder.image_units


def texts(drawing: str) -> list[str]:
    return [element.text for element in ElementTree.fromstring(drawing).iter("text")]


def boxes(drawing: str) -> list[tuple[float, float, float, float]]:
    """Left, top, right, bottom of every box."""
    drawn = ElementTree.fromstring(drawing).iter("rect")
    found = [[float(box.get(name)) for name in ("x", "y", "width", "height")] for box in drawn]
    return [(left, top, left + width, top + height) for left, top, width, height in found]


def small(**shape):
    return read_architecture({name: small_checkpoint(name, mark=MARK, **shape) for name in VARIANTS})


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_layer_stands_there_with_its_numbers(shipped, width, layout):
    found = texts(draw(shipped, layout))
    for name in ("Photograph", "CNN", "Grid"):
        assert found.count(name) == 1
    for name in ("Projection", "First state", "Word vectors", "LSTM", "Query", "Attention", "Hidden layer", "Softmax"):
        assert found.count(name) == len(VARIANTS)
    assert found.count(f"81 × {width}") == len(VARIANTS) and "260 × 260 × 3" in found
    assert "4,782,024 parameters, frozen" in found
    assert {variant.title for variant in VARIANTS.values()} <= set(found)


def test_trained_and_frozen_are_said_in_words(shipped):
    table = f"{2540 * 300:,} parameters"
    wide = texts(draw(shipped, WIDE))
    assert wide.count(f"{table}, trained") == 1 and wide.count(f"{table}, frozen") == 2
    narrow = texts(draw(shipped, NARROW))
    assert narrow.count("frozen") == 2 and narrow.count(f"{2540 * 300:,}") == 3


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_nothing_overlaps_or_leaves_the_drawing(layout, shape):
    drawing = draw(small(**shape), layout)
    _, _, width, height = map(float, ElementTree.fromstring(drawing).get("viewBox").split())
    found = boxes(drawing)
    assert all(0 <= left < right <= width and 0 <= top < bottom <= height for left, top, right, bottom in found)
    for one, other in combinations(found, 2):
        assert one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]
    for path in ElementTree.fromstring(drawing).findall("path"):
        points = re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.get("d"))
        assert all(0 <= float(left) <= width and 0 <= float(top) <= height for left, top in points)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_connection_is_an_arrow(shape):
    architecture = small(**shape)
    inside = sum(len(layer.sources) for layer in architecture.columns[0].layers) * len(VARIANTS)
    branches = len(VARIANTS)  # From the grid there are two pieces, to the decoder's name and from there to its first box.
    arrows = ElementTree.fromstring(draw(architecture, WIDE)).findall("path")
    assert len(arrows) == inside + branches + len(architecture.trunk) - 1


def test_one_decoder_alone_is_drawn_in_the_middle(shipped):
    alone = type(shipped)(shipped.trunk, shipped.columns[1:2])
    left, _, right, _ = boxes(draw(alone, WIDE))[-1]
    assert (left + right) / 2 == pytest.approx(WIDE.width / 2, abs=1)


def test_the_words_for_who_cannot_see_it(shipped, width):
    drawing = ElementTree.fromstring(draw(shipped, WIDE))
    assert drawing.get("role") == "img" and drawing.get("aria-label") == describe(shipped)
    total = shipped.columns[1].parameters
    assert f"Word2Vec: Projection (81 × {width}, {1281 * width:,} parameters, trained)" in describe(shipped)
    assert f"{total:,} parameters, {total - 2540 * 300:,} of them trained" in describe(shipped)


def test_the_drawing_has_the_colour_of_the_text_and_each_decoder_its_dashes(shipped):
    drawing = draw(shipped, WIDE)
    assert {element.get("fill") for element in ElementTree.fromstring(drawing).iter("text")} == {"currentColor"}
    lines = [(line.get("stroke"), line.get("stroke-dasharray")) for line in ElementTree.fromstring(drawing).iter("line")]
    assert lines == [("#0072B2", None), ("#D55E00", "8 4"), ("#009E73", "2 3")]
    assert "\n" not in drawing
