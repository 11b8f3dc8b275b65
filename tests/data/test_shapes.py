"""Every caption is parsed and checked against the pixels of its picture."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from captioner.data import shapes

SIDE = 192
COLOURS = "|".join(shapes.COLOURS)
KINDS = "|".join(shapes.KINDS)
SHAPE = rf"(?:an?|one) (?:(?:large|small) )?(?:{COLOURS}) (?:{KINDS})"
RELATION = "above|below|to the left of|to the right of"
# The share of its bounding box that each kind fills, by geometry: 1, pi / 4, 1 / 2, and about 0.38 for the star.
FILLED = {"square": (0.95, 1.0), "circle": (0.7, 0.9), "triangle": (0.46, 0.6), "star": (0.3, 0.45)}


@pytest.fixture(scope="module")
def scenes():
    return [shapes.scene(f"test {number}", SIDE) for number in range(150)]


def pixels(scene):
    return np.asarray(Image.open(io.BytesIO(scene.read())))  # (side, side, 3)


def boxes(rgb):
    """Left, top, right, bottom and the share that is filled, for each colour in the picture."""
    found = {}
    for colour, value in shapes.COLOURS.items():
        rows, columns = np.nonzero((rgb == value).all(axis=-1))
        if len(rows):
            left, top, right, bottom = columns.min(), rows.min(), columns.max(), rows.max()
            found[colour] = (left, top, right, bottom, len(rows) / ((right - left + 1) * (bottom - top + 1)))
    return found


def check_shape(words, found):
    *_, colour, kind = words.split()
    left, top, right, bottom, filled = found[colour]
    assert FILLED[kind][0] <= filled <= FILLED[kind][1], words
    if "large" in words or "small" in words:
        assert ("large" in words) == (max(right - left, bottom - top) > 0.25 * SIDE), words
    return found[colour][:4]


def holds(relation, one, other):
    return {
        "above": one[3] < other[1],
        "below": one[1] > other[3],
        "to the left of": one[2] < other[0],
        "to the right of": one[0] > other[2],
    }[relation]


@pytest.mark.slow
def test_captions_are_true(scenes):
    relations = 0
    for scene in scenes:
        rgb = pixels(scene)
        found = boxes(rgb)
        for caption in scene.captions:
            named = re.findall(SHAPE, caption)
            assert 1 <= len(named) == len(found), caption
            places = {words: check_shape(words, found) for words in named}
            first_named = re.findall(rf"({SHAPE})(?: is)? ({RELATION}) ({SHAPE})", caption)
            second_named = re.findall(rf"({SHAPE}) with ({SHAPE}) ({RELATION}) it", caption)
            for one, relation, other in [*first_named, *((one, relation, other) for other, one, relation in second_named)]:
                relations += 1
                assert holds(relation, places[one], places[other]), caption
            for background in re.findall(r"on a (\w+) background", caption):
                assert tuple(rgb[0, 0].tolist()) == shapes.BACKGROUNDS[background]
            assert "nothing else" not in caption or len(found) == 1
    assert relations > 200


def test_captions_are_of_the_known_sentences(scenes):
    """So no caption has words that the test above does not check."""
    frame = rf"(?:the picture shows |there is )?(?:{SHAPE})"
    ends = rf"(?: and {SHAPE})?(?: on a \w+ background)?| and nothing else"
    ends += rf"|(?: is)? (?:{RELATION}) {SHAPE}|(?: with {SHAPE}) (?:{RELATION}) it"
    for caption in (caption for scene in scenes for caption in scene.captions):
        assert re.fullmatch(f"{frame}(?:{ends})", caption), caption


def test_every_picture_has_five_different_captions(scenes):
    assert all(len(set(scene.captions)) == len(scene.captions) == 5 for scene in scenes)
    for article, letter in re.findall(r"\b(an?) (\w)", " ; ".join(caption for scene in scenes for caption in scene.captions)):
        assert (article == "an") == (letter in "aeiou")


def test_only_one_relation_holds(scenes):
    pairs = [scene for scene in scenes if len(scene.shapes) == 2]
    assert 0.5 * len(scenes) < len(pairs) < 0.85 * len(scenes)
    for scene in pairs:
        across, down = (abs(one - other) for one, other in zip(scene.shapes[0].centre, scene.shapes[1].centre, strict=True))
        along, aside = (down, across) if scene.relation in ("above", "below") else (across, down)
        assert aside < along / 2


def test_every_word_occurs(scenes):
    words = set(" ".join(caption for scene in scenes for caption in scene.captions).split())
    assert {*shapes.COLOURS, *shapes.KINDS, *shapes.RADII, *shapes.BACKGROUNDS, "above", "below", "left", "right"} <= words


@pytest.mark.slow
@pytest.mark.parametrize("side", [shapes.MINIMUM_SIDE, 33, 96, 260])
def test_shapes_lie_inside_and_apart_at_every_size(side):
    for number in range(60):
        scene = shapes.scene(str(number), side)
        rgb = pixels(scene)
        assert rgb.shape == (side, side, 3)
        assert len(boxes(rgb)) == len(scene.shapes)
        for shape in scene.shapes:
            assert all(shape.radius <= place < side - shape.radius for place in shape.centre)
            assert (shape.size == "large") == (shape.radius / side > 0.145)


def test_the_same_seed_gives_the_same_bytes():
    one, other = shapes.scene("7", 96), shapes.scene("7", 96)
    assert one == other and one.read() == other.read() == one.read()
    assert one.read().startswith(b"\x89PNG")
    assert len({shapes.scene(str(seed), 96).read() for seed in range(30)}) == 30
