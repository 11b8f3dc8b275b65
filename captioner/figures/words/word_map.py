"""The word map as an Altair chart: a colour and shape for each kind of word, with one word and its neighbours marked.

`embeddings.maps` computes the positions. Knows no Streamlit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from captioner.figures.style import INK
from embeddings.explore import Neighbours
from embeddings.kinds import ACTIONS, ANIMALS, COLOURS, FUNCTION, OTHER, PEOPLE, THINGS, kind
from embeddings.maps import WordMap, nearest_drawn

_HEIGHT, _WIDTH = 420, 355  # pixels; the width is the least that a column of the page has
_MARGIN = 1.08
_LABEL = 17  # pixels, from a point to its label and from label to label
_LETTER = 8.5  # pixels of the width of a label
_ROUNDS = 40
_NAMED = 5
LETTER, LINE, ASIDE = 6.2, 12, 6  # pixels: width of a letter, height of a name, and its distance from the point
_CLEAR = 3  # pixels around the centre of another point


@dataclass(frozen=True)
class Look:
    """The colour of one kind of word, and its outline as points between -1 and 1, y downwards."""
    colour: str
    outline: tuple[tuple[float, float], ...]

    @property
    def path(self) -> str:
        """The outline as an SVG path, for charts."""
        return "M" + "L".join(f"{x:.2f},{y:.2f}" for x, y in self.outline) + "Z"

    @property
    def polygon(self) -> str:
        """The outline as a CSS polygon, for a legend."""
        return f"polygon({', '.join(f'{50 + 50 * x:.0f}% {50 + 50 * y:.0f}%' for x, y in self.outline)})"


def _ring(corners: int, size: float) -> tuple[tuple[float, float], ...]:
    turns = (2 * math.pi * corner / corners for corner in range(corners))
    return tuple((size * math.cos(turn), size * math.sin(turn)) for turn in turns)


_T = 0.32  # half the thickness of a cross's arms
_RIGHT = ((_T, -1), (_T, -_T), (1, -_T), (1, _T), (_T, _T), (_T, 1))
_CROSS = (*_RIGHT, *((-x, -y) for x, y in _RIGHT))

LOOKS: dict[str, Look] = {
    PEOPLE: Look("#D55E00", _ring(24, 0.85)),
    ANIMALS: Look("#009E73", ((0, -0.95), (1, 0.8), (-1, 0.8))),
    COLOURS: Look("#CC79A7", ((0, 0.95), (1, -0.8), (-1, -0.8))),
    ACTIONS: Look("#0072B2", _ring(4, 1)),
    THINGS: Look("#E69F00", ((-0.75, -0.75), (0.75, -0.75), (0.75, 0.75), (-0.75, 0.75))),
    FUNCTION: Look("#56B4E9", _CROSS),
    OTHER: Look("#808890", ((-1, -0.28), (1, -0.28), (1, 0.28), (-1, 0.28))),
}


def map_rows(drawn: WordMap, word: str, near: Neighbours) -> pd.DataFrame:
    """One row per word: its position, its kind, and its rank among the neighbours of the chosen word, which has rank 0."""
    places = {word: 0} | {neighbour: place for place, (neighbour, _) in enumerate(near, start=1)}
    rows = [
        (shown, kind(shown), float(x), float(y), places.get(shown))
        for shown, (x, y) in zip(drawn.words, drawn.positions, strict=True)
    ]
    return pd.DataFrame(rows, columns=["word", "kind", "x", "y", "place"]).astype({"place": "Int64"})


def map_chart(drawn: WordMap, word: str, near: Neighbours) -> alt.LayerChart:
    """Every word as a point with a tooltip; the chosen word labelled by name, its neighbours by rank."""
    rows = map_rows(drawn, word, near)
    marked = rows[rows.place.notna()]
    points = _points(rows[rows.place.isna()], drawn).mark_point(filled=True, size=60, strokeWidth=0.5, opacity=0.8)
    strong = _points(marked, drawn).mark_point(filled=True, size=110, strokeWidth=2, opacity=1)
    spots = _labels(marked, drawn)
    labels = _texts(spots, drawn, fontSize=14, fontWeight=700)
    others = _texts(_names(rows, spots, drawn), drawn, fontSize=11, opacity=0.85)
    picked = alt.selection_point(name="picked", fields=["word"], on="click", clear=False)
    return (
        alt.layer(points.add_params(picked), others, strong, labels)
        .properties(height=_HEIGHT)
        .configure_axis(titleColor=INK, titleFontSize=13)
    )


def _labels(marked: pd.DataFrame, drawn: WordMap) -> pd.DataFrame:
    """Labels of the marked points, moved until none covers another label or a marked point."""
    label = ["" if place is None else str(place or word) for word, place in zip(marked.word, marked.place, strict=True)]
    places = marked[["x", "y"]].to_numpy()  # (labels, 2)
    gap = _LABEL * 2 * _reach(drawn)[1] / _HEIGHT
    middle = places.mean(0) if len(places) else 0.0
    spots = places + _directions(places - middle) * gap
    for _ in range(_ROUNDS):
        apart = spots[:, None] - np.concatenate([spots, places])  # (labels, labels and points, 2)
        close = np.maximum(0.0, gap - np.linalg.norm(apart, axis=-1, keepdims=True))
        spots = spots + (_directions(apart) * close / 2).sum(1)
    return marked.assign(label=label, x=spots[:, 0], y=spots[:, 1])


def _names(rows: pd.DataFrame, labels: pd.DataFrame, drawn: WordMap) -> pd.DataFrame:
    """The names of more words where there is room, commonest first; never over a label."""
    corner, scale = _pixels(drawn)
    points = (rows[["x", "y"]].to_numpy() - corner) * scale  # (words, 2), from the top left
    spots = (labels[["x", "y"]].to_numpy() - corner) * scale  # (labels, 2)
    reach = np.array([(len(label) * _LETTER / 2, _LABEL / 2) for label in labels.label]).reshape(-1, 2)
    taken = np.concatenate([spots - reach, spots + reach], axis=1)
    placed = place_names(rows.word, points, taken, np.array([0, 0, _WIDTH, _HEIGHT]))
    found = [name for name in placed if rows.place.isna()[name.place]]
    places = np.array([(name.x, name.y) for name in found]).reshape(-1, 2) / scale + corner
    return rows.iloc[[name.place for name in found]].assign(label=lambda named: named.word, x=places[:, 0], y=places[:, 1])


def _pixels(drawn: WordMap) -> tuple[np.ndarray, np.ndarray]:
    """The top left corner of a map, and its pixels per unit to the right and down."""
    middle, reach = _reach(drawn)
    return middle + (-reach, reach), np.array([_WIDTH, -_HEIGHT]) / (2 * reach)


def _texts(rows: pd.DataFrame, drawn: WordMap, **style: float) -> alt.Chart:
    text = alt.Chart(rows).mark_text(color=INK, tooltip=False, **style)
    return text.encode(x=_axis("x", 0, drawn), y=_axis("y", 1, drawn), text="label:N")


def _directions(gaps: np.ndarray) -> np.ndarray:
    return gaps / np.maximum(np.linalg.norm(gaps, axis=-1, keepdims=True), 1e-9)


def _points(rows: pd.DataFrame, drawn: WordMap) -> alt.Chart:
    kinds = list(LOOKS)
    colours = alt.Scale(domain=kinds, range=[look.colour for look in LOOKS.values()])
    shapes = alt.Scale(domain=kinds, range=[look.path for look in LOOKS.values()])
    return alt.Chart(rows).encode(
        x=_axis("x", 0, drawn),
        y=_axis("y", 1, drawn),
        color=alt.Color("kind:N", scale=colours, legend=None),
        shape=alt.Shape("kind:N", scale=shapes, legend=None),
        stroke=alt.value(INK),
        tooltip=[alt.Tooltip("word:N"), alt.Tooltip("kind:N")],
    )


def _axis(name: str, number: int, drawn: WordMap) -> alt.X | alt.Y:
    """An axis without tick labels, since only distances have a meaning; both axes share one scale."""
    middle, reach = _reach(drawn)
    scale = alt.Scale(domain=[float(middle[number]) - reach, float(middle[number]) + reach], nice=False, zero=False)
    title = f"{('first', 'second')[number]} direction, {drawn.explained[number]:.0%}" if drawn.explained else None
    axis = alt.Axis(labels=False, ticks=False, grid=False, domain=False)
    return (alt.X if name == "x" else alt.Y)(f"{name}:Q", title=title, scale=scale, axis=axis)


def _reach(drawn: WordMap) -> tuple[np.ndarray, float]:
    """The centre of a map, and its extent from there on either axis."""
    middle = (drawn.positions.max(0) + drawn.positions.min(0)) / 2
    return middle, float(abs(drawn.positions - middle).max()) * _MARGIN or 1.0


def map_table(maps: dict[str, WordMap]) -> pd.DataFrame:
    """Every word with its kind and its position on each map, by the map's title."""
    frames = [
        pd.DataFrame(drawn.positions, index=list(drawn.words), columns=[f"{title}, {axis}" for axis in ("x", "y")])
        for title, drawn in maps.items()
    ]
    table = pd.concat(frames, axis=1).rename_axis("word")
    table.insert(0, "kind", [kind(word) for word in table.index])
    return table


