"""Generated pictures of one or two shapes with true, grammatical captions, for tests and quick demonstrations of training.

Pictures are drawn when they are read and never stored. Splits are left to `captioner.data.datasets`.
"""

import math
import random
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageDraw

Point = tuple[float, float]

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 39, 40),
    "green": (44, 160, 44),
    "blue": (31, 80, 200),
    "yellow": (250, 210, 0),
    "orange": (255, 127, 14),
    "purple": (148, 60, 189),
}
BACKGROUNDS: dict[str, tuple[int, int, int]] = {"white": (255, 255, 255), "grey": (190, 190, 190), "black": (0, 0, 0)}
RADII: dict[str, tuple[float, float]] = {"small": (0.08, 0.11), "large": (0.18, 0.22)}  # relative to the picture's side
OPPOSITES = {"above": "below", "below": "above", "to the left of": "to the right of", "to the right of": "to the left of"}
CAPTIONS = 5
MINIMUM_SIDE = 32


def _regular(corners: int, *reaches: float) -> tuple[Point, ...]:
    """Corners on a circle of radius 1, the first on top; several reaches alternate, as in a star."""
    angles = [2 * math.pi * corner / corners for corner in range(corners)]
    reach = [reaches[corner % len(reaches)] for corner in range(corners)]
    return tuple((length * math.sin(angle), -length * math.cos(angle)) for angle, length in zip(angles, reach, strict=True))


# The outline of each kind inside a circle of radius 1; a circle has no corners.
KINDS: dict[str, tuple[Point, ...]] = {
    "circle": (),
    "square": ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
    "triangle": _regular(3, 1.0),
    "star": _regular(10, 1.0, 0.45),
}

ONE_SHAPE = (
    "{first}",
    "there is {first}",
    "one {first_name}",
    "{first_plain} on {background}",
    "the picture shows {first} on {background}",
    "there is one {first_name} and nothing else",
)
TWO_SHAPES = (
    "{first} {relation} {second}",
    "there is {second} {opposite} {first}",
    "{first} is {relation} {second}",
    "{second} with {first} {relation} it",
    "one {first_name} and one {second_name}",
    "{first_plain} and {second_plain} on {background}",
    "the picture shows {second_plain} {opposite} {first_plain}",
    "there is {first_plain} {relation} {second_plain}",
)


def with_article(words: str) -> str:
    """Put the right article before some words.

    >>> with_article("orange star"), with_article("red star")
    ('an orange star', 'a red star')
    """
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


@dataclass(frozen=True)
class Shape:
    """One shape: its name and its place in pixels."""

    kind: str
    colour: str
    size: str
    centre: tuple[int, int]
    radius: int

    @property
    def name(self) -> str:
        return f"{self.colour} {self.kind}"

    def draw(self, canvas: ImageDraw.ImageDraw) -> None:
        (x, y), radius = self.centre, self.radius
        corners = [(round(x + radius * across), round(y + radius * down)) for across, down in KINDS[self.kind]]
        if corners:
            canvas.polygon(corners, fill=COLOURS[self.colour])
        else:
            canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=COLOURS[self.colour])


@dataclass(frozen=True)
class Scene:
    """One picture: its shapes, the relation of the first to the second, and five true captions."""

    shapes: tuple[Shape, ...]
    relation: str
    background: str
    side: int
    captions: tuple[str, ...]

    def read(self) -> bytes:
        """The picture as a PNG file, always with the same bytes."""
        picture = Image.new("RGB", (self.side, self.side), BACKGROUNDS[self.background])
        canvas = ImageDraw.Draw(picture)
        for shape in self.shapes:
            shape.draw(canvas)
        file = BytesIO()
        picture.save(file, "PNG")
        return file.getvalue()


def scene(seed: str, side: int) -> Scene:
    """The picture of this seed: one shape in a third of the cases, else two."""
    chance = random.Random(seed)
    background = chance.choice(list(BACKGROUNDS))
    shapes, relation = _one(chance, side) if chance.random() < 1 / 3 else _two(chance, side)
    return Scene(shapes, relation, background, side, _captions(chance, shapes, relation, background))


def _one(chance: random.Random, side: int) -> tuple[tuple[Shape, ...], str]:
    """One shape anywhere inside the picture."""
    size, radius = _size(chance, side)
    x, y = (chance.randint(radius, side - radius - 1) for _ in "xy")
    return (Shape(chance.choice(list(KINDS)), chance.choice(list(COLOURS)), size, (x, y), radius),), ""


def _two(chance: random.Random, side: int) -> tuple[tuple[Shape, ...], str]:
    """Two shapes of two colours on one line, each in its own half, so that only one relation holds."""
    relation = chance.choice(list(OPPOSITES))
    starts = (0, side // 2) if relation in ("above", "to the left of") else (side // 2, 0)
    line = chance.uniform(0.26, 0.74)
    shapes = []
    for start, colour in zip(starts, chance.sample(list(COLOURS), 2), strict=True):
        size, radius = _size(chance, side)
        along = chance.randint(start + radius, start + side // 2 - radius - 1)
        across = round(side * (line + chance.uniform(-0.03, 0.03)))
        centre = (across, along) if relation in ("above", "below") else (along, across)
        shapes.append(Shape(chance.choice(list(KINDS)), colour, size, centre, radius))
    return tuple(shapes), relation


def _size(chance: random.Random, side: int) -> tuple[str, int]:
    size = chance.choice(list(RADII))
    return size, round(side * chance.uniform(*RADII[size]))


def _captions(chance: random.Random, shapes: tuple[Shape, ...], relation: str, background: str) -> tuple[str, ...]:
    words = {"background": f"a {background} background", "relation": relation, "opposite": OPPOSITES.get(relation, "")}
    for place, shape in zip(("first", "second"), shapes, strict=False):
        name = f"{shape.size} {shape.name}"
        words |= {place: with_article(name), f"{place}_name": name, f"{place}_plain": with_article(shape.name)}
    templates = ONE_SHAPE if len(shapes) == 1 else TWO_SHAPES
    return tuple(template.format(**words) for template in chance.sample(templates, CAPTIONS))
