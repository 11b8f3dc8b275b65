"""The loss curves as an Altair chart that follows the theme; `captioner.figures.curves.loss_data` computes its numbers."""

import altair as alt
import pandas as pd

from captioner.figures.curves.loss_data import EPOCHS, SPLITS, LossPlot
from captioner.figures.style import INK, by_variant

STRENGTH = {"training": 1.5, "dev": 3.5}  # widths of the lines
COURSE_WIDTH = 1.0
RAW_OPACITY, BAND_OPACITY = 0.3, 0.18
SOLID = alt.StrokeDashValue([1, 0])
_OPACITY = {"training": 0.85, "dev": 1.0}
_HEIGHT, _TICKS = 500, 8


def loss_chart(plot: LossPlot) -> alt.LayerChart:
    """Strong lines for dev, thin ones for training, in each decoder's colour and dashes; best epochs as named dots."""
    base = _base(plot)
    layers = [
        *_bands(base, plot),
        *_second_stage(plot),
        *_raw(base, plot),
        *(_line(base, split, _OPACITY[split]) for split in SPLITS),
        *_course(base, plot),
        *_bests(base, plot),
        _hover(base, plot),
    ]
    ink = {"labelColor": INK, "titleColor": INK}
    return alt.layer(*layers).properties(height=_HEIGHT).configure_axis(**ink).configure_legend(**ink)


def _base(plot: LossPlot) -> alt.Chart:
    legend = alt.Legend(
        orient="top",
        symbolType="stroke",
        symbolSize=500,
        symbolStrokeWidth=3.5,
        symbolOpacity=1,
        labelFontSize=13,
        columnPadding=2,
    )
    return alt.Chart(plot.lines).encode(
        x=_across(plot),
        y=_upwards(plot, "loss"),
        color=by_variant("colour", "decoder", plot.variants, title=None, legend=legend),
        strokeDash=by_variant("dash", "decoder", plot.variants, title=None, legend=legend),
    )


def _upwards(plot: LossPlot, column: str) -> alt.Y:
    scale = plot.scale
    kind = {"type": "log"} if scale.log else {"zero": False}
    losses = alt.Scale(domain=[scale.low, scale.high], nice=False, **kind)
    return alt.Y(f"{column}:Q", title="loss per word (nats)", scale=losses, axis=alt.Axis(tickCount=_TICKS, format="~g"))


def _across(plot: LossPlot) -> alt.X:
    whole = {"tickMinStep": 1, "format": "d"} if plot.view.axis == EPOCHS else {}
    axis = alt.Axis(grid=False, tickCount=_TICKS, **whole)
    title = "epoch" if plot.view.axis == EPOCHS else "minutes of training"
    return alt.X("place:Q", title=title, axis=axis, scale=alt.Scale(domain=list(plot.places), nice=False))


def _line(base: alt.Chart, split: str, opacity: float) -> alt.Chart:
    return base.transform_filter(f"datum.split == '{split}'").mark_line(strokeWidth=STRENGTH[split], opacity=opacity)


def _raw(base: alt.Chart, plot: LossPlot) -> list[alt.Chart]:
    """Faint measured lines behind the smoothed ones."""
    if not plot.view.smoothed:
        return []
    return [_line(base, split, RAW_OPACITY).encode(y=_upwards(plot, "raw")) for split in SPLITS]


def _bands(base: alt.Chart, plot: LossPlot) -> list[alt.Chart]:
    """The range over several seeds."""
    if all(len(curve.histories) == 1 for curve in plot.curves):
        return []
    areas = (base.transform_filter(f"datum.split == '{split}'") for split in SPLITS)
    ends = {"y": _upwards(plot, "low"), "y2": "high:Q"}
    return [area.mark_area(opacity=BAND_OPACITY).encode(**ends, strokeDash=SOLID) for area in areas]


