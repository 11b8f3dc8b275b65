"""What was captioned earlier in this visit: small pictures with their captions, each a button away."""

import html

import streamlit as st

from captioner.config import VARIANTS
from captioner.views.photographs import MOST_KEPT, Photograph, show_again, thumbnail
from captioner.views.results import Captions

_EARLIER = "earlier"


def show(photograph: Photograph, captions: Captions) -> None:
    """Draw the earlier ones, then remember this one."""
    kept: dict[str, tuple[Photograph, Captions]] = st.session_state.setdefault(_EARLIER, {})
    others = [pair for digest, pair in reversed(kept.items()) if digest != photograph.digest]
    if others:
        st.header("Earlier in this visit", anchor=False)
        for number, (before, found) in enumerate(others):
            _show_one(number, before, found)
    kept.pop(photograph.digest, None)
    kept[photograph.digest] = (photograph, {name: best[:1] for name, best in captions.items()})
    while len(kept) > MOST_KEPT:
        kept.pop(next(iter(kept)))


def _show_one(number: int, photograph: Photograph, captions: Captions) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"earlier-{number}"):
        st.image(thumbnail(photograph), alt=photograph.description, width=88)
        lines = "".join(
            f"<li><b>{VARIANTS[name].title}</b> {html.escape(found[0].text)}</li>" for name, found in captions.items()
        )
        st.html(f'<ul class="earlier">{lines}</ul>', width="stretch")
        st.button("Show again", key=f"again-{number}", on_click=show_again, args=(photograph,))
