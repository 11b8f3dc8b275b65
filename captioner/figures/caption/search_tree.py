"""The search tree of a beam search as a figure: kept and dropped candidates, and the path of the winning caption.

Takes the candidates of `captioner.captioning.search_trace`; knows no Streamlit.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from captioner.captioning.search_trace import Candidate
from captioner.figures.style import INK
from captioner.vocabulary import END

if TYPE_CHECKING:
    import pandas as pd

FATES = {
    "won": "in the caption that won",
    "kept": "kept at this word",
    "finished": "a finished caption",
    "dropped": "dropped",
}
_WIDEST_STEP, _NARROWEST_STEP, _ROOM = 104, 74, 1180  # pixels; the last is what a page has beside its margins
_BEFORE, _AFTER = 0.1, 0.7  # margins in steps, before the first word and after the last
_LETTER, _GAP, _LATEST = 7.5, 8, 0.8  # pixels of a letter and after a word; the latest start of a line, in steps
_ROW_HEIGHT, _LARGEST_HEIGHT = 26, 560
_END_SIGN = "■ end"
_LINES: dict[str, dict[str, Any]] = {
    "dropped": {"strokeWidth": 0.8, "opacity": 0.45, "strokeDash": [2, 3]},
    "kept": {"strokeWidth": 1.5, "opacity": 0.7},
    "won": {"strokeWidth": 4, "opacity": 0.95},
}
_WORDS: dict[str, dict[str, Any]] = {
    "dropped": {"fontWeight": 400, "opacity": 0.72},
    "kept": {"fontWeight": 500, "opacity": 1},
    "won": {"fontWeight": 700, "opacity": 1},
}
_TOOLTIP = [
    {"field": "after", "type": "nominal", "title": "after"},
    {"field": "written", "type": "nominal", "title": "word"},
    {"field": "probability", "type": "quantitative", "title": "its probability", "format": ".1%"},
    {"field": "total", "type": "quantitative", "title": "sentence so far (nats)", "format": ".2f"},
    {"field": "score", "type": "quantitative", "title": "score of the finished sentence", "format": ".2f"},
    {"field": "meaning", "type": "nominal", "title": "what became of it"},
]


def tree_table(
    candidates: Sequence[Candidate], way: Sequence[int], words: Sequence[str], length_preference: float
) -> "pd.DataFrame":
    """One row per candidate; `place` is its rank among those of its step, 1 the likeliest sentence so far.

    Finished sentences have their score, the length-normalised log-probability.
    """
    import pandas as pd

    won, rows, counts = set(way), [], Counter[int]()
    for one in candidates:
        counts[one.step] += 1
        rows.append(
            {
                "number": one.number,
                "word": one.step + 1,
                "place": counts[one.step],
                "written": _END_SIGN if one.word == END else words[one.word],
                "after": _sentence(candidates, one.parent, words),
                "log_probability": one.log_probability,
                "total": one.total,
                "score": one.total / (one.step + 1) ** length_preference if one.word == END else math.nan,
                "fate": "won" if one.number in won else one.fate,
                "parent": one.parent,
            }
        )
    table = pd.DataFrame(rows)
    table["meaning"] = table["fate"].map(FATES)
    finished = table["score"].notna() & table["fate"].isin(("won", "finished"))
    table["shown"] = table["written"].where(~finished, table["score"].map("■ {:.2f}".format))
    return table


def _sentence(candidates: Sequence[Candidate], number: int | None, words: Sequence[str]) -> str:
    path: list[str] = []
    while number is not None:
        path.append(words[candidates[number].word])
        number = candidates[number].parent
    return " ".join(reversed(path)) or "the start"


def tree_chart(table: "pd.DataFrame", colour: str) -> dict[str, Any]:
    """Words from left to right, the likeliest sentence of each step on top; the winning path is heavier.

    Plain Vega-Lite: the figure is drawn for every photograph, and Altair's validation would take a fifth of a visitor's wait.
    """
    steps, places = int(table["word"].max()), int(table["place"].max())
    axis = {"title": "word", "orient": "top", "values": list(range(1, steps + 1)), "format": "d"}
    across = {"domain": [1 - _BEFORE, steps + _AFTER], "nice": False}
    down = {"domain": [0.4, places + 0.6], "reverse": True, "nice": False}
    return {
        "datasets": {
            "edges": _edges(table),
            "points": table.drop(columns="parent").assign(probability=table["log_probability"].map(math.exp)),
        },
        "width": tree_width(table),
        "height": min(_LARGEST_HEIGHT, _ROW_HEIGHT * (places + 1)),
        "encoding": {
            "x": {
                "field": "word",
                "type": "quantitative",
                "scale": across,
                "axis": axis | {"grid": False, "ticks": False, "domain": False},
            },
            "y": {"field": "place", "type": "quantitative", "scale": down, "axis": None},
        },
        "layer": [_lines(kind, style) for kind, style in (_LINES | {"won": _LINES["won"] | {"color": colour}}).items()]
        + [_words(kind, style) for kind, style in _WORDS.items()],
        "config": {"axis": {"labelColor": INK, "titleColor": INK}, "view": {"strokeWidth": 0}},
    }


def _lines(kind: str, style: dict[str, Any]) -> dict[str, Any]:
    return {
        "data": {"name": "edges"},
        "transform": [{"filter": _is(kind)}],
        "mark": {"type": "rule", "color": INK} | style,
        "encoding": {"x2": {"field": "word2"}, "y2": {"field": "place2"}},
    }


def _words(kind: str, style: dict[str, Any]) -> dict[str, Any]:
    return {
        "data": {"name": "points"},
        "transform": [{"filter": _is(kind)}],
        "mark": {"type": "text", "align": "left", "dx": 2, "fontSize": 14, "color": INK, "tooltip": True} | style,
        "encoding": {"text": {"field": "shown", "type": "nominal"}, "tooltip": _TOOLTIP},
    }


def tree_width(table: "pd.DataFrame") -> int:
    """In pixels; steps are narrower where there are many, so that an ordinary sentence's tree fits a page."""
    steps = _steps(table)
    return round(steps * min(_WIDEST_STEP, max(_NARROWEST_STEP, _ROOM / steps)))


def _steps(table: "pd.DataFrame") -> float:
    return int(table["word"].max()) - 1 + _BEFORE + _AFTER


def _edges(table: "pd.DataFrame") -> "pd.DataFrame":
    """A line from behind each candidate's word to the candidate that it lengthens."""
    children = table[table["parent"].notna()]
    parents = table.set_index("number").loc[children["parent"].astype(int)]
    after = (parents["written"].str.len() * _LETTER + _GAP) * _steps(table) / tree_width(table)
    return children[["word", "place", "fate"]].assign(
        word=(parents["word"] + after.clip(upper=_LATEST)).to_numpy(),
        place=parents["place"].to_numpy(),
        word2=children["word"] - 0.03,
        place2=children["place"],
    )


def _is(kind: str) -> str:
    """Finished captions that did not win look like kept candidates."""
    return "datum.fate == 'kept' || datum.fate == 'finished'" if kind == "kept" else f"datum.fate == '{kind}'"


def summary(table: "pd.DataFrame") -> str:
    """The figure in words."""
    counts = table["fate"].value_counts()
    kept, dropped = (int(counts.get(kind, 0)) for kind in ("kept", "dropped"))
    won = " ".join(table[table["fate"] == "won"]["written"]).replace(_END_SIGN, "").strip()
    return (
        f"The tree of the search over {table['word'].max()} words: {len(table)} continuations were considered, {dropped} of them "
        f"dropped at once, {kept} kept for a while; the way that won is: {won}."
    )
