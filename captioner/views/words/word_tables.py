"""The three tables of word vectors and their maps, each read once per process; what is missing or damaged is told apart.

What the Words page shows of them is left to its sections.
"""

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from captioner.config import VARIANTS
from captioner.views.resources import Stamp, refusals, stamp
from embeddings.errors import EmbeddingError
from embeddings.explore import common_words
from embeddings.files import read_bytes
from embeddings.maps import COUNT, MAPS_FILE, DrawnMaps, map_2d, read_maps
from embeddings.subwords import SUBWORDS_FILE, Subwords
from embeddings.table import EmbeddingTable

Tables = Mapping[str, EmbeddingTable]  # by decoder

COMPOSING = "fasttext"


def load_tables(folder: Path) -> Tables:
    """The tables that can be read; for every other one the page says why it cannot."""
    tables = {}
    for name in VARIANTS:
        with refusals():
            tables[name] = _table(stamp(folder), folder / name)
    return tables


def load_subwords(folder: Path, name: str) -> Subwords | None:
    """The pieces that a table composes unseen words of; None for a table that has none."""
    return _subwords(stamp(folder), folder / name / SUBWORDS_FILE) if name == COMPOSING else None


def load_maps(folder: Path, tables: Tables) -> dict[str, DrawnMaps]:
    """The maps of each table: those that were drawn of exactly this table, or else PCA alone, drawn now."""
    prints = tuple(f"{name} {table.fingerprint}" for name, table in tables.items())
    path = folder / MAPS_FILE
    return _maps(prints, path.stat().st_mtime_ns if path.is_file() else 0, path, tables)


# A failure is not kept, so a file that has been mended is read at the next click.
@st.cache_resource(max_entries=6, show_spinner=False)
def _table(version: Stamp, folder: Path) -> EmbeddingTable:
    return EmbeddingTable.load(folder)


@st.cache_resource(max_entries=2, show_spinner=False)
def _subwords(version: Stamp, path: Path) -> Subwords:
    return Subwords.from_bytes(read_bytes(path))


@st.cache_resource(max_entries=4, show_spinner=False)
def _maps(prints: tuple[str, ...], changed: int, path: Path, _tables: Tables) -> dict[str, DrawnMaps]:
    try:
        stored = read_maps(path)
    except EmbeddingError:  # The page says that t-SNE is missing, and how to draw it.
        stored = {}
    fitting = {name: maps for name, maps in stored.items() if name in _tables and maps.fingerprint == _tables[name].fingerprint}
    words = common_words(list(_tables.values()), COUNT)
    return {
        name: fitting.get(name) or DrawnMaps(table.fingerprint, {"pca": map_2d(table, words)})
        for name, table in _tables.items()
    }
