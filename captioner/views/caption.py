"""The first page: one photograph, and what each of the three decoders writes about it, with how sure it was."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from captioner.config import VARIANTS, SearchConfig
from captioner.errors import ImageError, TriptychError
from captioner.evaluation import load_search_config
from captioner.views import cards
from captioner.views.photographs import Photograph, choose
from captioner.views.resources import Stamp, checkpoints_folder, load_captioner, open_page, refuse, stamp

if TYPE_CHECKING:
    from captioner.captioning import Caption, Captioner

Captions = dict[str, list["Caption"]]  # by decoder, best first

_MORE = 4
_DIFFERENCE = (
    "One network looked at the photograph; three decoders put what it saw into words. They are built and trained alike "
    "and differ only in where their words’ vectors come from. "
)
_BEAM = "How many unfinished sentences are kept at each word. With 1 the decoder takes the likeliest word and never looks back."
_LENGTH = (
    "Every further word makes a sentence less likely, so the plain probability prefers short ones. 0 leaves it so; "
    "towards 1 the mean over the words counts."
)


def show() -> None:
    folder = checkpoints_folder()
    with st.container(key="top"):
        left, right = st.columns([5, 6], gap="large", vertical_alignment="center")
    try:
        with right:
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                open_page("Triptych")
                config = _settings(load_search_config(folder))
            st.markdown("One photograph, three decoders, three captions.")
            photograph = choose()
        with left:
            preview = photograph.preview()
            st.container(key="photograph").image(preview, alt=photograph.description)
        _show_captions(folder, photograph, config)
    except ImageError as error:
        with left:  # In the photograph's place.
            refuse(error)
    except TriptychError as error:
        refuse(error)


def _settings(defaults: SearchConfig) -> SearchConfig:
    """Draw the settings, folded away, and return them; they live in the page's address."""
    length = min(max(defaults.length_preference, 0.0), 1.5)
    with st.container(horizontal=True, vertical_alignment="center", width="content", gap="xsmall"):
        with st.popover("Settings"):
            beam = st.slider("Beam", 1, 10, min(defaults.beam, 10), key="beam", bind="query-params", help=_BEAM)
            length = st.slider("Length preference", 0.0, 1.5, length, 0.1, key="length", bind="query-params", help=_LENGTH)
        st.caption(f"beam {beam} · length {length:.1f}")
    return replace(defaults, beam=beam, length_preference=length)


def _show_captions(folder: Path, photograph: Photograph, config: SearchConfig) -> None:
    captions = _caption(photograph.digest, config, stamp(folder), photograph, load_captioner(folder))
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
    same = "All of them wrote the same sentence."
    st.markdown(_DIFFERENCE + ("Underlined: words that not all of them wrote." if any(map(any, marks)) else same))


def _measures(caption: "Caption") -> str:
    return f"{cards.odds(caption.log_probability)} · {cards.duration(caption.milliseconds / 1000)}"


def _explanation(caption: "Caption") -> str:
    return (
        f"How sure it was ({cards.odds(caption.log_probability)}): if the decoder drew its words by lot, each as often as it "
        "finds it likely here, this is how often it would write exactly this sentence. "
        f"Log-probability {caption.log_probability:.2f} nats. The search for the words took {caption.milliseconds:.1f} ms."
    )


def _show_more(captions: list["Caption"]) -> None:
    if captions:
        with st.expander(f"{len(captions)} more captions" if len(captions) > 1 else "1 more caption", type="compact"):
            st.html(cards.runners_up(captions))


def _show_strips(captions: Captions) -> None:
    st.header("Word by word", anchor=False)
    st.markdown(
        "How likely each decoder found the word it wrote, given the photograph and the words before. "
        "Multiplied, they are how sure it was of the sentence."
    )
    st.html("".join(cards.strip(VARIANTS[name], found[0]) for name, found in captions.items()))
