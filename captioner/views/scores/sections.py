"""What the sections of the Scores page are made of: sentences, and charts with their tables."""

from typing import Any

import streamlit as st

from captioner.views.scores.score_cards import paragraph


def say(text: str, style: str = "beside") -> None:
    if text:
        st.html(paragraph(text, style))


def draw(chart: Any, summary: str, title: str, table: Any, **more: Any) -> None:
    """A chart with the same as a table folded away below it; the summary describes both."""
    st.altair_chart(chart, alt=summary)
    with st.expander(title):
        st.dataframe(table, alt=summary, **more)
