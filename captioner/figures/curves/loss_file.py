"""The loss curves as a PNG or SVG file for reports, in the page's colours and dashes, drawn by Matplotlib."""

from io import BytesIO
from typing import TYPE_CHECKING, Any

from captioner.config import Variant
from captioner.figures.curves.loss_chart import BAND_OPACITY, COURSE_WIDTH, RAW_OPACITY, STRENGTH
from captioner.figures.curves.loss_data import EPOCHS, SPLITS, LossPlot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE, _RESOLUTION = (10, 5.6), 160


def loss_file(plot: LossPlot, kind: str) -> bytes:
    """The content of a `png` or `svg` file; the same plot gives the same bytes."""
    import matplotlib

    file = BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "triptych"}):
        loss_figure(plot).savefig(file, format=kind, dpi=_RESOLUTION, metadata={"Date": None} if kind == "svg" else None)
    return file.getvalue()


def loss_figure(plot: LossPlot) -> "Figure":
    """The chart on white, whatever the page's theme."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    _set_axes(axes, plot)
    for variant in plot.variants:
        for split in SPLITS:
            _draw_line(axes, plot, variant, split)
    _draw_course(axes, plot)
    _draw_bests(axes, plot)
    for number, (place, text) in enumerate(plot.second_stage):
        axes.axvline(place, color="black", alpha=0.35, linewidth=1, linestyle=":")
        axes.annotate(f"{text} begins ", (place, 0.02 + 0.04 * number), xycoords=("data", "axes fraction"), ha="right")
    axes.legend(loc="upper right", frameon=False, handlelength=4)
    return figure


def _set_axes(axes: "Axes", plot: LossPlot) -> None:
    from matplotlib.ticker import MaxNLocator, NullLocator, StrMethodFormatter

    axes.set(xlabel="epoch" if plot.view.axis == EPOCHS else "minutes of training", ylabel="loss per word (nats)")
    if plot.scale.log:
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(MaxNLocator(10))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=plot.view.axis == EPOCHS))
    axes.set_ylim(plot.scale.low, plot.scale.high)
    axes.margins(x=0.02)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)


def style(variant: Variant) -> dict[str, Any]:
    """A decoder's colour and dashes as Matplotlib line arguments; dashes are in pixels, not line widths."""
    return {"color": variant.colour, "linestyle": (0, variant.dash)}


def _draw_line(axes: "Axes", plot: LossPlot, variant: Variant, split: str) -> None:
    lines = plot.lines
    rows = lines[(lines.decoder == variant.title) & (lines.split == split)]
    if rows.empty:
        return
    line = style(variant)
    if (rows.high > rows.low).any():
        axes.fill_between(rows.place, rows.low, rows.high, color=variant.colour, alpha=BAND_OPACITY, linewidth=0)
    if plot.view.smoothed:
        axes.plot(rows.place, rows.raw, linewidth=STRENGTH[split], alpha=RAW_OPACITY, **line)
    label = f"{variant.title}, {split}"
    axes.plot(rows.place, rows.loss, linewidth=STRENGTH[split] * 0.75, label=label, **line)


def _draw_course(axes: "Axes", plot: LossPlot) -> None:
    for curve in plot.course:
        rows = plot.course_lines[plot.course_lines.name == curve.name]
        if rows.empty:
            continue
        beads = {"marker": "D", "markersize": 2.5, "fillstyle": "none"}
        axes.plot(rows.place, rows.loss, color=curve.variant.colour, linewidth=COURSE_WIDTH, **beads)
        end = rows.iloc[-1]
        axes.annotate(curve.name, (end.place, end.loss), (0, 10), textcoords="offset points", ha="right")


def _draw_bests(axes: "Axes", plot: LossPlot) -> None:
    for label in plot.labels:
        axes.vlines(label.place, *sorted((label.loss, label.name_at)), color="black", alpha=0.45, linewidth=1)
        axes.plot(label.place, label.loss, "o", color=label.variant.colour, markersize=8)
        side, aside = ("right", -5) if label.to_the_left else ("left", 5)
        where = {"xytext": (aside, 0), "textcoords": "offset points", "ha": side, "va": "center"}
        axes.annotate(label.text, (label.place, label.name_at), weight="bold", **where)
