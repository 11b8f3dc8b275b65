"""The search tree of a beam search as a figure: kept and dropped candidates, and the path of the winning caption.

Takes the candidates of `captioner.captioning.search_trace`; knows no Streamlit.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from captioner.captioning.search_trace import Candidate
from captioner.figures.style import INK
from captioner.vocabulary import END

Row = dict[str, Any]  # one candidate

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
    {"field": "ending", "type": "nominal", "title": "score of the finished sentence"},
    {"field": "meaning", "type": "nominal", "title": "what became of it"},
]


def tree_table(
    candidates: Sequence[Candidate], way: Sequence[int], words: Sequence[str], length_preference: float
) -> list[Row]:
    """One row per candidate; `place` is its rank among those of its step, 1 the likeliest sentence so far.

    Finished sentences have their score, the length-normalised log-probability.
    """
    won, rows, counts = set(way), list[Row](), Counter[int]()
    for one in candidates:
        counts[one.step] += 1
        written, fate = _END_SIGN if one.word == END else words[one.word], "won" if one.number in won else one.fate
        score = one.total / (one.step + 1) ** length_preference if one.word == END else None
        rows.append(
            {
                "number": one.number,
                "word": one.step + 1,
                "place": counts[one.step],
                "written": written,
                "shown": f"■ {score:.2f}" if score is not None and fate != "dropped" else written,
                "ending": "–" if score is None else f"{score:.2f}",
                "after": _sentence(candidates, one.parent, words),
                "log_probability": one.log_probability,
                "probability": math.exp(one.log_probability),
                "total": one.total,
                "score": score,
                "fate": fate,
                "meaning": FATES[fate],
                "parent": one.parent,
            }
        )
    return rows


def _sentence(candidates: Sequence[Candidate], number: int | None, words: Sequence[str]) -> str:
    path: list[str] = []
    while number is not None:
        path.append(words[candidates[number].word])
        number = candidates[number].parent
    return " ".join(reversed(path)) or "the start"


def tree_chart(table: Sequence[Row], colour: str) -> dict[str, Any]:
    """Words from left to right, the likeliest sentence of each step on top; the winning path is heavier.

    Plain Vega-Lite with its data inside: the figure is drawn for every photograph, and Altair's validation would take a fifth
    of a visitor's wait, pandas and Arrow 70 MB of the server's memory.
    """
    steps, places = _last(table, "word"), _last(table, "place")
    axis = {"title": "word", "orient": "top", "values": list(range(1, steps + 1)), "format": "d"}
    across = {"domain": [1 - _BEFORE, steps + _AFTER], "nice": False}
    down = {"domain": [0.4, places + 0.6], "reverse": True, "nice": False}
    edges = _edges(table)
    return {
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
        "layer": [
            _lines(_of(kind, edges), style) for kind, style in (_LINES | {"won": _LINES["won"] | {"color": colour}}).items()
        ]
        + [_words(_of(kind, table), style) for kind, style in _WORDS.items()],
        "config": {"axis": {"labelColor": INK, "titleColor": INK}, "view": {"strokeWidth": 0}},
    }


def _lines(edges: Sequence[Row], style: dict[str, Any]) -> dict[str, Any]:
    return {
        "data": {"values": edges},
        "mark": {"type": "rule", "color": INK} | style,
        "encoding": {"x2": {"field": "word2"}, "y2": {"field": "place2"}},
    }


def _words(rows: Sequence[Row], style: dict[str, Any]) -> dict[str, Any]:
    return {
        "data": {"values": rows},
        "mark": {"type": "text", "align": "left", "dx": 2, "fontSize": 14, "color": INK, "tooltip": True} | style,
        "encoding": {"text": {"field": "shown", "type": "nominal"}, "tooltip": _TOOLTIP},
    }


def tree_width(table: Sequence[Row]) -> int:
    """In pixels; steps are narrower where there are many, so that an ordinary sentence's tree fits a page."""
    steps = _steps(table)
    return round(steps * min(_WIDEST_STEP, max(_NARROWEST_STEP, _ROOM / steps)))


def _steps(table: Sequence[Row]) -> float:
    return _last(table, "word") - 1 + _BEFORE + _AFTER


def _last(table: Sequence[Row], field: str) -> int:
    return max(row[field] for row in table)


def _edges(table: Sequence[Row]) -> list[Row]:
    """A line from behind each candidate's word to the candidate that it lengthens."""
    rows, letter = {row["number"]: row for row in table}, _steps(table) / tree_width(table)  # of a pixel, in steps
    return [
        {
            "fate": row["fate"],
            "word": parent["word"] + min(_LATEST, (len(parent["written"]) * _LETTER + _GAP) * letter),
            "place": parent["place"],
            "word2": row["word"] - 0.03,
            "place2": row["place"],
        }
        for row in table
        if row["parent"] is not None
        for parent in [rows[row["parent"]]]
    ]


def _of(kind: str, rows: Sequence[Row]) -> list[Row]:
    """The rows that look alike; finished captions that did not win look like kept candidates."""
    return [row for row in rows if row["fate"] == kind or (kind == "kept" and row["fate"] == "finished")]


def summary(table: Sequence[Row]) -> str:
    """The figure in words."""
    counts = Counter(row["fate"] for row in table)
    won = " ".join(row["written"] for row in table if row["fate"] == "won").replace(_END_SIGN, "").strip()
    return (
        f"The tree of the search over {_last(table, 'word')} words: {len(table)} continuations were considered, "
        f"{counts['dropped']} of them dropped at once, {counts['kept']} kept for a while; the way that won is: {won}."
    )
