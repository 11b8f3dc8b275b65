"""The choice between the stages of training, which follows the visitor from page to page; drawn where several are there."""

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from captioner.config import STAGES
from captioner.errors import CheckpointError
from captioner.model.checkpoints import stage_folder, stages_in
from captioner.views.launch_options import launch_options
from captioner.views.resources import refuse

_STAGE, _STAGE_KEPT = "stage", "stage-kept"


def choose(more: str = "", where: DeltaGenerator | None = None) -> Path:
    """Draw the choice, if there is one, and return the folder of the decoders; `more` is told in its help."""
    folder = launch_options().checkpoints
    wanted, there = _wanted(folder), stages_in(folder)
    if len(there) < 2:
        return wanted
    # The address and the command line spell a stage alike. A widget of another page is another one, so its choice is kept.
    kept = st.session_state.get(_STAGE_KEPT, st.query_params.get(_STAGE))
    st.session_state[_STAGE] = kept if kept in there else wanted.name
    chosen = (where or st).segmented_control(
        "Stage of training", there, format_func=_title, required=True, key=_STAGE, help=_explain(there, more), on_change=_keep
    )
    if chosen == wanted.name:
        st.query_params.pop(_STAGE, None)
    elif st.query_params.get(_STAGE) != chosen:
        st.query_params[_STAGE] = chosen
    return stage_folder(folder, chosen)


def title(folder: Path) -> str:
    """What the stage of these decoders is called; nothing where there is no other beside it."""
    return STAGES[folder.name].title if len(beside(folder)) > 1 else ""


def beside(folder: Path) -> list[Path]:
    """The decoders of all stages that lie side by side with these, in the order of training."""
    return [folder.parent / name for name in stages_in(folder.parent)] if folder.name in STAGES else []


def _wanted(folder: Path) -> Path:
    """The decoders that the command line asks for; where there are none such, the page says so and takes what is there."""
    try:
        return stage_folder(folder, launch_options().stage)
    except CheckpointError as error:
        refuse(error)
        return stage_folder(folder)


def _title(name: str) -> str:
    return STAGES[name].title


def _explain(there: tuple[str, ...], more: str) -> str:
    return " ".join([*(f"{STAGES[name].title}: {STAGES[name].explanation}" for name in there), more])


def _keep() -> None:
    st.session_state[_STAGE_KEPT] = st.session_state[_STAGE]
