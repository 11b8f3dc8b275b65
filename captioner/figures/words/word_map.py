"""The map of words as an Altair chart: every kind of word with its own colour and shape, one word and its neighbours marked.

Where the points lie is `embeddings.maps`'s; knows no Streamlit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd

from captioner.figures.style import INK
from captioner.figures.words.map_names import names
from embeddings.explore import Neighbours
from embeddings.kinds import ACTIONS, ANIMALS, COLOURS, FUNCTION, OTHER, PEOPLE, THINGS, kind
from embeddings.maps import WordMap, nearest_drawn

_HEIGHT, _WIDTH = 420, 355  # pixels; the width is the least that a column of the page has
_MARGIN = 1.08
_LABEL = 17  # pixels, from a point to its label and from label to label
_LETTER = 8.5  # pixels of the width of a label
_ROUNDS = 40
_NAMED = 5


@dataclass(frozen=True)
class Look:
    """How one kind of word is drawn: a colour, and an outline as points between -1 and 1, y downwards."""
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


_T = 0.32  # half of what the arms of a cross are thick
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
    """One row per word: where it lies, its kind, and its place among the neighbours of the chosen word, which itself is 0."""
    places = {word: 0} | {neighbour: place for place, (neighbour, _) in enumerate(near, start=1)}
    rows = [
        (shown, kind(shown), float(x), float(y), places.get(shown))
        for shown, (x, y) in zip(drawn.words, drawn.positions, strict=True)
    ]
    return pd.DataFrame(rows, columns=["word", "kind", "x", "y", "place"]).astype({"place": "Int64"})


def map_chart(drawn: WordMap, word: str, near: Neighbours) -> alt.LayerChart:
    """Every word as a point that tells its name; the chosen word by name, its neighbours by their place in the list."""
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
    """Where the names of the marked points are written: beside them, and moved until none hides another or a marked point."""
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
    """The names of further words where there is room, the commonest first; never over a label."""
    corner, scale = _pixels(drawn)
    points = (rows[["x", "y"]].to_numpy() - corner) * scale  # (words, 2), from the top left
    spots = (labels[["x", "y"]].to_numpy() - corner) * scale  # (labels, 2)
    reach = np.array([(len(label) * _LETTER / 2, _LABEL / 2) for label in labels.label]).reshape(-1, 2)
    taken = np.concatenate([spots - reach, spots + reach], axis=1)
    found = [name for name in names(rows.word, points, taken, np.array([0, 0, _WIDTH, _HEIGHT])) if rows.place.isna()[name.place]]
    places = np.array([(name.x, name.y) for name in found]).reshape(-1, 2) / scale + corner
    return rows.iloc[[name.place for name in found]].assign(label=lambda named: named.word, x=places[:, 0], y=places[:, 1])


def _pixels(drawn: WordMap) -> tuple[np.ndarray, np.ndarray]:
    """The top left corner of a map, and how many pixels to the right and down its axes take."""
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
    """An axis without figures, since only the distances mean something; both have one scale, so that these can be seen."""
    middle, reach = _reach(drawn)
    scale = alt.Scale(domain=[float(middle[number]) - reach, float(middle[number]) + reach], nice=False, zero=False)
    title = f"{('first', 'second')[number]} direction, {drawn.explained[number]:.0%}" if drawn.explained else None
    axis = alt.Axis(labels=False, ticks=False, grid=False, domain=False)
    return (alt.X if name == "x" else alt.Y)(f"{name}:Q", title=title, scale=scale, axis=axis)


def _reach(drawn: WordMap) -> tuple[np.ndarray, float]:
    """The middle of a map, and how far from there it goes on either axis."""
    middle = (drawn.positions.max(0) + drawn.positions.min(0)) / 2
    return middle, float(abs(drawn.positions - middle).max()) * _MARGIN or 1.0


def map_table(maps: dict[str, WordMap]) -> pd.DataFrame:
    """Every word with its kind and where it lies on each of the maps, by the map's title."""
    frames = [
        pd.DataFrame(drawn.positions, index=list(drawn.words), columns=[f"{title}, {axis}" for axis in ("x", "y")])
        for title, drawn in maps.items()
    ]
    table = pd.concat(frames, axis=1).rename_axis("word")
    table.insert(0, "kind", [kind(word) for word in table.index])
    return table


def map_summary(title: str, drawn: WordMap, word: str, near: Neighbours) -> str:
    """The map in words, for who cannot see it: who stands near the chosen word, and who of its neighbours does not."""
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
