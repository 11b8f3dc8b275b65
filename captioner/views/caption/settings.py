"""The controls for the decoders and their search. They are part of the page's address, so that a link holds them."""

from dataclasses import replace
from pathlib import Path

import streamlit as st

from captioner.captioning.search_settings import load_search_config
from captioner.config import SearchConfig
from captioner.views import stages
from captioner.views.resources import choose_one, refusals

_DEFAULTS = "own-setting"
_METHODS = {"Beam": "beam", "Greedy": "greedy", "Sampling": "sample"}  # as on the page and in the address
_METHOD = (
    "Beam search follows several sentences at once and takes the likeliest, greedy takes the likeliest word each time, and "
    "sampling draws each word by lot."
)
_BEAM = "How many unfinished sentences are kept at each word; with 1 it takes the likeliest word and never looks back."
_LENGTH = (
    "Every further word makes a sentence less likely, so the plain probability (0) prefers short ones; towards 1 the mean over "
    "the words counts."
)
_MILD = 0.7
_TEMPERATURE = (
    "Below 1 the likely words are drawn even more often; above 1 the unlikely ones get more of a chance. At 1 words are drawn as "
    "often as the decoder believes in them, the unlikely ones too, which soon reads as a salad of words."
)
_SEED = "Draws are numbered: the same number gives the same words again, another number another draw."


def choose() -> tuple[Path, SearchConfig]:
    """Draw the controls and return the folder of the decoders and their search setting."""
    with st.container(horizontal=True, vertical_alignment="center", width="content", gap="xsmall"):
        popover = st.popover("Settings")
        folder = stages.choose(where=popover)
        defaults = _defaults(folder)
        _start_anew(defaults)
        with popover:
            config = _controls(defaults)
        st.caption(" · ".join(filter(None, [stages.title(folder), say(config)])))
    return folder, config


def _start_anew(defaults: SearchConfig) -> None:
    """Start from the setting of other decoders, but keep what the visitor chose, which is in the address."""
    before = st.session_state.get(_DEFAULTS)
    for key in ("beam", "length"):
        if before not in (None, defaults) and key not in st.query_params:
            st.session_state.pop(key, None)
    st.session_state[_DEFAULTS] = defaults


def _defaults(folder: Path) -> SearchConfig:
    """The decoders' own setting; if it is not usable the page says so and goes on."""
    with refusals():
        return load_search_config(folder)
    return SearchConfig()


def say(config: SearchConfig) -> str:
    """
    >>> say(SearchConfig()), say(SearchConfig("greedy")), say(SearchConfig("sample", temperature=0.8, seed=3))
    ('beam 3 · length 0.7', 'greedy', 'sampling · temperature 0.8 · draw 3')
    """
    if config.method == "beam":
        return f"beam {config.beam} · length {config.length_preference:.1f}"
    return "greedy" if config.method == "greedy" else f"sampling · temperature {config.temperature:.1f} · draw {config.seed}"


def _controls(defaults: SearchConfig) -> SearchConfig:
    in_address = {"bind": "query-params"}
    method = _METHODS[choose_one("Method", list(_METHODS), key="method", help=_METHOD)]
    if method == "beam":
        length = min(max(defaults.length_preference, 0.0), 1.5)
        beam = st.slider("Beam", 1, 10, min(defaults.beam, 10), key="beam", help=_BEAM, **in_address)
        length = st.slider("Length preference", 0.0, 1.5, length, 0.1, key="length", help=_LENGTH, **in_address)
        return replace(defaults, beam=beam, length_preference=length)
    if method == "greedy":
        return replace(defaults, method="greedy")
    temperature = st.slider("Temperature", 0.1, 2.0, _MILD, 0.1, key="temperature", help=_TEMPERATURE, **in_address)
    seed = st.number_input("Draw", 0, 10_000, 0, key="seed", help=_SEED, **in_address)
    return replace(defaults, method="sample", temperature=temperature, seed=int(seed))
