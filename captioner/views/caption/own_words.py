"""Your own words: a caption that the visitor types, and the probability that each decoder gives to every word."""

import html
import math
from typing import TYPE_CHECKING

import streamlit as st

from captioner.config import VARIANTS
from captioner.views import cards, html_tables
from captioner.views.resources import refusals
from captioner.views.results import Results
from captioner.vocabulary import END_WORD, tokenize

if TYPE_CHECKING:
    from captioner.captioning.caption import Caption

_LONGEST, _MOST_WORDS = 300, 40
_SCALE = 16.0  # bits; a bar as long as its cell
_EXPLANATION = (
    "Describe the photograph yourself. The likelier a decoder finds your next word, the less it is surprised. The sentence’s "
    "probability is the product over its words and its end. No sentence of three is “right”: likelier only means more like "
    "what the decoder learned to write."
)
_TOO_STRANGE = "Most of these words are unknown to them, so nothing can be said about the sentence as a whole."


@st.fragment
@refusals()
def show(results: Results) -> None:
    st.header("Your own words", anchor=False)
    text = st.text_input(
        "A caption of your own", key="say", bind="query-params", max_chars=_LONGEST, placeholder="a puppy plays on the lawn",
        help=_EXPLANATION,
    )  # fmt: skip
    words = tokenize(text)
    if len(words) > _MOST_WORDS:
        st.caption(f"The first {_MOST_WORDS} of {len(words)} words are judged.")
        words = words[:_MOST_WORDS]
    if words:
        _show_judgement(words, results.followed(words))
    elif text.strip():
        st.caption("There is no word in this; a word is made of letters or digits.")


def _show_judgement(words: list[str], followed: dict[str, "Caption"]) -> None:
    steps, known = (*words, END_WORD), known_to_all(words, followed)
    totals = {name: _known_sum(caption, known) for name, caption in followed.items()}
    strange = [word for word, is_known in zip(words, known, strict=False) if not is_known]
    if strange:
        st.html(f"<p>{html.escape(unknown_sentence(list(dict.fromkeys(strange))))}</p>")
    if len(strange) == len(words):
        return
    judged = 2 * len(strange) <= len(words)
    st.html(f'<p class="verdict">{verdict(totals)}</p>' if judged else f"<p>{_TOO_STRANGE}</p>")
    rows = [
        html_tables.row(cards.written(word), *(_cell(caption, place, word) for caption in followed.values()))
        for place, word in enumerate(steps)
    ]
    if judged:
        whole = "all the words that they all know" if strange else "the whole sentence"
        rows.append(html_tables.row(whole, *(f"<b>{cards.odds(total)}</b>" for total in totals.values())))
    headings = ["word", *(cards.rule(VARIANTS[name]) + html.escape(VARIANTS[name].title) for name in followed)]
    label = "How likely each decoder found each word; the longer the bar, the greater its surprise"
    st.html(html_tables.table(headings, rows, label))


def known_to_all(words: list[str], followed: dict[str, "Caption"]) -> list[bool]:
    """Whether all decoders know each word and the end; they may know one outside the vocabulary that is in a word slot."""
    read = zip(*(caption.words for caption in followed.values()), strict=True)
    return [all(one == word for one in ones) for word, ones in zip(words, read, strict=True)] + [True]


def _known_sum(caption: "Caption", known: list[bool]) -> float:
    return math.fsum(gain for gain, is_known in zip(caption.word_log_probabilities, known, strict=True) if is_known)


def _cell(caption: "Caption", place: int, word: str) -> str:
    if caption.steps[place] != word:
        return "unknown"
    gain = caption.word_log_probabilities[place]
    return cards.odds(gain) + cards.strip(min(1.0, -gain / math.log(2) / _SCALE), VARIANTS[caption.variant].colour)


def verdict(totals: dict[str, float]) -> str:
    """Which decoder finds the sentence likeliest, and by how much.

    >>> verdict({"learned": math.log(0.02), "word2vec": math.log(0.01)})
    'Learned finds it likeliest: 1 in 50. Then Word2Vec: 1 in 100.'
    """
    first, *others = sorted(totals, key=lambda name: -totals[name])
    if not others:
        return f"{VARIANTS[first].title} finds it {cards.odds(totals[first])} likely."
    rest = ", ".join(f"{VARIANTS[name].title}: {cards.odds(totals[name])}" for name in others)
    return f"{VARIANTS[first].title} finds it likeliest: {cards.odds(totals[first])}. Then {rest}."


def unknown_sentence(words: list[str]) -> str:
    """
    >>> unknown_sentence(["lawnmower", "zebra"])
    'Not counted, because a decoder reads “some unknown word” in its place: lawnmower, zebra.'
    """
    return f"Not counted, because a decoder reads “some unknown word” in its place: {', '.join(words)}."
