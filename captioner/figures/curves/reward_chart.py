"""Altair charts of the reward stage: reward in training and CIDEr on dev."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from captioner.figures.curves.histories import Curve
from captioner.figures.curves.loss_chart import BAND_OPACITY, SOLID, STRENGTH
from captioner.figures.curves.loss_data import REWARDS
from captioner.figures.style import INK, by_variant

_WIDTHS = {"reward": STRENGTH["training"], "dev_cider": STRENGTH["dev"]}
_HEIGHT, _TICKS = 300, 6


def reward_rows(curves: Sequence[Curve], name: str) -> pd.DataFrame:
    """One row per decoder and epoch: mean and range over the seeds, and whether it is the best epoch."""
    rows = [
        (curve.variant.title, point.epoch, band.mean, band.low, band.high, point == curve.best)
        for curve in curves
        for point in curve.rewarded
        for band in [getattr(point, name)]
    ]
    return pd.DataFrame(rows, columns=["decoder", "epoch", "cider", "low", "high", "best"])


def reward_chart(curves: Sequence[Curve], name: str) -> alt.LayerChart:
    """One of the two figures in each decoder's colour and dashes; the best epoch has a large dot."""
    shown = [curve.variant for curve in curves if curve.rewarded]
    upwards = {"title": REWARDS[name], "scale": alt.Scale(zero=False, padding=8), "axis": alt.Axis(tickCount=_TICKS)}
    base = alt.Chart(reward_rows(curves, name)).encode(
        x=alt.X("epoch:Q", axis=alt.Axis(grid=False, tickMinStep=1, format="d"), scale=alt.Scale(zero=False, nice=False)),
        y=alt.Y("cider:Q", **upwards),
        color=by_variant("colour", "decoder", shown, title=None, legend=None),  # The chart of the losses has a legend.
        strokeDash=by_variant("dash", "decoder", shown, title=None, legend=None),
        tooltip=["decoder:N", "epoch:Q", alt.Tooltip("cider:Q", title=REWARDS[name], format=".3f")],
    )
    band = base.mark_area(opacity=BAND_OPACITY).encode(y=alt.Y("low:Q", **upwards), y2="high:Q", strokeDash=SOLID)
    bands = [band] if any(len(curve.histories) > 1 for curve in curves) else []
    size = alt.condition("datum.best", alt.value(150), alt.value(30))
    points = base.mark_point(filled=True, opacity=1).encode(size=size, strokeDash=SOLID)
    chart = alt.layer(*bands, base.mark_line(strokeWidth=_WIDTHS[name]), points).properties(height=_HEIGHT)
    return chart.configure_axis(labelColor=INK, titleColor=INK)


def reward_summary(curves: Sequence[Curve], name: str) -> str:
    """A text alternative of the chart."""
    said = (_in_words(curve, name) for curve in curves if curve.rewarded)
    return f"{REWARDS[name][:1].upper()}{REWARDS[name][1:]} after each epoch of reward. {' '.join(said)}"


def _in_words(curve: Curve, name: str) -> str:
    first, last, best = (getattr(point, name).mean for point in (curve.rewarded[0], curve.rewarded[-1], curve.best))
    return f"{curve.variant.title}: from {first:.3f} to {last:.3f}; {best:.3f} in the best epoch, {curve.best.epoch}."
