"""The map of words as an Altair chart: every kind of word with its own colour and shape, one word and its neighbours marked.

Where the points lie is `embeddings.maps`'s; knows no Streamlit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embeddings.explore import Neighbours
from embeddings.kinds import ACTIONS, ANIMALS, COLOURS, FUNCTION, OTHER, PEOPLE, THINGS, kind
from embeddings.maps import WordMap, nearest_drawn

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

_HEIGHT = 420
_MARGIN = 1.06
_NAMED = 5


@dataclass(frozen=True)
class Look:
    """How one kind of word is drawn; the shape is an SVG path around zero that also the legend draws."""

    colour: str
    shape: str


LOOKS: dict[str, Look] = {
    PEOPLE: Look("#D55E00", "M-.42 0A.42 .42 0 1 1 .42 0A.42 .42 0 1 1 -.42 0Z"),
    ANIMALS: Look("#009E73", "M0 -.5L.52 .4H-.52Z"),
    COLOURS: Look("#CC79A7", "M0 .5L.52 -.4H-.52Z"),
    ACTIONS: Look("#0072B2", "M0 -.55L.45 0L0 .55L-.45 0Z"),
    THINGS: Look("#E69F00", "M-.38 -.38H.38V.38H-.38Z"),
    FUNCTION: Look("#56B4E9", "M-.16 -.5H.16V-.16H.5V.16H.16V.5H-.16V.16H-.5V-.16H-.16Z"),
    OTHER: Look("#808890", "M-.5 -.14H.5V.14H-.5Z"),
}


def map_rows(drawn: WordMap, word: str, near: Neighbours) -> "pd.DataFrame":
    """One row per word: where it lies, its kind, and its place among the neighbours of the chosen word, which itself is 0."""
    import pandas as pd

    places = {word: 0} | {neighbour: place for place, (neighbour, _) in enumerate(near, start=1)}
    rows = [
        (shown, kind(shown), float(x), float(y), places.get(shown))
        for shown, (x, y) in zip(drawn.words, drawn.positions, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["word", "kind", "x", "y", "place"])
    return frame.astype({"place": "Int64"})


def map_chart(drawn: WordMap, word: str, near: Neighbours) -> "alt.LayerChart":
    """Every word as a point that tells its name; the chosen word by name, its neighbours by their place in the list."""
    import altair as alt

    rows = map_rows(drawn, word, near)
    marked = rows[rows.place.notna()]
    points = _points(rows[rows.place.isna()], drawn).mark_point(filled=True, size=70, strokeWidth=0.6, opacity=0.75)
    strong = _points(marked, drawn).mark_point(filled=True, size=190, strokeWidth=2, opacity=1)
    labels = _points(marked, drawn).mark_text(dy=-15, fontSize=15, fontWeight=700, color="currentColor")
    labels = labels.transform_calculate(label="datum.place > 0 ? datum.place : datum.word")
    labels = labels.encode(text="label:N", color=alt.value("currentColor"), stroke=alt.value(None))
    picked = alt.selection_point(name="picked", fields=["word"], on="click", clear=False)
    # The colour of the text around the chart, whatever the theme.
    return (
        alt.layer(points.add_params(picked), strong, labels)
        .properties(height=_HEIGHT)
        .configure_axis(titleColor="currentColor", titleFontSize=13)
    )


def _points(rows: "pd.DataFrame", drawn: WordMap) -> "alt.Chart":
    import altair as alt

    kinds = list(LOOKS)
    colours = alt.Scale(domain=kinds, range=[look.colour for look in LOOKS.values()])
    shapes = alt.Scale(domain=kinds, range=[look.shape for look in LOOKS.values()])
    return alt.Chart(rows).encode(
        x=_axis("x", 0, drawn),
        y=_axis("y", 1, drawn),
        color=alt.Color("kind:N", scale=colours, legend=None),
        shape=alt.Shape("kind:N", scale=shapes, legend=None),
        stroke=alt.value("currentColor"),
        tooltip=[alt.Tooltip("word:N"), alt.Tooltip("kind:N")],
    )


def _axis(name: str, number: int, drawn: WordMap) -> "alt.X | alt.Y":
    """An axis without figures, since only the distances mean something; both have one scale, so that these can be seen."""
    import altair as alt

    middle = (drawn.positions.max(0) + drawn.positions.min(0)) / 2
    reach = float(abs(drawn.positions - middle).max()) * _MARGIN or 1.0
    scale = alt.Scale(domain=[float(middle[number]) - reach, float(middle[number]) + reach], nice=False, zero=False)
    title = f"{('first', 'second')[number]} direction, {drawn.explained[number]:.0%}" if drawn.explained else None
    axis = alt.Axis(labels=False, ticks=False, grid=False, domain=False)
    return (alt.X if name == "x" else alt.Y)(f"{name}:Q", title=title, scale=scale, axis=axis)


def map_table(maps: dict[str, WordMap]) -> "pd.DataFrame":
    """Every word with its kind and where it lies on each of the maps, by the map's title."""
    import pandas as pd

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
