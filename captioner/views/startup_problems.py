"""Why the app cannot start, in plain words: what the doctor found to be wrong, and what to do about each thing."""

import html
from pathlib import Path

import streamlit as st

from captioner.reports.doctor import Finding, examine
from captioner.views.launch_options import named_encoder_weights, without_places

_KEPT_SECONDS = 30  # Whoever reloads a broken page does not have all of it looked over each time.


def show(folder: Path) -> None:
    """Look the installation over, and list what is wrong with it."""
    wrong = [finding for finding in _examined(folder) if not finding.fine]
    st.header("What keeps the decoders from working", anchor=False)
    if not wrong:
        st.markdown("Nothing is wrong any more. Load this page again.")
    for finding in wrong:
        st.html(f'<p class="refusal" role="alert">{html.escape(without_places(_told(finding)))}</p>')
    st.caption("The same is told, of everything that was looked at, by the command python -m captioner doctor.")


def _told(finding: Finding) -> str:
    """Of messages that are not ours only what they are of: they may name places on the server."""
    says = finding.says.partition(":")[0] + "." if finding.foreign else finding.says
    return f"{finding.what}: {says} {finding.advice}".strip()


@st.cache_data(ttl=_KEPT_SECONDS, max_entries=4, show_spinner="Looking for what is wrong: some seconds.")
def _examined(folder: Path) -> list[Finding]:
    return list(examine(folder, named_encoder_weights()))
