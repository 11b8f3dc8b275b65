"""What stands around the curves: the run's settings and parameters beside them, and a card for each decoder below."""

import html
import math

import streamlit as st

from captioner.config import VARIANTS
from captioner.figures.histories import INTERRUPTED, RUNNING, STOPPED, Curve
from captioner.figures.settings import Settings, in_words
from captioner.views import cards
from captioner.views.html_tables import row, table

_STATES = {
    RUNNING: " so far; training goes on",
    STOPPED: "; training was stopped",
    INTERRUPTED: "; training was interrupted",
}


def show_settings(curves: list[Curve], settings: list[Settings]) -> None:
    st.header("Settings of this run", anchor=False)
    if not settings:
        st.markdown("There are none beside its curves; they are written when a decoder is finished.")
        return
    staged = [curve for curve in curves if curve.earlier]
    if staged:
        st.markdown("Those of its second stage; the first had its own.")
    rows = "".join(f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>" for name, value in in_words(settings))
    st.html(f'<dl class="settings">{rows}</dl>{_counts(settings)}')


def _counts(settings: list[Settings]) -> str:
    """The parameters as a small table."""
    rows = (
        row(f"{html.escape(one.title)}{cards.rule(one)}", f"{each.parameters.trainable:,}", f"{each.parameters.frozen:,}")
        for each in settings
        for one in [each.variant]
    )
    about = "Numbers in each decoder (parameters), without the frozen CNN that all share"
    return table(["decoder", "trained", "frozen"], rows, about, "counts")


def show_cards(curves: list[Curve]) -> None:
    for column, curve in zip(st.columns(len(VARIANTS)), curves, strict=False):
        with column.container(border=True, height="stretch"):
            st.html(cards.heading(curve.variant) + _facts(curve))


def _facts(curve: Curve) -> str:
    """The best loss, and what it means as a choice between equally likely words."""
    best, count = curve.best.dev, len(curve.histories)
    over = f", the mean of {count} seeds from {best.low:.2f} to {best.high:.2f}" if count > 1 else ""
    return (
        f'<p class="sentence">{best.mean:.2f}</p>'
        f"<p>best dev loss, in epoch {curve.best.epoch} of {len(curve.points)}{_STATES.get(curve.state, '')}{over}: as unsure as "
        f"between {_some(math.exp(best.mean))} equally likely words. {cards.duration(curve.seconds_per_epoch)} an epoch.</p>"
    )


def _some(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}"
