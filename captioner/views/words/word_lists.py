"""The last sections of the Words page: where the rows of each table came from, and everything as files."""

import html
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from captioner.config import VARIANTS
from captioner.views import html_tables
from captioner.views.words.word_maps import named_maps
from captioner.views.words.word_tables import Tables, load_maps
from embeddings.errors import EmbeddingError
from embeddings.projector import coordinates_tsv, metadata_tsv, vectors_tsv
from embeddings.table import ORIGINS

if TYPE_CHECKING:
    import pandas as pd

_MEANINGS = {
    "trained": "from reading",
    "subwords": "composed of pieces",
    "special": "special words",
    "missing": "random stand-ins",
    "learned": "learned with the decoder",
}


def show_coverage(tables: Tables) -> None:
    """How many rows of each table came from where, and the list of them."""
    st.header("Where the rows came from", anchor=False)
    st.html(coverage_table(tables))
    with st.expander("Every word and where its row came from"):
        present = [origin for origin in ORIGINS if any(origin in table.origins for table in tables.values())]
        only = st.selectbox("Show", ["every row", *present], format_func=lambda key: _MEANINGS.get(key, key), width=280)
        rows = origins(tables)
        if only in ORIGINS:
            rows = rows[(rows == only).any(axis=1)]
        st.dataframe(rows.replace(_MEANINGS), alt=f"Where the rows of {len(rows):,} words came from, in each table.")


def coverage_table(tables: Tables) -> str:
    """Counts by origin, and each table's own sentence about its source."""
    counts = [table.coverage() for table in tables.values()]
    rows = (html_tables.row(_MEANINGS[origin], *(f"{count[origin]:,}" for count in counts)) for origin in ORIGINS)
    headings = ["rows", *(VARIANTS[name].title for name in tables)]
    drawn = html_tables.table(headings, rows, "Rows by their origin", "counts", captioned=False)
    said = "".join(f"<li><b>{VARIANTS[name].title}</b>: {html.escape(table.source)}</li>" for name, table in tables.items())
    return f'{drawn}<ul class="sources">{said}</ul>'


def origins(tables: Tables) -> "pd.DataFrame":
    """One row per word, commonest first, with its origin in each table; empty where a table lacks the word."""
    import pandas as pd

    columns = {VARIANTS[name].title: pd.Series(table.origins, list(table.words)) for name, table in tables.items()}
    words = list(dict.fromkeys(word for table in tables.values() for word in table.words))
    return pd.DataFrame(columns, index=words).rename_axis("word").fillna("")


def show_downloads(folder: Path, tables: Tables) -> None:
    """Vectors and words as the projector reads them, and the maps' coordinates; made when somebody asks for them."""
    st.header("Take them with you", anchor=False)
    st.markdown(
        "Tab-separated text (TSV). The TensorFlow Embedding Projector takes a table’s two files as vectors and metadata. "
        "Special words and random stand-ins are left out."
    )
    with st.container(horizontal=True):
        for name, table in tables.items():
            title = VARIANTS[name].title
            _offer(f"{title}: vectors", f"{name}-vectors.tsv", partial(vectors_tsv, table))
            _offer(f"{title}: words", f"{name}-metadata.tsv", partial(metadata_tsv, table))
        with suppress(EmbeddingError):  # The section of the maps has said so.
            drawn = named_maps(load_maps(folder, tables))
            _offer("All maps: coordinates", "coordinates.tsv", partial(coordinates_tsv, drawn))


def _offer(label: str, file: str, make: partial[str]) -> None:
    st.download_button(label, make, file, "text/tab-separated-values", key=f"get-{file}", on_click="ignore")
