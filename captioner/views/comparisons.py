"""Two sections of the Words page: the words on which two tables differ most, and arithmetic with words."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import streamlit as st

from captioner.config import VARIANTS
from captioner.views import cards
from captioner.views.neighbours import escaped
from captioner.views.resources import refuse
from captioner.views.tables import Tables, load_subwords
from embeddings.errors import EmbeddingError
from embeddings.explore import Neighbours, analogy, checked_word, neighbours, overlap
from embeddings.table import EmbeddingTable

Ranking = list[tuple[str, float]]

_ROWS = 6
_SHOWN = 5
_ANSWERS = 5
_SEARCHED = 100
_COMMONEST = 300


@dataclass(frozen=True)
class Example:
    """An analogy with the answer that most people would give."""

    title: str
    start: str
    minus: str
    plus: str
    expected: str


EXAMPLES = (
    Example("One that works", "boy", "man", "woman", "girl"),
    Example("One that does not", "green", "grass", "snow", "white"),
)


def show_comparisons(tables: Tables, k: int, choose: Callable[[str], None]) -> None:
    """Rank the commonest words by how many of their k nearest two tables have in common."""
    pairs = ["-".join(pair) for pair in combinations(tables, 2)]
    if not pairs:
        return
    st.header("Where two tables disagree", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        pair = st.segmented_control(
            "Tables", pairs, format_func=_pair_title, default=pairs[0], required=True, key="pair", bind="query-params", wrap=True
        )
        first, second = (tables[name] for name in pair.split("-"))
        try:
            ranking = _ranking(first.fingerprint, second.fingerprint, k, first, second)
        except EmbeddingError as error:
            refuse(error)
            return
        among = _choose_commonest(len(ranking))
    places = {word: first.row(word) for word, _ in ranking}
    limit = sorted(places.values())[among - 1]
    ranked = [row for row in ranking if places[row[0]] <= limit]
    st.markdown(_about(ranking, ranked, places, k))
    shown = min(_ROWS, len(ranked) // 2)
    for column, title, rows in zip(
        st.columns(2, gap="large"), ("They differ most on", "They agree most on"), (least(ranked, shown), ranked[:shown]), strict=True
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
    near = [[found for found, _ in neighbours(table, word, k)] for table in tables]
    both = set(near[0]) & set(near[1])
    lines = (
        f"<p><span>{VARIANTS[name].title}</span> {', '.join(_marked(found, both) for found in words[:_SHOWN])}</p>"
        for name, words in zip(names, near, strict=True)
    )
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(f"**{escaped(word)}**", key=f"row-{word}", type="tertiary", on_click=choose, args=(word,))
            st.html(f'<p class="share">{round(share * k)} of {k} the same</p>', width="content")
        st.html(f'<div class="sides">{"".join(lines)}</div>')


def _marked(word: str, both: set[str]) -> str:
    return f"<u>{html.escape(word)}</u>" if word in both else html.escape(word)


def show_analogies(folder: Path, tables: Tables) -> None:
    """Ask for three words, and let each table calculate with them."""
    st.header("Arithmetic with words", anchor=False)
    st.markdown(
        "If a direction in a table means something, adding it does too: **boy** − **man** + **woman** should lead to **girl**. "
        "The three words themselves are left out of the answers; otherwise one of them would nearly always win."
    )
    words = _ask_three()
    if words is None:
        return
    start, minus, plus = words
    st.html(
        f'<p class="sentence">{html.escape(start)} − {html.escape(minus)} + {html.escape(plus)} ≈ ?</p>'
        f"<p>What is to <b>{html.escape(plus)}</b> as <b>{html.escape(start)}</b> is to <b>{html.escape(minus)}</b>?</p>"
    )
    expected = next((example.expected for example in EXAMPLES if (example.start, example.minus, example.plus) == words), None)
    for column, (name, table) in zip(st.columns(len(tables)), tables.items(), strict=True):
        with column.container(border=True, height="stretch", key=f"sum-{name}"):
            try:
                found = analogy(table, minus, start, plus, _SEARCHED, load_subwords(folder, name))
                body = answer_list(found, expected)
            except EmbeddingError as error:
                body = f'<p class="why">{html.escape(str(error))}</p>'
            st.html(cards.heading(VARIANTS[name]) + body)


def _ask_three() -> tuple[str, str, str] | None:
    default = EXAMPLES[0]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        typed = [
            st.text_input(label, value, key=key, bind="query-params", width=200)
            for label, value, key in (
                ("Start from", default.start, "start"),
                ("take away", default.minus, "minus"),
                ("and add", default.plus, "plus"),
            )
        ]
        for example in EXAMPLES:
            st.button(example.title, key=f"example-{example.expected}", on_click=_set_example, args=(example,))
    try:
        start, minus, plus = (checked_word(text) for text in typed)
    except EmbeddingError as error:
        refuse(error)
        return None
    return start, minus, plus


def _set_example(example: Example) -> None:
    st.session_state.update(start=example.start, minus=example.minus, plus=example.plus)


def answer_list(found: Neighbours, expected: str | None) -> str:
    """The nearest answers, the first in large type, and where the expected one came."""
    first, *others = found[:_ANSWERS]
    rows = "".join(f"<li>{html.escape(word)} <small>{cosine:.2f}</small></li>" for word, cosine in others)
    verdict = "" if expected is None else f'<p class="why">{_verdict([word for word, _ in found], expected)}</p>'
    head = f'<p class="sentence">{html.escape(first[0])} <small>{first[1]:.2f}</small></p>'
    return f'{head}<ol class="more" start="2">{rows}</ol>{verdict}'


def _verdict(words: Sequence[str], expected: str) -> str:
    if expected not in words:
        return f"Most people expect <b>{html.escape(expected)}</b>, which is not among its first {len(words)}."
    place = words.index(expected) + 1
    said = "as this table does" if place == 1 else f"which this table has in place {place}"
    return f"Most people expect <b>{html.escape(expected)}</b>, {said}."
