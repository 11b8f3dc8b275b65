"""Several pictures: a table of those that arrived together, with files to download, and a list of earlier ones."""

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from captioner.config import VARIANTS, SearchConfig
from captioner.views.photographs import MOST_KEPT, Arrival, Photograph, opened, show_again, thumbnail, with_bar
from captioner.views.resources import refusals
from captioner.views.results import Captions, Results

if TYPE_CHECKING:
    import pandas as pd

Captioned = tuple[Arrival, Captions | None]
_ROW = 84  # pixels, four lines; the table wraps what stands in rows above 64
_OPENED, _EARLIER = "opened", "earlier"
_WHOLE_REASON = " A problem is told in full when its cell is clicked twice."


@refusals()
def show(folder: Path, arrivals: Sequence[Arrival], config: SearchConfig) -> None:
    """Nothing where there are not several."""
    if not arrivals:
        return
    captioned = with_bar(arrivals, lambda arrival: _caption(folder, arrival, config), "Captioning", "Captioned")
    table = as_table(captioned)
    st.header(f"{len(arrivals)} pictures", anchor=False)
    with st.container(horizontal=True):
        st.download_button("Download CSV", table.to_csv(index=False), "captions.csv", "text/csv", on_click="ignore")
        st.download_button("Download JSON", as_json(captioned), "captions.json", "application/json", on_click="ignore")
    shown = table.assign(
        picture=[_thumbnail_address(arrival) for arrival in arrivals],
        open=["above" if arrival is opened() else "" for arrival in arrivals],
    )
    chosen = st.dataframe(
        shown[["open", "picture", *table.columns]],
        column_config=_columns(),
        hide_index=True,
        row_height=_ROW,
        on_select="rerun",
        selection_mode="single-row",
        key="several",
        alt="The pictures and what each decoder wrote about them; the same as in the files to download.",
    )
    st.caption("Choose a row to look at its picture more closely, above." + _WHOLE_REASON * ("problem" in table))
    _open(arrivals, chosen.selection.rows)


def _caption(folder: Path, arrival: Arrival, config: SearchConfig) -> Captioned:
    return arrival, Results(folder, arrival).captions(config) if isinstance(arrival, Photograph) else None


def _columns() -> dict[str, Any]:
    """Narrow enough that a reason does not push the captions out of sight."""
    widths = {"open": 60, "image": 120, "problem": 190} | {variant.title: 235 for variant in VARIANTS.values()}
    columns = {name: st.column_config.TextColumn(name, width=width) for name, width in widths.items()}
    return columns | {"picture": st.column_config.ImageColumn("picture", width="small")}


def _open(arrivals: Sequence[Arrival], rows: Sequence[int]) -> None:
    """Make a newly chosen row's picture the photograph of the page."""
    wanted = arrivals[rows[0]] if rows and rows[0] < len(arrivals) else None
    digest = wanted.digest if isinstance(wanted, Photograph) else None
    before = st.session_state.get(_OPENED)
    st.session_state[_OPENED] = digest
    if digest is not None and digest != before:
        show_again(wanted)
        st.rerun()


def as_table(captioned: Sequence[Captioned]) -> "pd.DataFrame":
    """One row per picture: its name, the best caption of every decoder, or the reason why it was refused."""
    import pandas as pd

    rows = []
    for arrival, captions in captioned:
        texts = {VARIANTS[name].title: found[0].text for name, found in (captions or {}).items()}
        rows.append({"image": arrival.name} | texts | {"problem": "" if captions else arrival.reason})
    titles = [variant.title for variant in VARIANTS.values() if any(variant.title in row for row in rows)]
    problem = ["problem"] if any(row["problem"] for row in rows) else []
    return pd.DataFrame(rows, columns=["image", *problem, *titles]).fillna("")


def as_json(captioned: Sequence[Captioned]) -> str:
    """A list in the shape of `python -m captioner caption --json`, with all captions that the search found."""
    entries = [
        {"image": arrival.name, "error": arrival.reason}
        if captions is None
        else {"image": arrival.name, "captions": {name: [one.to_json() for one in found] for name, found in captions.items()}}
        for arrival, captions in captioned
    ]
    return json.dumps(entries, indent=1)


def _thumbnail_address(arrival: Arrival) -> str | None:
    if not isinstance(arrival, Photograph):
        return None
    return "data:image/jpeg;base64," + base64.b64encode(thumbnail(arrival)).decode()


def show_earlier(photograph: Photograph, captions: Captions) -> None:
    """Draw the earlier photographs of this visit, each a button away, then remember this one."""
    kept: dict[str, tuple[Photograph, Captions]] = st.session_state.setdefault(_EARLIER, {})
    others = [pair for digest, pair in reversed(kept.items()) if digest != photograph.digest]
    if others:
        st.header("Earlier in this visit", anchor=False)
    for number, (before, found) in enumerate(others):
        with st.container(horizontal=True, vertical_alignment="center", key=f"earlier-{number}"):
            st.image(thumbnail(before), alt=before.description)
            lines = (f"<li><b>{VARIANTS[name].title}</b> {html.escape(best[0].text)}</li>" for name, best in found.items())
            st.html(f'<ul class="earlier">{"".join(lines)}</ul>', width="stretch")
            st.button("Show again", key=f"again-{number}", on_click=show_again, args=(before,))
    kept.pop(photograph.digest, None)
    kept[photograph.digest] = (photograph, {name: best[:1] for name, best in captions.items()})
    while len(kept) > MOST_KEPT:
        kept.pop(next(iter(kept)))
