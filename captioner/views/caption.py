"""The first page: one photograph, and what each of the three decoders writes about it, with how sure it was."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from captioner.config import VARIANTS, SearchConfig
from captioner.errors import TriptychError
from captioner.views import cards
from captioner.views.photographs import Photograph, choose
from captioner.views.resources import Stamp, checkpoints_folder, load_captioner, open_page, refuse, stamp

if TYPE_CHECKING:
    from captioner.captioning import Caption, Captioner

Captions = dict[str, list["Caption"]]  # by decoder, best first

_MORE = 4
_UNDERLINED = "Underlined: words that not all of the decoders wrote."


def show() -> None:
    left, right = st.columns([5, 6], gap="large", vertical_alignment="center")
    with right:
        open_page(
            "Triptych",
            "One network looks at the photograph, three decoders put it into words. They differ only in where "
            "their words’ vectors come from.",
        )
        try:
            photograph = choose()
        except TriptychError as error:
            return refuse(error)
        config = _settings()
    with left:
        usable = _show_photograph(photograph)
    if usable:
        _show_captions(photograph, config)


def _settings() -> SearchConfig:
    """Draw the settings, folded away, and return them; they live in the page's address."""
    defaults = SearchConfig()
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.popover("Settings"):
            beam = st.slider("Beam", 1, 10, defaults.beam, key="beam", bind="query-params", help=_BEAM)
            length = st.slider(
                "Length preference", 0.0, 1.5, defaults.length_preference, 0.1, key="length", bind="query-params", help=_LENGTH
            )
        st.caption(f"beam {beam} · length {length:.1f}")
    return replace(defaults, beam=beam, length_preference=length)


_BEAM = "How many unfinished sentences are kept at each word. With 1 the decoder takes the likeliest word and never looks back."
_LENGTH = (
    "Every further word makes a sentence less likely, so the plain probability prefers short ones. 0 leaves it so; "
    "towards 1 the mean probability of a word counts."
)


def _show_photograph(photograph: Photograph) -> bool:
    """Show the photograph, or why it cannot be read; return whether it can."""
    try:
        preview = photograph.preview()
    except TriptychError as error:
        refuse(error)
        return False
    with st.container(key="photograph"):
        st.image(preview, alt=photograph.description)
    return True


def _show_captions(photograph: Photograph, config: SearchConfig) -> None:
    folder = checkpoints_folder()
    try:
        captions = _caption(photograph.digest, config, stamp(folder), photograph, load_captioner(folder))
    except TriptychError as error:
        refuse(error)
        st.markdown("Decoders in another folder: `streamlit run app.py -- --checkpoints FOLDER`")
        return
    _show_cards(captions)
    _show_strips(captions)


@st.cache_data(max_entries=64, show_spinner=False)
def _caption(
    digest: str, config: SearchConfig, stamp: Stamp, _photograph: Photograph, _captioner: "Captioner"
) -> Captions:
    return _captioner.caption([_photograph.pixels], config)[0]


def _show_cards(captions: Captions) -> None:
    marks = cards.differing([found[0].words for found in captions.values()])
    columns = st.columns(len(captions))
    for column, (name, found), mark in zip(columns, captions.items(), marks, strict=True):
        with column.container(border=True, height="stretch", key=f"card-{name}", gap="xsmall"):
            st.html(cards.heading(VARIANTS[name]) + cards.sentence(found[0].words, mark))
            st.markdown(_measures(found[0]), help=_explanation(found[0]))
            _show_more(found[1 : 1 + _MORE])
    st.caption(_UNDERLINED if any(map(any, marks)) else "All of them wrote the same sentence.")


def _measures(caption: "Caption") -> str:
    return f"{cards.odds(caption.log_probability)} · {caption.milliseconds:.0f} ms"


def _explanation(caption: "Caption") -> str:
    return (
        f"How sure it was: drawing words at random, each as often as it finds it likely here, the decoder would write "
        f"exactly this sentence {cards.odds(caption.log_probability)} times (log-probability {caption.log_probability:.2f}). "
        f"Writing took {caption.milliseconds:.1f} ms."
    )


def _show_more(captions: list["Caption"]) -> None:
    if captions:
        with st.expander(f"{len(captions)} more", type="compact"):
            st.html(cards.runners_up(captions))


def _show_strips(captions: Captions) -> None:
    st.subheader("Word by word", anchor=False)
    st.markdown(
        "How likely each decoder found the word it wrote, given the photograph and the words before. "
        "Multiplied, they are how sure it was of the sentence."
    )
    st.html("".join(cards.strip(VARIANTS[name], found[0]) for name, found in captions.items()))
