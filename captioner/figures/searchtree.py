"""The tree of a search as a figure: what was kept, what was dropped, and the way to the caption that won.

Takes the candidates of `captioner.trace`; knows no Streamlit.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from captioner.trace import Candidate
from captioner.vocabulary import END

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

FATES = {
    "won": "in the caption that won",
    "kept": "kept at this word",
    "finished": "a finished caption",
    "dropped": "dropped",
}
_WIDEST_STEP, _NARROWEST_STEP, _ROOM = 104, 74, 1180  # pixels; the last is what a page has beside its margins
_BEFORE, _AFTER = 0.1, 0.7  # steps that are left free, before the first word's place and for the last word
_LETTER, _GAP, _LATEST = 7.5, 8, 0.8  # how wide a letter is, and where a line to the next word starts at the latest
_ROW_HEIGHT, _LARGEST_HEIGHT = 26, 560
_END_SIGN = "■ end"


def tree_table(
    candidates: Sequence[Candidate], way: Sequence[int], words: Sequence[str], length_preference: float
) -> "pd.DataFrame":
    """One row per candidate; `place` is its rank among those of its step, 1 the likeliest sentence so far.

    Sentences that reached their end have the score by which they were compared.
    """
    import pandas as pd

    won, rows, counts = set(way), [], {}
    for one in candidates:
        counts[one.step] = counts.get(one.step, 0) + 1
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


def tree_chart(table: "pd.DataFrame", colour: str) -> "alt.LayerChart":
    """Words from left to right, each step's likeliest sentence on top; the winner's way is drawn heavier."""
    import altair as alt

    steps, places = int(table["word"].max()), int(table["place"].max())
    height = min(_LARGEST_HEIGHT, _ROW_HEIGHT * (places + 1))
    across = alt.Scale(domain=[1 - _BEFORE, steps + _AFTER], nice=False)
    down = alt.Scale(domain=[0.4, places + 0.6], reverse=True, nice=False)
    axis = alt.Axis(
        title="word", orient="top", values=list(range(1, steps + 1)), format="d", grid=False, ticks=False, domain=False
    )
    x, y = alt.X("word:Q", scale=across, axis=axis), alt.Y("place:Q", scale=down, axis=None)
    tooltip = [
        alt.Tooltip("after:N", title="after"),
        alt.Tooltip("written:N", title="word"),
        alt.Tooltip("probability:Q", title="its probability", format=".1%"),
        alt.Tooltip("total:Q", title="sentence so far (nats)", format=".2f"),
        alt.Tooltip("score:Q", title="score of the finished sentence", format=".2f"),
        alt.Tooltip("meaning:N", title="what became of it"),
    ]
    points = table.assign(probability=table["log_probability"].map(math.exp))
    base = alt.Chart(points).encode(x=x, y=y, tooltip=tooltip)
    layers = [_edges(table, kind, colour).encode(x=x, y=y) for kind in ("dropped", "kept", "won")]
    for kind, weight, opacity in (("dropped", 400, 0.72), ("kept", 500, 1.0), ("won", 700, 1.0)):
        text = base.transform_filter(_is(kind)).mark_text(
            align="left", dx=2, fontSize=14, fontWeight=weight, opacity=opacity, color="currentColor", tooltip=True
        )
        layers.append(text.encode(text="shown:N"))
    figure = alt.layer(*layers).properties(width=tree_width(table), height=height)
    return figure.configure_axis(labelColor="currentColor", titleColor="currentColor").configure_view(strokeWidth=0)


def tree_width(table: "pd.DataFrame") -> int:
    """In pixels; steps are narrower where there are many, so that an ordinary sentence's tree fits a page."""
    steps = _steps(table)
    return round(steps * min(_WIDEST_STEP, max(_NARROWEST_STEP, _ROOM / steps)))


def _steps(table: "pd.DataFrame") -> float:
    return int(table["word"].max()) - 1 + _BEFORE + _AFTER


def _edges(table: "pd.DataFrame", kind: str, colour: str) -> "alt.Chart":
    """A line from behind each candidate's word to the candidate that it lengthens."""
    import altair as alt

    children = table[table["parent"].notna()]
    parents = table.set_index("number").loc[children["parent"].astype(int)]
    after = (parents["written"].str.len() * _LETTER + _GAP) * _steps(table) / tree_width(table)
    lines = children[["word", "place", "fate"]].assign(
        word=(parents["word"] + after.clip(upper=_LATEST)).to_numpy(),
        place=parents["place"].to_numpy(),
        word2=children["word"] - 0.03,
        place2=children["place"],
    )
    styles = {
        "dropped": {"strokeWidth": 0.8, "opacity": 0.45, "strokeDash": [2, 3], "color": "currentColor"},
        "kept": {"strokeWidth": 1.5, "opacity": 0.7, "color": "currentColor"},
        "won": {"strokeWidth": 4, "opacity": 0.95, "color": colour},
    }
    return alt.Chart(lines).transform_filter(_is(kind)).mark_rule(**styles[kind]).encode(x2="word2:Q", y2="place2:Q")


def _is(kind: str) -> str:
    """What is finished but did not win is drawn as what was kept."""
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
