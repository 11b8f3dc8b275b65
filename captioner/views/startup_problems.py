"""Why the decoders do not work, in plain words: what the doctor found to be wrong, and what to do about it."""

import html
from pathlib import Path

import streamlit as st

from captioner.reports.doctor import Finding, examine
from captioner.views.launch_options import hide_server_paths, launch_options

_KEPT_SECONDS = 30  # Reloading a broken page does not examine everything again.


def show() -> None:
    """Examine the installation, and list what is wrong with it."""
    options = launch_options()
    wrong = [finding for finding in _examined(options.checkpoints, options.encoder_weights) if not finding.fine]
    st.header("What keeps the decoders from working", anchor=False)
    if not wrong:
        st.markdown("Nothing is wrong any more. Load this page again.")
    for finding in wrong:
        st.html(f'<p class="refusal" role="alert">{html.escape(hide_server_paths(_sentence(finding)))}</p>')
    st.caption("The same is told, of everything that was looked at, by the command python -m captioner doctor.")


def _sentence(finding: Finding) -> str:
    """Only the type of a foreign error: its message may name paths of the server."""
    says = finding.says.partition(":")[0] + "." if finding.foreign else finding.says
    return f"{finding.what}: {says} {finding.advice}".strip()


@st.cache_data(ttl=_KEPT_SECONDS, max_entries=4, show_spinner="Looking for what is wrong: some seconds.")
def _examined(folder: Path, weights: Path | None) -> list[Finding]:
    return list(examine(folder, weights))