def map_summary(title: str, drawn: WordMap, word: str, near: Neighbours) -> str:
    """A text alternative of the map: the words near the chosen word on the map, and its neighbours by vector."""
    start = f"{title}: {len(drawn.words)} words as points, coloured and shaped by kind."
    if word not in drawn.words:
        return f"{start} '{word}' is not among them."
    standing = nearest_drawn(drawn, word, _NAMED)
    return (
        f"{start} Nearest to '{word}' on the map: {', '.join(standing)}. "
        f"Nearest by their vectors: {_named(near, drawn.words)}."
    )


def _named(near: Neighbours, words: Sequence[str]) -> str:
    return ", ".join([word for word, _ in near if word in words][:_NAMED]) or "no word of this map"


class Name(NamedTuple):
    """The index of a word on the map, and the centre of its name in pixels."""

    place: int
    x: float
    y: float


def place_names(words: Sequence[str], points: np.ndarray, taken: np.ndarray, edges: np.ndarray) -> list[Name]:
    """Place names right or left of their points, earlier words first, covering nothing else.

    `taken` has boxes (left, top, right, bottom) that must stay free; `edges` is the box of the whole map.
    """
    boxes = np.concatenate([np.reshape(taken, (-1, 4)), np.empty((len(words), 4))])
    found, count = [], len(boxes) - len(words)
    for place, word in enumerate(words):
        for box in _sides(word, points[place]):
            if _inside(box, edges) and not _meets(box, boxes[:count]) and not _covers(box, np.delete(points, place, axis=0)):
                boxes[count] = box
                count += 1
                found.append(Name(place, float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2))
                break
    return found


def _sides(word: str, point: np.ndarray) -> list[np.ndarray]:
    x, y = point
    width = len(word) * LETTER
    lefts = (x + ASIDE, x - ASIDE - width)
    return [np.array([left, y - LINE / 2, left + width, y + LINE / 2]) for left in lefts]


def _inside(box: np.ndarray, edges: np.ndarray) -> bool:
    return bool((box[:2] >= edges[:2]).all() and (box[2:] <= edges[2:]).all())


def _meets(box: np.ndarray, boxes: np.ndarray) -> bool:
    return bool(((boxes[:, :2] < box[2:]) & (boxes[:, 2:] > box[:2])).all(axis=1).any())


def _covers(box: np.ndarray, points: np.ndarray) -> bool:
    return bool(((points > box[:2] - _CLEAR) & (points < box[2:] + _CLEAR)).all(axis=1).any())
