"""The section of the Words page with the words on which two tables differ most, and those on which they agree most."""

import html
from collections.abc import Callable, Sequence
from itertools import combinations

import streamlit as st

from captioner.config import VARIANTS
from captioner.views import cards
from captioner.views.resources import choose_one, refusals
from captioner.views.words.word_tables import Tables
from embeddings.explore import neighbours, overlap
from embeddings.table import EmbeddingTable

Ranking = list[tuple[str, float]]

_ROWS = 6
_SHOWN = 5
_COMMONEST = 300


@refusals()
def show_comparisons(tables: Tables, k: int, choose: Callable[[str], None]) -> None:
    """Rank the commonest words by how many of their k nearest two tables have in common."""
    pairs = ["-".join(pair) for pair in combinations(tables, 2)]
    if not pairs:
        return
    st.header("Where two tables disagree", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        pair = choose_one("Tables", pairs, key="pair", format_func=_pair_title, wrap=True)
        first, second = (tables[name] for name in pair.split("-"))
        ranking = _ranking(first.fingerprint, second.fingerprint, k, first, second)
        among = _choose_commonest(len(ranking))
    k = min(k, len(ranking) - 1)
    places = {word: first.row(word) for word, _ in ranking}
    limit = sorted(places.values())[among - 1]
    ranked = [row for row in ranking if places[row[0]] <= limit]
    st.markdown(_about(ranking, ranked, places, k))
    shown = min(_ROWS, len(ranked) // 2)
    most, rest = ranked[:shown], ranked[shown:]
    for column, title, rows in zip(
        st.columns(2, gap="large"), ("They differ most on", "They agree most on"), (least(rest, shown), most), strict=True
    ):
        with column:
            st.subheader(title, anchor=False)
            for word, share in rows:
                _show_row(pair.split("-"), (first, second), word, share, k, choose)


def _pair_title(pair: str) -> str:
    return " and ".join(VARIANTS[name].title for name in pair.split("-"))


def _choose_commonest(count: int) -> int:
    if count <= 100:
        return count
    return st.slider(
        "Among the commonest words",
        50,
        min(1000, count),
        min(_COMMONEST, count),
        50,
        key="among",
        bind="query-params",
        help="A word that was seen seldom has chance neighbours, in which no two tables agree.",
        width=280,
    )


@st.cache_data(max_entries=32, show_spinner="Comparing the two tables")
def _ranking(first: str, second: str, k: int, _first: EmbeddingTable, _second: EmbeddingTable) -> Ranking:
    return overlap(_first, _second, k)


def least(ranking: Ranking, count: int) -> Ranking:
    """The words with the smallest share, smallest first; of equal ones the first in the ranking, which are the commonest."""
    return sorted(ranking, key=lambda row: row[1])[:count]


def _about(ranking: Ranking, ranked: Ranking, places: dict[str, int], k: int) -> str:
    """How much the tables agree on common and on rare words, which is why only common ones are ranked."""
    start = f"Of a word’s {k} nearest the two have {_mean(ranked) * k:.1f} in common on average"
    if len(ranking) < 2 * len(ranked):
        return f"{start}."
    rarest = sorted(ranking, key=lambda row: places[row[0]])[-len(ranked) :]
    return (
        f"{start} for the {len(ranked)} commonest words, but {_mean(rarest) * k:.1f} for the {len(rarest)} rarest. "
        "What is known of rare words is too little to compare, so only the commonest are ranked; of equal ones the commoner "
        "comes first."
    )


def _mean(ranking: Ranking) -> float:
    return sum(share for _, share in ranking) / len(ranking)


def _show_row(
    names: Sequence[str], tables: Sequence[EmbeddingTable], word: str, share: float, k: int, choose: Callable[[str], None]
) -> None:
    near = [_near(table.fingerprint, word, k, table) for table in tables]
    both = set(near[0]) & set(near[1])
    lines = (
        f"<p><span>{VARIANTS[name].title}</span> {', '.join(_marked(found, both) for found in words[:_SHOWN])}</p>"
        for name, words in zip(names, near, strict=True)
    )
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(f"**{cards.escaped(word)}**", key=f"row-{word}", type="tertiary", on_click=choose, args=(word,))
            st.html(f'<p class="share">{round(share * k)} of {k} the same</p>', width="content")
        st.html(f'<div class="sides">{"".join(lines)}</div>')


@st.cache_data(max_entries=1024, show_spinner=False)
def _near(fingerprint: str, word: str, k: int, _table: EmbeddingTable) -> list[str]:
    return [found for found, _ in neighbours(_table, word, k)]


def _marked(word: str, both: set[str]) -> str:
    return f"<u>{html.escape(word)}</u>" if word in both else html.escape(word)
