"""Several pictures at once: their captions as a table that can be kept, and a row of it to look at more closely."""

import base64
import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from captioner.config import VARIANTS, SearchConfig
from captioner.views.photographs import Arrival, Photograph, opened, show_again, thumbnail
from captioner.views.results import Captions, Results

if TYPE_CHECKING:
    import pandas as pd

Result = tuple[Arrival, Captions | None]
_ROW = 84  # pixels, four lines; the table wraps what stands in rows above 64
_OPENED = "opened"
_WHOLE_REASON = " A problem is told in full when its cell is clicked twice."


def show(folder: Path, arrivals: Sequence[Arrival], config: SearchConfig) -> None:
    results = _caption_all(folder, arrivals, config)
    table = as_table(results)
    st.header(f"{len(arrivals)} pictures", anchor=False)
    with st.container(horizontal=True):
        st.download_button("Download CSV", as_csv(table), "captions.csv", "text/csv", on_click="ignore")
        st.download_button("Download JSON", as_json(results), "captions.json", "application/json", on_click="ignore")
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


def _columns() -> dict[str, Any]:
    """Narrow enough that a reason does not push the captions out of sight."""
    widths = {"open": 60, "image": 120, "problem": 190} | {variant.title: 235 for variant in VARIANTS.values()}
    columns = {name: st.column_config.TextColumn(name, width=width) for name, width in widths.items()}
    return columns | {"picture": st.column_config.ImageColumn("picture", width="small")}


def _caption_all(folder: Path, arrivals: Sequence[Arrival], config: SearchConfig) -> list[Result]:
    bar, results = st.progress(0.0, "Captioning"), []
    for number, arrival in enumerate(arrivals, 1):
        captions = Results(folder, arrival).captions(config) if isinstance(arrival, Photograph) else None
        results.append((arrival, captions))
        bar.progress(number / len(arrivals), f"Captioned {number} of {len(arrivals)} pictures")
    bar.empty()
    return results


def _open(arrivals: Sequence[Arrival], rows: Sequence[int]) -> None:
    """Make a newly chosen row's picture the photograph of the page."""
    wanted = arrivals[rows[0]] if rows and rows[0] < len(arrivals) else None
    digest = wanted.digest if isinstance(wanted, Photograph) else None
    before = st.session_state.get(_OPENED)
    st.session_state[_OPENED] = digest
    if digest is not None and digest != before:
        show_again(wanted)
        st.rerun()


def as_table(results: Sequence[Result]) -> "pd.DataFrame":
    """One row per picture: its name, the best caption of every decoder, or what was wrong with it."""
    import pandas as pd

    rows = []
    for arrival, captions in results:
        texts = {VARIANTS[name].title: found[0].text for name, found in (captions or {}).items()}
        rows.append({"image": arrival.name} | texts | {"problem": "" if captions else arrival.reason})
    titles = [variant.title for variant in VARIANTS.values() if any(variant.title in row for row in rows)]
    problem = ["problem"] if any(row["problem"] for row in rows) else []
    return pd.DataFrame(rows, columns=["image", *problem, *titles]).fillna("")


def as_csv(table: "pd.DataFrame") -> str:
    file = StringIO()
    table.to_csv(file, index=False)
    return file.getvalue()


def as_json(results: Sequence[Result]) -> str:
    """The same shape as `python -m captioner caption --json` gives, with all captions that the search found."""
    return json.dumps([_entry(arrival, captions) for arrival, captions in results], indent=1)


def _entry(arrival: Arrival, captions: Captions | None) -> dict[str, Any]:
    if captions is None:
        return {"image": arrival.name, "error": arrival.reason}
    return {"image": arrival.name, "captions": {name: [one.to_json() for one in found] for name, found in captions.items()}}


def _thumbnail_address(arrival: Arrival) -> str | None:
    if not isinstance(arrival, Photograph):
        return None
    return "data:image/jpeg;base64," + base64.b64encode(thumbnail(arrival)).decode()
