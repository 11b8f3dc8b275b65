"""The second page: how the loss of the three decoders fell while they were trained. Needs no TensorFlow."""

import html
import math

import streamlit as st

from captioner.charts import History, loss_curves, loss_table, read_histories, summary
from captioner.views import cards
from captioner.views.resources import checkpoints_folder, open_page, refuse


def show() -> None:
    open_page("How the three decoders learned")
    st.markdown(
        "The loss says how surprised a decoder is, on average, by the next word that a person wrote. "
        "**Strong lines**: photographs it was not trained on (dev). **Thin lines**: its training photographs. "
        "The dot marks the best epoch, whose weights are kept."
    )
    histories, problems = read_histories(checkpoints_folder())
    for problem in problems:
        refuse(problem)
    if histories:
        st.altair_chart(loss_curves(histories, _first_epoch(histories)), alt=summary(histories))
        _show_cards(histories)
        with st.expander("The same as a table"):
            st.dataframe(loss_table(histories).style.format("{:.3f}", na_rep=""), alt=summary(histories))


def _first_epoch(histories: list[History]) -> int:
    """Ask where the curves start; without their steep beginning the small differences at the end can be seen."""
    latest = max(epoch.epoch for history in histories for epoch in history.epochs) - 1
    if latest < 2:
        return 1
    about = "Losses fall steeply at first. Start later to see how far the decoders lie apart in the end."
    return st.slider("First epoch shown", 1, latest, 1, key="from", bind="query-params", help=about, width=320)


def _show_cards(histories: list[History]) -> None:
    for column, history in zip(st.columns(len(histories)), histories, strict=True):
        with column.container(border=True, height="stretch"):
            st.html(cards.heading(history.variant) + _facts(history))


def _facts(history: History) -> str:
    """The best loss, and what it means as a choice between equally likely words."""
    state = {"running": " so far; training goes on", "stopped": "; training was stopped"}.get(history.state, "")
    return (
        f'<p class="sentence">{history.best.dev_loss:.2f}</p>'
        f"<p>best dev loss, in epoch {history.best_epoch} of {len(history.epochs)}{html.escape(state)}: as unsure as between "
        f"{math.exp(history.best.dev_loss):.0f} equally likely words. {cards.duration(history.seconds_per_epoch)} an epoch.</p>"
    )
