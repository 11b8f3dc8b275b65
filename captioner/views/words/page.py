"""The page of words: what each decoder's vectors take a word to be like, where they disagree, maps, analogies, downloads.

The search and the neighbours are drawn here, the rest in modules of their own.
"""

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from captioner.config import VARIANTS
from captioner.views import stages
from captioner.views.resources import open_page, refusals
from captioner.views.words.analogies import show_analogies
from captioner.views.words.comparisons import show_comparisons
from captioner.views.words.neighbours import pieces_of, show_neighbours
from captioner.views.words.word_lists import show_coverage, show_downloads
from captioner.views.words.word_maps import show_maps
from captioner.views.words.word_tables import Tables, load_subwords, load_tables
from embeddings.errors import EmbeddingError
from embeddings.explore import Answer, ask, checked_word, common_words

Answers = Mapping[str, Answer]  # by decoder

_FIRST_WORD = "dog"
_MOST = 20
_ABOUT_WORD = "Any word in English. One that the captions did not have is composed of its pieces by FastText alone."
_FROZEN = "Word2Vec’s and FastText’s vectors are the same in all stages; Learned’s go on changing."


def show() -> None:
    open_page("What the decoders take a word to mean", "words/words.css")
    st.markdown(
        "To a decoder a word is a list of numbers, its vector; words whose vectors point nearly the same way are alike to it. "
        "Learned found its vectors while it learned to describe photographs; the other two had theirs from reading and kept them."
    )
    folder = stages.choose(_FROZEN)
    tables = load_tables(folder)
    if tables:
        word, k = _choose(tables)
        answers = _answers(folder, tables, word, k) if word else {}
        show_neighbours(answers, choose=_walk)
        _show_pieces(folder, tables, word, answers)
        show_maps(folder, tables, word, {name: answer.neighbours for name, answer in answers.items()}, choose=_walk)
        show_comparisons(tables, k, choose=_walk)
        show_analogies(folder, tables)
        show_coverage(tables)
        show_downloads(folder, tables)


def _choose(tables: Tables) -> tuple[str, int]:
    """Draw the search and return the word, empty if there is none, and the number of neighbours; both live in the address."""
    words = common_words(list(tables.values())) or [_FIRST_WORD]
    first = _FIRST_WORD if _FIRST_WORD in words else words[0]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        typed = st.text_input("A word", first, key="word", bind="query-params", help=_ABOUT_WORD, width=360)
        k = st.slider("Neighbours", 1, _MOST, 10, key="k", bind="query-params", help="How many of the nearest words.", width=240)
    if not typed.strip():
        st.markdown("Type a word to see what it is like.")
        return "", k
    with refusals():
        return checked_word(typed), k
    return "", k


def _walk(word: str) -> None:
    st.session_state["word"] = word


def _answers(folder: Path, tables: Tables, word: str, k: int) -> dict[str, Answer]:
    answers = {}
    for name, table in tables.items():
        try:
            subwords = None if word in table else load_subwords(folder, name)
            answers[name] = ask(VARIANTS[name].title, table, word, k, subwords)
        except EmbeddingError as error:
            answers[name] = Answer(False, None, [], str(error))
    return answers


def _show_pieces(folder: Path, tables: Tables, word: str, answers: Answers) -> None:
    """The n-grams of an unseen word, for the table that could compose it."""
    for name, answer in answers.items():
        if answer.known and word not in tables[name]:
            st.html(pieces_of(load_subwords(folder, name), word))