def _bests(base: alt.Chart, plot: LossPlot) -> list[alt.Chart]:
    if not plot.labels:
        return []
    marked = base.properties(data=_label_rows(plot))
    pole = marked.mark_rule(opacity=0.45).encode(y2="name_at:Q", color=alt.value(INK), strokeDash=SOLID)
    dots = marked.mark_point(size=150, filled=True, opacity=1).encode(strokeDash=SOLID)
    return [pole, dots, *(_names(marked, plot, *side) for side in (("right", -7), ("left", 7)))]


def _names(marked: alt.Chart, plot: LossPlot, align: str, aside: int) -> alt.Chart:
    """The names to the left of their poles, or those to the right."""
    chosen = marked.transform_filter(f"datum.align == '{align}'")
    text = chosen.mark_text(align=align, dx=aside, fontSize=13, fontWeight=600)
    return text.encode(y=_upwards(plot, "name_at"), text="text:N", color=alt.value(INK), strokeDash=SOLID)


def _label_rows(plot: LossPlot) -> pd.DataFrame:
    rows = [
        (each.variant.title, each.place, each.loss, each.name_at, each.text, "right" if each.to_the_left else "left")
        for each in plot.labels
    ]
    return pd.DataFrame(rows, columns=["decoder", "place", "loss", "name_at", "text", "align"])


def _second_stage(plot: LossPlot) -> list[alt.Chart]:
    """A faint vertical rule where a second stage begins; several names are stacked."""
    layers = []
    for number, (place, text) in enumerate(plot.second_stage):
        chart = alt.Chart(pd.DataFrame({"place": [place], "text": [f"{text} begins"]})).encode(x=_across(plot))
        name = chart.mark_text(align="right", dx=-6, dy=-10 - 18 * number, fontSize=13, color=INK)
        layers.append(chart.mark_rule(color=INK, opacity=0.35, strokeDash=[2, 2]))
        layers.append(name.encode(y=alt.value("height"), text="text:N"))
    return layers


def _course(base: alt.Chart, plot: LossPlot) -> list[alt.Chart]:
    """The course project's curves, thin with markers, named at their ends."""
    rows = plot.course_lines
    if rows.empty:
        return []
    lines = base.properties(data=rows).encode(strokeDash=SOLID)
    beaded = lines.mark_line(strokeWidth=COURSE_WIDTH, point={"shape": "diamond", "size": 22, "filled": False, "strokeWidth": 1})
    ends = base.properties(data=rows.groupby("name").tail(1))
    names = ends.mark_text(align="right", dy=-16, fontSize=13, color=INK)
    return [beaded, names.encode(text="name:N", color=alt.value(INK), strokeDash=SOLID)]


def _hover(base: alt.Chart, plot: LossPlot) -> alt.Chart:
    """A rule at the epoch under the pointer, with the measured losses as a tooltip."""
    rows = hover_rows(plot)
    near = alt.selection_point(fields=["place"], nearest=True, on="pointerover", empty=False, clear="pointerout")
    told = [alt.Tooltip(column, type="nominal") for column in rows.columns.drop("place")]
    opacity = alt.condition(near, alt.value(0.8), alt.value(0))
    chart = alt.Chart(rows).mark_rule(strokeWidth=1.5, color=INK).encode(x=_across(plot), opacity=opacity, tooltip=told)
    return chart.add_params(near)


def hover_rows(plot: LossPlot) -> pd.DataFrame:
    """A row per position: with all decoders on the axis of epochs, with one on the axis of minutes."""
    lines = plot.lines.assign(raw=plot.lines.raw.map("{:.3f}".format))
    if plot.view.axis == EPOCHS:
        lines["column"] = lines.decoder + ", " + lines.split
        rows = lines.pivot(index="epoch", columns="column", values="raw")[list(dict.fromkeys(lines.column))].fillna("–")
        return rows.reset_index().assign(place=lambda rows: rows.epoch)
    rows = lines.pivot(index=["decoder", "epoch", "place"], columns="split", values="raw")[list(SPLITS)].reset_index()
    return rows.assign(minutes=rows.place.map("{:.1f}".format))[["place", "decoder", "epoch", "minutes", *SPLITS]]
