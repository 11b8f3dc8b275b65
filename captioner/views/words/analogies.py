"""The section of the Words page with arithmetic on words: three words in, and what each table makes of them."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from captioner.config import VARIANTS
from captioner.views import cards
from captioner.views.resources import refusals
from captioner.views.words.word_tables import Tables, load_subwords
from embeddings.errors import EmbeddingError
from embeddings.explore import Neighbours, analogy, checked_word

_ANSWERS = 5
_SEARCHED = 100


@dataclass(frozen=True)
class Example:
    """An analogy with the answer that most people would give."""

    title: str
    start: str
    minus: str
    plus: str
    expected: str


EXAMPLES = (
    Example("One that works", "man", "boy", "girl", "woman"),
    Example("One that does not", "green", "grass", "snow", "white"),
)


@refusals()
def show_analogies(folder: Path, tables: Tables) -> None:
    """Ask for three words, and let each table calculate with them."""
    st.header("Arithmetic with words", anchor=False)
    st.markdown(
        "If a direction in a table means something, adding it does too: **man** − **boy** + **girl** should lead to **woman**. "
        "The three words themselves are left out of the answers; otherwise one of them would nearly always win."
    )
    words = _ask_three()
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


def _ask_three() -> tuple[str, str, str]:
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
    start, minus, plus = map(checked_word, typed)
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
