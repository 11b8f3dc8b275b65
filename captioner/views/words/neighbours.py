"""The section of the Words page with the neighbours of one word, side by side, and the pieces of a word never seen."""

import html
from collections.abc import Callable, Mapping
from itertools import combinations

import streamlit as st

from captioner.config import VARIANTS
from captioner.views import cards
from embeddings.explore import Answer
from embeddings.subwords import Subwords

_PIECES_SHOWN = 60
_ABOUT_COSINE = (
    "The number is the cosine of the angle between the two words’ vectors: 1 is the same direction, 0 has nothing in common. "
)


def show_neighbours(answers: Mapping[str, Answer], choose: Callable[[str], None]) -> None:
    """A column per table: its neighbours as buttons that walk on to them, or why it has none."""
    lists = {name: [word for word, _ in answer.neighbours] for name, answer in answers.items() if answer.known}
    for column, (name, answer) in zip(st.columns(len(answers) or 1), answers.items(), strict=False):
        with column.container(border=True, height="stretch", key=f"near-{name}", gap="xsmall"):
            why = f'<p class="why">{html.escape(answer.message)}</p>' if answer.message else ""
            st.html(cards.heading(VARIANTS[name]) + why)
            for place, (word, cosine) in enumerate(answer.neighbours, start=1):
                label = f"{place}\\. **{cards.escaped(word)}** :small[{cosine:.2f}{_also(word, name, lists)}]"
                st.button(label, key=f"near-{name}-{place}", type="tertiary", on_click=choose, args=(word,), width="stretch")
    if lists:
        st.markdown(_ABOUT_COSINE + shared_counts(lists) + " Choose a word to walk on to it.")


def _also(word: str, name: str, lists: Mapping[str, list[str]]) -> str:
    """Which other tables list the word too, said in words."""
    others = [other for other, words in lists.items() if other != name and word in words]
    if len(others) == len(VARIANTS) - 1:
        return " · **in all three**"
    return "".join(f" · also {VARIANTS[other].title}" for other in others)


def shared_counts(lists: Mapping[str, list[str]]) -> str:
    """How many neighbours each pair of tables has in common."""
    pairs = combinations(lists.items(), 2)
    counts = [
        f"{VARIANTS[one].title} and {VARIANTS[other].title} {len(set(near) & set(other_near))}"
        for (one, near), (other, other_near) in pairs
    ]
    return f"Neighbours in common, out of {max(map(len, lists.values()))}: {', '.join(counts)}." if counts else ""


def pieces_of(subwords: Subwords, word: str) -> str:
    """The pieces of a word as FastText cuts it; the ones it never saw are struck through."""
    pieces, known = subwords.ngrams(word), set(subwords.known_ngrams(word))
    marks = (
        f"<li><b>{html.escape(piece)}</b></li>" if piece in known else f"<li><s>{html.escape(piece)}</s></li>"
        for piece in pieces[:_PIECES_SHOWN]
    )
    more = f" The first {_PIECES_SHOWN} of {len(pieces)} are shown." if len(pieces) > _PIECES_SHOWN else ""
    return (
        f'<p class="pieces">FastText’s pieces (n-grams) of <b>{html.escape(word)}</b>, whose ends it marks with &lt; and &gt;. '
        f'Struck through: pieces it never saw.{more}</p><ul class="pieces">{"".join(marks)}</ul>'
    )
