"""Why a decoder wrote its caption: each word, where it looked, what nearly won, what if, and its search."""

import html
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from captioner.config import VARIANTS, SearchConfig
from captioner.figures.caption.heatmap import focus, gradient, overlay
from captioner.figures.caption.search_tree import summary, tree_chart, tree_table, tree_width
from captioner.views import cards
from captioner.views.resources import choose_one, refusals
from captioner.views.results import Captions, Results
from captioner.vocabulary import END_WORD

if TYPE_CHECKING:
    import numpy as np

    from captioner.captioning.caption import Caption

_WORD, _WORD_OF, _WORD_KEPT = "at", "at-of", "at-kept"  # A word's place, from 1 in the address.
_WHAT_IF, _GO_ON = "what-if", "go-on"
_UNSEEN = "\u2060"  # Streamlit tells buttons apart by their labels, and a sentence may hold a word twice.
NEARLY_WON = 5
_TO_THE_SIDE = '<p class="aside">The tree is wider than this window: scroll it sideways to see how the sentences end.</p>'
_COLUMNS = {"word": "step", "after": "after", "written": "word", "log_probability": "nats", "total": "nats so far",
            "score": "score", "meaning": "became"}  # fmt: skip
_NO_PLACE = "This decoder takes in the photograph as a whole, so there is no place that it looked at."


@st.fragment
@refusals()
def show(results: Results, captions: Captions, config: SearchConfig) -> None:
    """The whole section; a click in it redraws nothing else of the page."""
    st.header("Why did it write this?", anchor=False)
    titles = {VARIANTS[name].title: name for name in captions}
    name = titles[choose_one("Decoder", list(titles), key="why", label_visibility="collapsed")]
    _show_words(results, captions, name, config)
    _show_search(results, name, config)


@st.fragment
@refusals()
def _show_words(results: Results, captions: Captions, name: str, config: SearchConfig) -> None:
    caption = captions[name][0]
    if not caption.steps:
        st.markdown("It wrote no word at all.")
        return
    place = _choose_word(results, captions, caption)
    followed = results.followed(caption.words, caption.finished)
    looked, won, *others = st.columns([5, 4, 4] if len(followed) > 1 else [5, 4], gap="large")
    with looked:
        _show_attention(results, caption, place)
    with won:
        _show_alternatives(results, caption, place)
    for column in others:
        with column:
            _show_others(followed, caption, place)
    _show_what_if(results, config)


def _choose_word(results: Results, captions: Captions, caption: "Caption") -> int:
    """The words as a strip of buttons, each with how sure the decoder was of it."""
    _start_anew((results.photograph.digest, caption.variant, caption.text), _first_difference(captions, caption))
    sure = [cards.percent(min(1.0, math.exp(gain))) for gain in caption.word_log_probabilities]
    pairs = enumerate(zip(caption.steps, sure, strict=True))
    labels = [f"{_label(word)} :small[{share}]{_UNSEEN * number}" for number, (word, share) in pairs]
    title = "Its words, each with how sure it was of it (its probability); choose one"
    places = list(range(len(labels)))
    return st.pills(title, places, required=True, format_func=labels.__getitem__, key=_WORD, on_change=_keep_word)


def _start_anew(sentence: tuple[str, ...], place: int) -> None:
    """Start another sentence at a word of its own; only the first one may start at the word in the address."""
    seen = st.session_state.get(_WORD_OF)
    if seen != sentence:
        wanted = st.query_params.get(_WORD, "") if seen is None else ""
        fits = wanted.isdecimal() and 1 <= int(wanted) <= len(sentence[-1].split()) + 1
        st.session_state[_WORD] = st.session_state[_WORD_KEPT] = int(wanted) - 1 if fits else place
        st.session_state[_WORD_OF] = sentence
        if not fits:
            st.query_params.pop(_WORD, None)
    # A visit to another page drops the widget's own choice, but not this copy.
    st.session_state[_WORD] = st.session_state[_WORD_KEPT]


def _keep_word() -> None:
    st.session_state[_WORD_KEPT] = st.session_state[_WORD]
    st.query_params[_WORD] = st.session_state[_WORD] + 1


def _first_difference(captions: Captions, caption: "Caption") -> int:
    """The first word that not all decoders wrote, which is the most interesting one."""
    marks = cards.differing([found[0].words for found in captions.values()])
    own = marks[list(captions).index(caption.variant)]
    return own.index(True) if True in own else 0


def _show_attention(results: Results, caption: "Caption", place: int) -> None:
    word = caption.steps[place]
    st.subheader("Where it looked", anchor=False)
    if caption.attention is None:
        st.markdown(_NO_PLACE)
        return
    opacity = st.slider("Strength of the heat map (%)", 0, 100, 50, 5, key="opacity", help="Bright is where it looked most.")
    attention = caption.attention[place]
    said = f"Before writing {_quoted(word)} {focus(attention)}."
    picture = overlay(results.photograph.preview, attention, opacity / 100)
    with st.container(key="heat", gap="xsmall"):
        st.image(picture, alt=f"The photograph under a heat map. {said}")
        st.html(heat_scale(attention))
    st.caption(said)


