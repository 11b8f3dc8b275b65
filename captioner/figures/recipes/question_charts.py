"""Charts and the table of the open question, over the groups of `captioner.figures.recipes.dimensions_question`. Knows no Streamlit."""

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from captioner.figures.recipes.dimensions_question import Group, reached
from captioner.figures.style import FONT, INK, POINT, axis, legend, number

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

_DASHES = {300: [1, 0], 100: [8, 3], 50: [4, 3], 10: [1, 3]}
POINTS = "A point is one training; a line goes through the means over the seeds, from one number of dimensions to the next."
_HEIGHT, _LEGEND = 340, 90  # The legend below a chart takes of its height.


def as_table(found: Sequence[Group], epochs: int) -> "pd.DataFrame":
    """A row for each table and width: how its trainings went, over its seeds."""
    import pandas as pd

    rows = {
        group.name: {
            "seeds": len(group.records),
            f"training loss after {epochs} epochs": fmean(group.losses(epochs)),
            "least dev loss": fmean(min(dev for _, dev in record.losses) for record in group.records),
            "test CIDEr": group.cider,
        }
        for group in found
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("vectors, dimensions")


def end_rows(found: Sequence[Group]) -> "pd.DataFrame":
    """Every training, with its loss after the last epoch that all have reached."""
    import pandas as pd

    epochs = reached(found)
    rows = [
        (group.variant.title, group.dimensions, record.seed, loss)
        for group in found
        for record, loss in zip(group.records, group.losses(epochs), strict=True)
    ]
    return pd.DataFrame(rows, columns=["vectors", "dimensions", "seed", "loss"])


def end_chart(found: Sequence[Group]) -> "alt.LayerChart":
    """A point for each training, a line through the means of a table's widths."""
    import altair as alt

    base = alt.Chart(end_rows(found)).encode(
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
    """A channel that tells the tables apart, by the colour or the dash of their variants."""
    import altair as alt

    variants = {group.variant.title: group.variant for group in found}
    values = [getattr(variant, what) for variant in variants.values()]
    scale = alt.Scale(domain=list(variants), range=[value if what == "colour" else list(value) for value in values])
    # Dashes in the legend would be drawn around its points.
    key = legend(symbolSize=POINT, symbolStrokeWidth=0, symbolOpacity=1)
    return channel("vectors:N", scale=scale, **({"legend": key} | more))


def curve_rows(found: Sequence[Group]) -> "pd.DataFrame":
    """The training loss of every epoch that all seeds of a group have: their mean, and between which they lie."""
    import pandas as pd

    columns = ["vectors", "dimensions", "epoch", "loss", "low", "high"]
    return pd.DataFrame([row for group in found for row in _curve(group)], columns=columns)


def _curve(group: Group) -> Iterator[tuple]:
    for epoch in range(1, reached([group]) + 1):
        losses = group.losses(epoch)
        yield group.variant.title, group.dimensions, epoch, fmean(losses), min(losses), max(losses)


def chart(found: Sequence[Group]) -> "alt.LayerChart":
    """All curves: a colour for each table, a dash for each width; bands reach from seed to seed."""
    import altair as alt

    rows = curve_rows(found)
    widths = sorted(set(rows.dimensions), reverse=True)
    dashes = alt.Scale(domain=widths, range=[_DASHES[width] for width in widths])
    key = alt.Legend(orient="bottom", title="numbers a word", symbolType="stroke", symbolSize=400, labelFontSize=FONT)
    across = alt.X("epoch:Q", axis=axis(tickMinStep=1), scale=alt.Scale(nice=False))
    base = alt.Chart(rows).encode(x=across, color=_by_table(alt.Color, found, "colour"), detail="dimensions:N")
    up = {"title": "training loss", "axis": axis(tickCount=5), "scale": alt.Scale(zero=False)}
    tips = ["vectors:N", "dimensions:N", "epoch:Q", alt.Tooltip("loss:Q", format=".3f")]
    dash = alt.StrokeDash("dimensions:N", scale=dashes, legend=key)
    lines = base.mark_line(strokeWidth=2.5).encode(y=alt.Y("loss:Q", **up), strokeDash=dash, tooltip=tips)
    bands = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", **up), y2="high:Q")
    shown = alt.layer(bands, lines).properties(height=_HEIGHT + _LEGEND)
    return shown.configure_legend(labelColor=INK, titleColor=INK, titleFontSize=FONT)


def summary(found: Sequence[Group]) -> str:
    """The chart in words, for who cannot see it."""
    ends = (f"{group.name} {number(fmean(group.losses(reached([group]))))}" for group in found)
    return f"Training losses by epoch; at their ends: {'; '.join(ends)}."
