"""The choice between the stages of training, which follows the visitor from page to page; drawn only if there are several."""

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from captioner.config import STAGES
from captioner.model.stage_folders import stage_folder, stages_in
from captioner.views.launch_options import launch_options
from captioner.views.resources import refusals

_STAGE, _STAGE_KEPT = "stage", "stage-kept"


def choose(more: str = "", where: DeltaGenerator | None = None) -> Path:
    """Draw the choice, if there is one, and return the folder of the decoders; `more` is added to its help."""
    folder = launch_options().checkpoints
    wanted, there = _wanted(folder), stages_in(folder)
    if len(there) < 2:
        return wanted
    # The address and the command line spell a stage alike. Another page has another widget, so the choice is kept beside it.
    kept = st.session_state.get(_STAGE_KEPT, st.query_params.get(_STAGE))
    st.session_state[_STAGE] = kept if kept in there else wanted.name
    about = " ".join([*(f"{STAGES[name].title}: {STAGES[name].explanation}" for name in there), more])
    chosen = (where or st).segmented_control(
        "Stage of training", there, format_func=lambda name: STAGES[name].title, required=True, key=_STAGE, help=about,
        on_change=_keep,
    )  # fmt: skip
    if chosen == wanted.name:
        st.query_params.pop(_STAGE, None)
    elif st.query_params.get(_STAGE) != chosen:
        st.query_params[_STAGE] = chosen
    return stage_folder(folder, chosen)


def title(folder: Path) -> str:
    """The title of these decoders' stage; empty if there is no other beside it."""
    return STAGES[folder.name].title if len(beside(folder)) > 1 else ""


def beside(folder: Path) -> list[Path]:
    """The decoders of all stages beside these, in the order of training."""
    return [folder.parent / name for name in stages_in(folder.parent)] if folder.name in STAGES else []


def _wanted(folder: Path) -> Path:
    """The decoders that the command line asks for; if they are missing, the page says so and takes others."""
    with refusals():
        return stage_folder(folder, launch_options().stage)
    return stage_folder(folder)


def _keep() -> None:
    st.session_state[_STAGE_KEPT] = st.session_state[_STAGE]