def heat_scale(attention: "np.ndarray") -> str:
    """The legend of the heat map: its colours from none to the largest share of a region, with a mark at an even share."""
    most, even = float(attention.max() / attention.sum()), 1 / attention.size
    return (
        f'<div class="heat-scale"><div style="background:{gradient()}"><span style="left:{even / most:.1%}"></span></div>'
        f"<p><span>0%</span><span>a region’s share; the mark: all alike, {even:.1%}</span><span>{most:.1%}</span></p></div>"
    )


def _show_alternatives(results: Results, caption: "Caption", place: int) -> None:
    variant, before, written = VARIANTS[caption.variant], caption.words[:place], caption.steps[place]
    st.subheader("What nearly won", anchor=False)
    start = f"After {_quoted(' '.join(before))}" if before else "As the first word"
    st.markdown(f"{start} it wrote {_label(written)}, and might have written:")
    others = [pair for pair in caption.alternatives[place] if pair[0] != written][:NEARLY_WON]
    st.html(cards.choices(others, variant.colour))
    key = f"{_GO_ON}-{place}"
    given = (key, results.photograph.digest, before)
    words = [word for word, _ in others]
    st.pills("Let all decoders go on with", words, format_func=_label, key=key, on_change=_keep_what_if, args=given)


def _keep_what_if(key: str, digest: str, before: tuple[str, ...]) -> None:
    """Each choice is a click like a button's: nothing stays chosen, so the same word can be tried again after Close."""
    if word := st.session_state[key]:
        st.session_state[_WHAT_IF] = (digest, (*before, word))
    st.session_state[key] = None


def _show_others(followed: dict[str, "Caption"], caption: "Caption", place: int) -> None:
    word = caption.steps[place]
    st.subheader("What the others gave", anchor=False)
    for name, other in followed.items():
        if name != caption.variant:
            variant = VARIANTS[name]
            given = cards.percent(min(1.0, math.exp(other.word_log_probabilities[place])))
            st.html(
                f'{cards.rule(variant)}<p class="other"><b>{variant.title}</b> gave {cards.written(word)} '
                f"{html.escape(given)} here</p>{cards.choices(other.alternatives[place][:3], variant.colour)}"
            )
    st.caption("After the same words, before the same photograph.")


def _show_what_if(results: Results, config: SearchConfig) -> None:
    digest, beginning = st.session_state.get(_WHAT_IF, (None, ()))
    if digest != results.photograph.digest:
        return
    with st.container(border=True, key="what-if"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader(f"What if it had begun {_quoted(' '.join(beginning))}?", anchor=False)
            st.button("Close", on_click=lambda: st.session_state.pop(_WHAT_IF, None))
        length = max(config.maximum_words, len(beginning))
        captions = results.captions(replace(config, maximum_words=length), beginning)
        for column, (name, found) in zip(st.columns(len(captions)), captions.items(), strict=True):
            with column:
                st.html(cards.heading(VARIANTS[name], short=True) + cards.continued(found[0], len(beginning)))


def _show_search(results: Results, name: str, config: SearchConfig) -> None:
    """Folded: the figure is made only for those who want it, and its program is the largest that a browser has to load."""
    with st.expander("Its search: the sentences that it considered", on_change="rerun", key="search-open") as folded:
        if folded.open:
            _show_tree(results, name, config)


def _show_tree(results: Results, name: str, config: SearchConfig) -> None:
    st.markdown(
        "A caption is the result of a search. At each word the likeliest sentences so far are kept (full lines), the others "
        "dropped (faint, dotted lines). A sentence that has reached its end (■) gets a score: its log-probability, divided by a "
        "power of its length. The highest score wins; it need not have been ahead at every word."
    )
    candidates, way = results.tree(name, config)
    table = tree_table(candidates, way, results.words, config.length_preference)
    with st.container(key="search"):
        with st.container(key="tree"):
            st.vega_lite_chart(tree_chart(table, VARIANTS[name].colour), width="content", alt=summary(table))
        # Only if the tree is wider than its container: this program knows the one width, the browser the other.
        fits = f"@container search (min-width: {tree_width(table)}px) {{ .aside {{ display: none; }} }}"
        st.html(f"{_TO_THE_SIDE}<style>{fits}</style>")
    with st.expander("The search as a table", on_change="rerun", key="tree-table") as table_folded:
        if table_folded.open:
            shown = [{title: row[field] for field, title in _COLUMNS.items()} for row in table]
            st.dataframe(shown, hide_index=True, alt=summary(table))


def _label(word: str) -> str:
    """A step's word in a label; the end of the sentence looks different."""
    return "*end*" if word == END_WORD else cards.escaped(word)


def _quoted(text: str) -> str:
    return "the end" if text == END_WORD else f"“{cards.escaped(text.replace(END_WORD, '■'))}”"
