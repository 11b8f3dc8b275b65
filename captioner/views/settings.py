"""How the captions are looked for: the controls, folded away. They live in the page's address, so that a link holds them."""

from dataclasses import replace

import streamlit as st

from captioner.config import SearchConfig

_METHODS = {"Beam": "beam", "Greedy": "greedy", "Sampling": "sample"}  # As it stands on the page and in the address.
_METHOD = (
    "Beam search follows several sentences at once and takes the likeliest, greedy takes the likeliest word each time, and "
    "sampling draws each word by lot."
)
_BEAM = "How many unfinished sentences are kept at each word; with 1 it takes the likeliest word and never looks back."
_LENGTH = (
    "Every further word makes a sentence less likely, so the plain probability (0) prefers short ones; towards 1 the mean over "
    "the words counts."
)
_TEMPERATURE = "Below 1 the likely words are drawn even more often; above 1 the unlikely ones get more of a chance."
_SEED = "The number of the draw: the same number gives the same words again, another one another draw."


def choose(defaults: SearchConfig) -> SearchConfig:
    """Draw the controls and return the setting."""
    with st.container(horizontal=True, vertical_alignment="center", width="content", gap="xsmall"):
        with st.popover("Settings"):
            config = _controls(defaults)
        st.caption(say(config))
    return config


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
    chosen = st.segmented_control(
        "Method", list(_METHODS), default="Beam", required=True, key="method", help=_METHOD, **in_address
    )
    method = _METHODS[chosen]
    if method == "beam":
        length = min(max(defaults.length_preference, 0.0), 1.5)
        beam = st.slider("Beam", 1, 10, min(defaults.beam, 10), key="beam", help=_BEAM, **in_address)
        length = st.slider("Length preference", 0.0, 1.5, length, 0.1, key="length", help=_LENGTH, **in_address)
        return replace(defaults, beam=beam, length_preference=length)
    if method == "greedy":
        return replace(defaults, method="greedy")
    temperature = st.slider("Temperature", 0.1, 2.0, 1.0, 0.1, key="temperature", help=_TEMPERATURE, **in_address)
    seed = st.number_input("Draw", 0, 10_000, 0, key="seed", help=_SEED, **in_address)
    return replace(defaults, method="sample", temperature=temperature, seed=int(seed))
