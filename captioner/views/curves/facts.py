"""What stands around the curves: the run's settings and parameters beside them, and a card for each decoder below."""

import html
import math

import streamlit as st

from captioner.config import VARIANTS
from captioner.figures.curves.histories import INTERRUPTED, RUNNING, STOPPED, Band, Curve
from captioner.figures.decoder.settings_in_words import Settings, in_words
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
    if any(curve.earlier for curve in curves):
        last = "the stage of reward" if any(curve.rewarded for curve in curves) else "its second stage"
        st.markdown(f"Those of {last}; the first stage had its own.")
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
    """The best figure on dev, and the loss there with what it means as a choice between equally likely words."""
    loss, cider = curve.best.dev, curve.best.dev_cider
    unsure = f"as unsure as between {_some(math.exp(loss.mean))} equally likely words"
    if cider:
        number, told = f"{cider.mean:.3f}", f"best dev CIDEr (greedy), {_when(curve, cider)}; there the loss is {loss.mean:.2f}"
    else:
        number, told = f"{loss.mean:.2f}", f"best dev loss, {_when(curve, loss)}"
    seconds = cards.duration(curve.seconds_per_epoch)
    return f'<p class="sentence">{number}</p><p>{told}: {unsure}. {seconds} an epoch.</p>'


def _when(curve: Curve, best: Band) -> str:
    """In which epoch, whether training goes on, and over which seeds."""
    count = len(curve.histories)
    over = f", the mean of {count} seeds from {best.low:.2f} to {best.high:.2f}" if count > 1 else ""
    return f"in epoch {curve.best.epoch} of {len(curve.points)}{_STATES.get(curve.state, '')}{over}"


def _some(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}"
