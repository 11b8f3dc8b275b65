"""Altair charts of the reward stage: reward in training and CIDEr on dev."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from captioner.config import Variant
from captioner.figures.curves.histories import Curve
from captioner.figures.curves.loss_chart import BAND_OPACITY, STRENGTH
from captioner.figures.curves.loss_data import REWARDS
from captioner.figures.style import INK

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
    base = alt.Chart(reward_rows(curves, name)).encode(
        x=alt.X("epoch:Q", axis=alt.Axis(grid=False, tickMinStep=1, format="d"), scale=alt.Scale(zero=False, nice=False)),
        y=_upwards("cider", name),
        color=_by_decoder(alt.Color, shown, [variant.colour for variant in shown]),
        strokeDash=_by_decoder(alt.StrokeDash, shown, [list(variant.dash) for variant in shown]),
        tooltip=["decoder:N", "epoch:Q", alt.Tooltip("cider:Q", title=REWARDS[name], format=".3f")],
    )
    layers = [*_bands(base, curves, name), base.mark_line(strokeWidth=_WIDTHS[name]), _points(base)]
    ink = {"labelColor": INK, "titleColor": INK}
    return alt.layer(*layers).properties(height=_HEIGHT).configure_axis(**ink)


def _upwards(column: str, name: str) -> alt.Y:
    return alt.Y(f"{column}:Q", title=REWARDS[name], scale=alt.Scale(zero=False, padding=8), axis=alt.Axis(tickCount=_TICKS))


def _by_decoder(channel: Any, shown: Sequence[Variant], values: list) -> Any:
    scale = alt.Scale(domain=[variant.title for variant in shown], range=values)
    return channel("decoder:N", title=None, scale=scale, legend=None)  # The chart of the losses has one.


def _bands(base: alt.Chart, curves: Sequence[Curve], name: str) -> list[alt.Chart]:
    """The range over several seeds."""
    if all(len(curve.histories) == 1 for curve in curves):
        return []
    ends = {"y": _upwards("low", name), "y2": "high:Q", "strokeDash": alt.StrokeDashValue([1, 0])}
    return [base.mark_area(opacity=BAND_OPACITY).encode(**ends)]


def _points(base: alt.Chart) -> alt.Chart:
    size = alt.condition("datum.best", alt.value(150), alt.value(30))
    return base.mark_point(filled=True, opacity=1).encode(size=size, strokeDash=alt.StrokeDashValue([1, 0]))


def reward_summary(curves: Sequence[Curve], name: str) -> str:
    """A text alternative of the chart."""
    said = (_in_words(curve, name) for curve in curves if curve.rewarded)
    return f"{REWARDS[name][:1].upper()}{REWARDS[name][1:]} after each epoch of reward. {' '.join(said)}"


def _in_words(curve: Curve, name: str) -> str:
    first, last, best = (getattr(point, name).mean for point in (curve.rewarded[0], curve.rewarded[-1], curve.best))
    return f"{curve.variant.title}: from {first:.3f} to {last:.3f}; {best:.3f} in the best epoch, {curve.best.epoch}."
