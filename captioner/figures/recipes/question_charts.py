"""Charts behind `captioner.figures.recipes.dimensions_question`. Knows no Streamlit."""

import altair as alt
import pandas as pd

from captioner.config import Variant, find_variant
from captioner.figures.style import FONT, INK, POINT, axis, by_variant, legend, number

POINTS = "A point is one run; a line connects the means over the seeds."
_DASHES = {300: [1, 0], 100: [8, 3], 50: [4, 3], 10: [1, 3]}
_HEIGHT, _LEGEND = 340, 90  # The legend below a chart takes part of its height.


def rows(found: pd.DataFrame) -> pd.DataFrame:
    """The training loss of every run after every epoch that all seeds of its setting reached."""
    reached = found.losses.map(len).groupby([found.variant, found.dimensions]).transform("min")
    losses = [
        (find_variant(run.variant).title, run.dimensions, run.seed, epoch, loss)
        for run, epochs in zip(found.itertuples(), reached, strict=True)
        for epoch, loss in enumerate(run.losses[:epochs], 1)
    ]
    return pd.DataFrame(losses, columns=["vectors", "dimensions", "seed", "epoch", "loss"])


def end_chart(found: pd.DataFrame) -> alt.LayerChart:
    """A point for each run after the last epoch that all reached, a line through the means of a table's widths."""
    epochs, table, variants = found.epochs.max(), rows(found), _variants(found)
    base = alt.Chart(table[table.epoch == epochs]).encode(
        x=alt.X("dimensions:O", title="numbers a word", axis=axis(labelAngle=0)),
        color=by_variant("colour", "vectors", variants, legend=_key()),
    )
    up = {"scale": alt.Scale(zero=False, padding=12), "title": f"training loss after {epochs} epochs"}
    dash = by_variant("dash", "vectors", variants, legend=None)
    lines = base.mark_line(strokeWidth=2.5).encode(y=alt.Y("mean(loss):Q", axis=axis(tickCount=5), **up), strokeDash=dash)
    tips = ["vectors:N", "dimensions:O", "seed:O", alt.Tooltip("loss:Q", format=".3f")]
    points = base.mark_point(filled=True, size=POINT, opacity=1).encode(y=alt.Y("loss:Q", **up), tooltip=tips)
    return alt.layer(lines, points).properties(height=_HEIGHT)


def chart(found: pd.DataFrame) -> alt.LayerChart:
    """All curves, means over the seeds: a colour for each table, a dash for each width, bands from seed to seed."""
    widths = sorted(found.dimensions.unique().tolist(), reverse=True)
    dashes = alt.Scale(domain=widths, range=[_DASHES[width] for width in widths])
    key = alt.Legend(orient="bottom", title="numbers a word", symbolType="stroke", symbolSize=400, labelFontSize=FONT)
    across = alt.X("epoch:Q", axis=axis(tickMinStep=1), scale=alt.Scale(nice=False))
    colour = by_variant("colour", "vectors", _variants(found), legend=_key())
    base = alt.Chart(rows(found)).encode(x=across, color=colour, detail="dimensions:N")
    up = {"title": "training loss", "axis": axis(tickCount=5), "scale": alt.Scale(zero=False)}
    tips = ["vectors:N", "dimensions:N", "epoch:Q", alt.Tooltip("mean(loss):Q", title="loss", format=".3f")]
    dash = alt.StrokeDash("dimensions:N", scale=dashes, legend=key)
    lines = base.mark_line(strokeWidth=2.5).encode(y=alt.Y("mean(loss):Q", **up), strokeDash=dash, tooltip=tips)
    bands = base.mark_area(opacity=0.15).encode(y=alt.Y("min(loss):Q", **up), y2="max(loss):Q")
    shown = alt.layer(bands, lines).properties(height=_HEIGHT + _LEGEND)
    return shown.configure_legend(labelColor=INK, titleColor=INK, titleFontSize=FONT)


def _variants(found: pd.DataFrame) -> list[Variant]:
    return [find_variant(name) for name in found.variant.unique()]


def _key() -> alt.Legend:
    """Without a stroke width the dashes are not drawn around the points of the legend."""
    return legend(symbolSize=POINT, symbolStrokeWidth=0, symbolOpacity=1)


def summary(found: pd.DataFrame) -> str:
    """Alternative text for the chart."""
    table = rows(found)
    last = table[table.epoch == table.groupby(["vectors", "dimensions"]).epoch.transform("max")]
    means = last.groupby(["vectors", "dimensions"], sort=False).loss.mean()
    ends = (f"{vectors}, {width} {number(mean)}" for (vectors, width), mean in means.items())
    return f"Training losses by epoch; at their ends: {'; '.join(ends)}."
