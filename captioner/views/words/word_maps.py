"""The section of the Words page with the maps: the same words in each table, and how far such a map can be trusted."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import streamlit as st

from captioner.config import VARIANTS
from captioner.views import cards
from captioner.views.resources import choose_one, refusals
from captioner.views.words.word_tables import Tables, load_maps
from embeddings.explore import Neighbours
from embeddings.maps import DrawnMaps, WordMap, faithfulness
from embeddings.table import EmbeddingTable

TITLES = {"tsne": "t-SNE", "pca": "PCA"}
_NEAR = 10
_ABOUT = (
    "PCA looks at the vectors from where they differ most, like a photograph of a swarm. t-SNE moves the words until those that "
    "are neighbours stand together; how far groups lie apart means nothing in it."
)


@refusals()
def show_maps(
    folder: Path, tables: Tables, word: str, neighbours: Mapping[str, Neighbours], choose: Callable[[str], None]
) -> None:
    """Draw the three maps side by side; the word and its neighbours are marked, and a click on another word chooses that."""
    from captioner.figures.words.word_map import map_table

    st.header("The commonest words on a map", anchor=False)
    maps = load_maps(folder, tables)
    method = choose_one("Kind of map", list(TITLES), key="map", format_func=TITLES.get, help=_ABOUT)
    count = max(len(drawn.methods["pca"].words) for drawn in maps.values())
    st.markdown(
        f"The {count} commonest words. **A map misleads, neighbours do not**: hundreds of numbers do not fit on two axes, so "
        "words that are far from alike land side by side. The word typed above is named, its nearest words carry their place "
        "in its list, and of the others those have a name for which there is room. Point at a word to read it, click on it to "
        "choose it."
    )
    st.html(legend())
    for column, (name, table) in zip(st.columns(len(maps)), tables.items(), strict=True):
        with column:
            _show_map(name, table, maps[name], method, word, neighbours.get(name, []), choose)
    with st.expander("The same as a table"):
        drawn = {" ".join(titles): found for titles, found in named_maps(maps).items()}
        st.dataframe(map_table(drawn).style.format(precision=2, na_rep=""), alt=f"Kind and place of each of the {count} words.")


def named_maps(maps: Mapping[str, DrawnMaps]) -> dict[tuple[str, str], WordMap]:
    """Every map, by the titles of its decoder and of its kind."""
    return {(VARIANTS[name].title, TITLES[method]): found for name in maps for method, found in maps[name].methods.items()}


def _show_map(
    name: str, table: EmbeddingTable, maps: DrawnMaps, method: str, word: str, near: Neighbours, choose: Callable[[str], None]
) -> None:
    from captioner.figures.words.word_map import map_chart, map_summary

    drawn = maps.methods.get(method, maps.methods["pca"])
    title = f"{VARIANTS[name].title}, {TITLES[method if method in maps.methods else 'pca']}"
    st.html(f'{cards.rule(VARIANTS[name])}<h3 class="decoder">{title}</h3>')
    key = f"map-{name}"
    st.altair_chart(
        map_chart(drawn, word, near), key=key, alt=map_summary(title, drawn, word, near), on_select=partial(_pick, key, choose)
    )
    if method not in maps.methods:
        st.markdown(
            "t-SNE is missing for this table: there is no stored map of exactly these vectors. "
            "`python -m embeddings maps --checkpoints DIR` draws it."
        )
    st.markdown(_trust(table.fingerprint, method, table, drawn))


def _pick(key: str, choose: Callable[[str], None]) -> None:
    picked = st.session_state[key].selection.get("picked")
    if picked:
        choose(picked[0]["word"])


@st.cache_data(max_entries=12, show_spinner=False)
def _trust(fingerprint: str, method: str, _table: EmbeddingTable, _drawn: WordMap) -> str:
    """How far the map can be trusted, measured."""
    near = min(_NEAR, len(_drawn.words) - 1)
    share = faithfulness(_table, _drawn, near)
    explained = f"The two directions show {sum(_drawn.explained):.0%} of the vectors’ variance. " if _drawn.explained else ""
    found = f"{share * near:.1f} are truly among its {near} nearest"
    return f"{explained}Of the {near} words that stand nearest to a word here, {found}, on average."


def legend() -> str:
    """Each kind's shape in its colour, with its name."""
    from captioner.figures.words.word_map import LOOKS

    items = (
        f'<li><span style="background:{look.colour};clip-path:{look.polygon}"></span>{kind}</li>' for kind, look in LOOKS.items()
    )
    return f'<ul class="legend">{"".join(items)}</ul>'
