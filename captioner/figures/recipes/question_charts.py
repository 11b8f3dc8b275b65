"""Charts and the table behind `captioner.figures.recipes.dimensions_question`. Knows no Streamlit."""

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from captioner.figures.recipes.dimensions_question import Group, cells, reached
from captioner.figures.style import FONT, INK, POINT, axis, legend, number

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

POINTS = "A point is one run; a line connects the means over the seeds."
_DASHES = {300: [1, 0], 100: [8, 3], 50: [4, 3], 10: [1, 3]}
_HEIGHT, _LEGEND = 340, 90  # The legend below a chart takes part of its height.


def as_table(found: Sequence[Group]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame.from_dict(cells(found), orient="index").rename_axis("vectors, dimensions")


def rows(found: Sequence[Group]) -> "pd.DataFrame":
    """The training loss of every run after every epoch that all seeds of its group reached."""
    import pandas as pd

    losses = [
        (group.variant.title, group.dimensions, record.seed, epoch, record.losses[epoch - 1][0])
        for group in found
        for record in group.records
        for epoch in range(1, reached([group]) + 1)
    ]
    return pd.DataFrame(losses, columns=["vectors", "dimensions", "seed", "epoch", "loss"])


def end_chart(found: Sequence[Group]) -> "alt.LayerChart":
    """A point for each run after the last epoch that all reached, a line through the means of a table's widths."""
    import altair as alt

    table = rows(found)
    base = alt.Chart(table[table.epoch == reached(found)]).encode(
        x=alt.X("dimensions:O", title="numbers a word", axis=axis(labelAngle=0)),
        color=_by_table(alt.Color, found, "colour"),
    )
    up = {"scale": alt.Scale(zero=False, padding=12), "title": f"training loss after {reached(found)} epochs"}
    lines = base.mark_line(strokeWidth=2.5).encode(
        y=alt.Y("mean(loss):Q", axis=axis(tickCount=5), **up), strokeDash=_by_table(alt.StrokeDash, found, "dash", legend=None)
    )
    tips = ["vectors:N", "dimensions:O", "seed:O", alt.Tooltip("loss:Q", format=".3f")]
    points = base.mark_point(filled=True, size=POINT, opacity=1).encode(y=alt.Y("loss:Q", **up), tooltip=tips)
    return alt.layer(lines, points).properties(height=_HEIGHT)


def _by_table(channel: type, found: Sequence[Group], what: str, **more: Any) -> Any:
    """A channel for the kind of table: the colours or dashes of the variants."""
    import altair as alt

    variants = {group.variant.title: group.variant for group in found}
    values = [getattr(variant, what) for variant in variants.values()]
    scale = alt.Scale(domain=list(variants), range=[value if what == "colour" else list(value) for value in values])
    # Without a stroke width the dashes are not drawn around the points of the legend.
    key = legend(symbolSize=POINT, symbolStrokeWidth=0, symbolOpacity=1)
    return channel("vectors:N", scale=scale, **({"legend": key} | more))


def chart(found: Sequence[Group]) -> "alt.LayerChart":
    """All curves, means over the seeds: a colour for each table, a dash for each width, bands from seed to seed."""
    import altair as alt

    widths = sorted({group.dimensions for group in found}, reverse=True)
    dashes = alt.Scale(domain=widths, range=[_DASHES[width] for width in widths])
    key = alt.Legend(orient="bottom", title="numbers a word", symbolType="stroke", symbolSize=400, labelFontSize=FONT)
    across = alt.X("epoch:Q", axis=axis(tickMinStep=1), scale=alt.Scale(nice=False))
    base = alt.Chart(rows(found)).encode(x=across, color=_by_table(alt.Color, found, "colour"), detail="dimensions:N")
    up = {"title": "training loss", "axis": axis(tickCount=5), "scale": alt.Scale(zero=False)}
    tips = ["vectors:N", "dimensions:N", "epoch:Q", alt.Tooltip("mean(loss):Q", title="loss", format=".3f")]
    dash = alt.StrokeDash("dimensions:N", scale=dashes, legend=key)
    lines = base.mark_line(strokeWidth=2.5).encode(y=alt.Y("mean(loss):Q", **up), strokeDash=dash, tooltip=tips)
    bands = base.mark_area(opacity=0.15).encode(y=alt.Y("min(loss):Q", **up), y2="max(loss):Q")
    shown = alt.layer(bands, lines).properties(height=_HEIGHT + _LEGEND)
    return shown.configure_legend(labelColor=INK, titleColor=INK, titleFontSize=FONT)


def summary(found: Sequence[Group]) -> str:
    """Alternative text for the chart."""
    ends = (f"{group.variant.title}, {group.dimensions} {number(fmean(group.losses(reached([group]))))}" for group in found)
    return f"Training losses by epoch; at their ends: {'; '.join(ends)}."
